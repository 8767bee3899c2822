//! What is written is legal, whatever names and amounts come; what was changed behind the writer's
//! back is found; and no bytes at all make the verifier stumble.

use std::path::Path;
use std::process::Command;

use chrono::NaiveDate;
use proptest::prelude::*;
use uketsuke::application_id::ApplicationId;
use uketsuke::bank_account::{AccountNumber, AccountType, BankAccount};
use uketsuke::export::{
    BankProfile, Newline, PartyName, Payment, RECORD_BYTES, Report, TransferFile, Yen, verify, write_files,
};
use uketsuke::kana::ZenginName;
use uketsuke::reference::{BankCode, BranchCode};
use uketsuke::settings::Settings;

fn profile() -> BankProfile {
    let settings = Settings::load(None).expect("shipped settings");
    BankProfile::load(&settings.paths.transfer, "example").expect("the shipped profile")
}

fn date() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 6, 30).expect("a date")
}

/// Anything that a name field of the form may hold once it is normalised.
fn name() -> impl Strategy<Value = ZenginName> {
    "[ア-ンァ-ヶヴガ-ボパピプペポーあ-ん・()A-Za-z0-9 ]{1,40}"
        .prop_filter_map("a name", |text| ZenginName::of(&text).ok())
        .prop_filter("not of symbols alone", |name| name.as_str().chars().any(|one| one.is_alphanumeric()))
}

fn payment() -> impl Strategy<Value = Payment> {
    let account = (0u32..10_000, 0u32..1000, 0usize..4, 1u32..10_000_000);
    (0u64..1_000_000_000_000, account, name(), 1u64..=Yen::MOST).prop_map(
        |(serial, (bank, branch, kind, number), name, yen)| Payment {
            application_id: ApplicationId::from_serial(serial).expect("in range"),
            account: BankAccount {
                bank: BankCode::parse(&format!("{bank:04}")).expect("four digits"),
                branch: BranchCode::parse(&format!("{branch:03}")).expect("three digits"),
                kind: AccountType::ALL[kind],
                number: AccountNumber::parse(&format!("{number:07}")).expect("seven digits"),
            },
            payee: PartyName::payee(&name, &profile()).expect("the shipped profile takes all symbols"),
            amount: Yen::new(yen).expect("in range"),
        },
    )
}

/// Each application once.
fn payments() -> impl Strategy<Value = Vec<Payment>> {
    prop::collection::vec(payment(), 1..12).prop_map(|mut payments| {
        let mut seen = std::collections::BTreeSet::new();
        payments.retain(|payment| seen.insert(payment.application_id));
        payments
    })
}

fn newline() -> impl Strategy<Value = Newline> {
    prop_oneof![Just(Newline::None), Just(Newline::Crlf), Just(Newline::Lf)]
}

fn one_file(payments: &[Payment], newline: Newline) -> TransferFile {
    let profile = BankProfile { newline, ..profile() };
    let mut files = write_files(&profile, date(), payments, None).expect("files");
    assert_eq!(files.len(), 1);
    files.remove(0)
}

fn lines(file: &TransferFile) -> Vec<Vec<u8>> {
    file.bytes.chunks(RECORD_BYTES).map(<[u8]>::to_vec).collect()
}

