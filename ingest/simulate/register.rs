//! A register of households that do not exist, for demonstrations and measurements. The same seed
//! gives the same household at the same place, however many are asked for.

use rand::Rng;
use rand::seq::IndexedRandom;
use std::collections::BTreeMap;
use std::io::Write;

use super::names::{MEN, SURNAMES, TOWNS, WOMEN};
use super::random;
use crate::application_id::ApplicationId;
use crate::register::{COLUMNS, Household};

/// Yen a person, as the benefit of 2020 paid.
const YEN_PER_MEMBER: u64 = 100_000;

/// Steps through all serial numbers below 10^12 without meeting one twice: it has no factor 2 or 5.
const SERIAL_STEP: u64 = 7_919;

/// Share of households by number of members, from one; 2.07 on average, as Yokohama's register had
/// in 2020 (3.76 million people in 1.82 million households).
const MEMBERS: [(u32, f64); 6] = [(1, 0.40), (2, 0.29), (3, 0.17), (4, 0.11), (5, 0.025), (6, 0.005)];

/// The `place`-th household of the register that `seed` stands for.
pub fn household(seed: u64, place: u64) -> Household {
    let start = random::source(seed, "register").random_range(0..100_000_000_000);
    let serial = (100_000_000_000 + start + place.wrapping_mul(SERIAL_STEP)) % 1_000_000_000_000;
    let application_id = ApplicationId::from_serial(serial).expect("the remainder has at most 12 digits");
    let mut source = random::source(seed, &format!("household {place}"));
    // Commoner names stand first; the square makes them come first more often.
    let common = source.random::<f64>() * source.random::<f64>();
    let surname = SURNAMES[(common * SURNAMES.len() as f64) as usize];
    let given_names = if source.random_bool(0.7) { &MEN } else { &WOMEN };
    let given = given_names.choose(&mut source).expect("a list of names is not empty");
    let (postal_code, town) = TOWNS.choose(&mut source).expect("a list of towns is not empty");
    let members = random::weighted(&mut source, &MEMBERS);
    Household {
        application_id,
        head_name: format!("{}　{}", surname.0, given.0),
        head_kana: format!("{}　{}", surname.1, given.1),
        postal_code: (*postal_code).to_owned(),
        address: format!("神奈川県横浜市{town}{}", house_number(&mut source)),
        birth_date: format!(
            "{}-{:02}-{:02}",
            source.random_range(1928..=2000),
            source.random_range(1..=12),
            source.random_range(1..=28)
        ),
        members,
        amount: u64::from(members) * YEN_PER_MEMBER,
        further: BTreeMap::new(),
    }
}

fn house_number(source: &mut impl Rng) -> String {
    let block = source.random_range(1..40);
    let house = source.random_range(1..30);
    match source.random_range(0..4) {
        0 => format!("{block}-{house}"),
        1 => format!("{}-{block}-{house}", source.random_range(1..6)),
        2 => format!("{block}番地{house}"),
        _ => {
            let building = ["みなと荘", "メゾン青葉", "コーポ港北", "第二汐見ハイツ"]
                .choose(source)
                .expect("a list of buildings is not empty");
            format!("{block}-{house} {building}{}", source.random_range(101..=909))
        }
    }
}

/// Writes the first `count` households as a register file.
pub fn write_register(seed: u64, count: u64, target: impl Write) -> Result<(), csv::Error> {
    let mut writer = csv::Writer::from_writer(target);
    writer.write_record(COLUMNS)?;
    for place in 0..count {
        let household = household(seed, place);
        writer.write_record([
            household.application_id.to_string(),
            household.head_name,
            household.head_kana,
            household.postal_code,
            household.address,
            household.birth_date,
            household.members.to_string(),
            household.amount.to_string(),
        ])?;
    }
    Ok(writer.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::register::read_register;

    fn written(seed: u64, count: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_register(seed, count, &mut bytes).expect("memory");
        bytes
    }

    #[test]
    fn the_register_is_one_that_we_read_and_names_no_household_twice() {
        let bytes = written(3, 3000);
        let households: Vec<_> = read_register(&bytes[..]).expect("a good header").collect();
        assert_eq!(households.len(), 3000);
        for (place, household) in households.into_iter().enumerate() {
            assert!(household.expect("a good row") == super::household(3, place as u64));
        }
    }

    #[test]
    fn a_longer_register_begins_with_the_shorter() {
        assert!(written(7, 40).starts_with(&written(7, 20)));
        assert_ne!(written(7, 20), written(8, 20));
    }
}