/// What the command says of a file, and whether it exits with 0.
fn command(path: &Path) -> (bool, serde_json::Value, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_uketsuke"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["transfer", "verify", "--json"])
        .arg(path)
        .output()
        .expect("the command");
    let report = serde_json::from_slice(&output.stdout).expect("a report");
    (output.status.success(), report, String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn the_command_tells_a_legal_file_from_one_with_faults() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("transfer.txt");
    let payment = Payment {
        application_id: ApplicationId::from_serial(7).expect("in range"),
        account: BankAccount::of_yucho("00190", "31000").expect("an account"),
        payee: PartyName::payee(&ZenginName::of("イトウ").expect("kana"), &profile()).expect("a payee"),
        amount: Yen::new(200_000).expect("an amount"),
    };
    let file = one_file(&[payment], Newline::Crlf);
    std::fs::write(&path, &file.bytes).expect("written");
    let (legal, report, _) = command(&path);
    assert!(legal, "{report}");
    assert_eq!(
        (&report["payments"], &report["total"], &report["newline"]),
        (&1.into(), &200_000.into(), &"crlf".into())
    );
    // The payee's first letter becomes a sound mark.
    let mut bytes = file.bytes;
    bytes[122 + 50] = 0xDE;
    std::fs::write(&path, &bytes).expect("written");
    let (legal, report, errors) = command(&path);
    assert!(!legal && errors.contains("1 faults"), "{errors}");
    let fault = &report["faults"][0];
    assert_eq!(
        (&fault["record"], &fault["bytes"], &fault["offset"]),
        (&2.into(), &serde_json::json!([51, 51]), &172.into())
    );
}

fn is_found(report: &Report) -> bool {
    !report.faults.is_empty()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_written_is_legal_and_says_what_was_meant(payments in payments(), newline in newline(), most in 1usize..6) {
        let profile = BankProfile { newline, max_records_per_file: most, ..profile() };
        let files = write_files(&profile, date(), &payments, None).expect("files");
        let mut written = payments.iter();
        for file in &files {
            let report = verify(&file.bytes, None);
            prop_assert_eq!(&report.faults, &[]);
            prop_assert_eq!((report.newline, report.payments, report.total), (newline, file.payments as u64, file.total));
            let record = RECORD_BYTES + match newline { Newline::None => 0, Newline::Lf => 1, Newline::Crlf => 2 };
            prop_assert_eq!(file.bytes.len(), (file.payments + 3) * record);
            for line in file.bytes.chunks(record).skip(1).take(file.payments) {
                let payment = written.next().expect("no more than were given");
                let text = |from: usize, length: usize| String::from_utf8_lossy(&line[from - 1..from - 1 + length]).into_owned();
                let account = payment.account;
                prop_assert_eq!(text(2, 4), account.bank.to_string());
                prop_assert_eq!(text(21, 3), account.branch.to_string());
                prop_assert_eq!(text(43, 1), account.kind.code().to_string());
                prop_assert_eq!(text(44, 7), account.number.to_string());
                prop_assert_eq!(text(81, 10), format!("{:010}", payment.amount.get()));
                prop_assert_eq!(text(92, 20), format!("{:0>20}", payment.application_id.to_string()));
            }
        }
        prop_assert!(written.next().is_none(), "a payment is in no file");
    }

    #[test]
    fn a_record_that_is_gone_doubled_or_changed_is_found(payments in payments(), place in any::<prop::sample::Index>(), byte in 0usize..RECORD_BYTES) {
        let file = one_file(&payments, Newline::None);
        let lines = lines(&file);
        let place = place.index(lines.len());
        let mut gone = lines.clone();
        gone.remove(place);
        prop_assert!(is_found(&verify(&gone.concat(), None)), "record {} is gone", place);
        let mut doubled = lines.clone();
        doubled.insert(place, lines[place].clone());
        prop_assert!(is_found(&verify(&doubled.concat(), None)), "record {} is doubled", place);
        // No field holds a small letter, a control character or ｦ.
        for wrong in [b'a', 0x07, 0xA6] {
            let mut changed = lines.clone();
            changed[place][byte] = wrong;
            prop_assert!(is_found(&verify(&changed.concat(), None)), "record {}, byte {}", place, byte);
        }
    }

    #[test]
    fn a_byte_more_or_less_and_another_amount_are_found(payments in payments(), newline in newline(), at in any::<prop::sample::Index>(), by in 1u8..10) {
        let file = one_file(&payments, newline);
        // The last line break may be missing.
        let last = file.bytes.len() - match newline { Newline::None => 0, Newline::Lf => 1, Newline::Crlf => 2 };
        let at = at.index(last);
        let mut less = file.bytes.clone();
        less.remove(at);
        prop_assert!(is_found(&verify(&less, None)), "byte {} is missing", at);
        let mut more = file.bytes.clone();
        more.insert(at, b'0');
        prop_assert!(is_found(&verify(&more, None)), "a byte more at {}", at);
        let bare = one_file(&payments, Newline::None);
        let mut lines = lines(&bare);
        let digit = &mut lines[1][89];
        *digit = b'0' + (*digit - b'0' + by) % 10;
        prop_assert!(is_found(&verify(&lines.concat(), None)), "the sum no longer holds");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn no_bytes_make_the_verifier_stumble(bytes in prop::collection::vec(any::<u8>(), 0..1500)) {
        prop_assert!(is_found(&verify(&bytes, None)));
    }

    /// Bytes that look like records reach deeper.
    #[test]
    fn nor_do_bytes_that_look_like_records(
        records in prop::collection::vec(("[12893]", "[0-9 A-Z]{100,119}", "(\r\n|\n|)"), 0..8),
        bytes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
    ) {
        let mut file: Vec<u8> = records
            .into_iter()
            .flat_map(|(kind, rest, newline)| format!("{}{newline}", format_args!("{kind}{rest:119}")).into_bytes())
            .collect();
        for (at, byte) in bytes {
            if !file.is_empty() {
                let at = at.index(file.len());
                file[at] = byte;
            }
        }
        let report = verify(&file, None);
        for fault in &report.faults {
            prop_assert!(fault.offset <= file.len(), "{}", fault);
        }
    }
}
