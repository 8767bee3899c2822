//! Which bank and branch the lines of a page name: every name of the table as a hypothesis about
//! the line, against what the line reads by itself.
//!
//! The rule: a name whose posterior is at least [`DECISIVE`] is the field's value, as the table
//! writes it; otherwise the value stays what was read, which nothing in the table is
//! ([`EvidenceSource::Contradiction`]). Either way the likeliest name and its posterior are evidence. Branches are
//! looked for among those of the likely banks only.

use std::collections::BTreeMap;

use super::ctc::Posteriors;
use super::letters::{Letter, Letters};
use super::{CroppedReading, Evidence, EvidenceSource};
use crate::form::standard::{BANK_NAME, BRANCH_NAME};
use crate::reference::{BankTable, Branch, Spelling};

/// Whose lines the table speaks of.
pub(super) const FIELDS: [&str; 2] = [BANK_NAME, BRANCH_NAME];

/// A name this likely is the value.
pub(super) const DECISIVE: f64 = 0.9;

/// What a character costs that nothing but the line itself speaks for, as a natural logarithm: a
/// line of any content is that much less likely per character than one of the table's names.
/// On simulated lines the right name is 0 to 3 below what the line reads by itself, any other 14
/// and more: a few either way change nothing.
const LN_FREE_CHARACTER: f64 = -4.0;

/// The line model is surer of itself than it is right: logarithms of its probabilities are divided
/// by this.
const TEMPER: f64 = 2.0;

/// Hypotheses whose logarithm is farther than this below the best one's are not worked out.
const LN_HOPELESS: f64 = -30.0;

/// Banks less likely than this are not asked for their branches; and at most so many are.
const LEAST_BANK: f64 = 0.02;
const MOST_BANKS: usize = 5;

/// Names less likely than this are no evidence.
const LEAST_NAME: f64 = 0.01;

/// A line that may name something: its posteriors by letter, and what it reads by itself.
struct NameLine<'a> {
    letters: Letters<'a>,
    read: String,
}

/// Adds to the readings of the bank's and the branch's name what the table says of their lines;
/// `lines` are by field name.
pub(super) fn settle(
    readings: &mut [CroppedReading],
    lines: &BTreeMap<&str, Posteriors<'_>>,
    table: &BankTable,
) {
    let Some(mut line) = line_of(readings, lines, BANK_NAME) else { return };
    let banks = table.banks().iter();
    let banks = rank(&mut line, banks.map(|bank| (bank, 1.0, bank.spellings.as_slice())));
    let likeliest = banks.first().map(|&(bank, posterior)| (bank.label(), bank.name.as_str(), posterior));
    note(readings, BANK_NAME, likeliest);
    let Some(mut line) = line_of(readings, lines, BRANCH_NAME) else { return };
    let likely = banks.iter().filter(|(_, posterior)| *posterior >= LEAST_BANK).take(MOST_BANKS);
    let branches: Vec<(&Branch, f64, Vec<Spelling>)> = likely
        .flat_map(|&(bank, posterior)| {
            bank.branches().iter().map(move |branch| (branch, posterior, branch.spellings()))
        })
        .collect();
    let spelled = branches.iter().map(|(branch, prior, names)| (*branch, *prior, names.as_slice()));
    let branches = rank(&mut line, spelled);
    let likeliest =
        branches.first().map(|&(branch, posterior)| (branch.label(), branch.name.as_str(), posterior));
    note(readings, BRANCH_NAME, likeliest);
}

/// None where the field is not on the page or has no ink.
fn line_of<'a>(
    readings: &[CroppedReading],
    lines: &'a BTreeMap<&str, Posteriors<'_>>,
    field: &str,
) -> Option<NameLine<'a>> {
    let reading = &readings.iter().find(|cropped| cropped.reading.field == field)?.reading;
    let letters = Letters::of(lines.get(field)?);
    let read = reading.characters.iter().map(|character| character.value.as_str()).collect();
    Some(NameLine { letters, read })
}

/// What may stand on the line, how likely that is before the line is seen, and how it is written;
/// gives what is likeliest first, with its posterior. The posteriors miss 1 by what is likely to
/// be none of them.
fn rank<'t, T: Copy>(
    line: &mut NameLine<'_>,
    hypotheses: impl Iterator<Item = (T, f64, &'t [Spelling])>,
) -> Vec<(T, f64)> {
    let letters = &mut line.letters;
    let read = letters.spell_known(&line.read);
    let ln_unknown = letters.ln_probability(&read).unwrap_or(f64::NEG_INFINITY)
        + LN_FREE_CHARACTER * read.len().max(1) as f64;

    struct Word {
        letters: Vec<Letter>,
        weight: f64,
        ln_bound: f64,
        of: usize,
    }
    let mut known = Vec::new();
    let mut words: Vec<Word> = Vec::new();
    for (of, prior, spellings) in hypotheses {
        for spelling in spellings {
            let Some(word) = letters.spell(&spelling.text).filter(|word| !word.is_empty()) else { continue };
            let ln_bound = letters.ln_bound(&word);
            words.push(Word { letters: word, weight: spelling.weight, ln_bound, of: known.len() });
        }
        known.push((of, prior));
    }
    words.sort_by(|a, b| b.ln_bound.total_cmp(&a.ln_bound));

    let mut best = ln_unknown;
    let mut shares = vec![0.0; known.len()];
    let share = |ln: f64| (ln / TEMPER).exp();
    for word in &words {
        if word.ln_bound < best + LN_HOPELESS {
            break;
        }
        let Some(ln) = letters.ln_probability(&word.letters) else { continue };
        best = best.max(ln);
        shares[word.of] += share(ln) * word.weight * known[word.of].1;
    }
    let total = shares.iter().sum::<f64>() + share(ln_unknown);
    let mut ranked: Vec<(T, f64)> = known
        .into_iter()
        .zip(shares)
        .map(|((of, _), share)| (of, share / total))
        .filter(|(_, posterior)| *posterior >= LEAST_NAME)
        .collect();
    // Stable: what is equally likely stays in the table's order.
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    ranked
}

/// What the table says of a line: label, name and posterior of the likeliest that is in it.
fn note(readings: &mut [CroppedReading], field: &str, likeliest: Option<(String, &str, f64)>) {
    let mut all = readings.iter_mut().map(|cropped| &mut cropped.reading);
    let Some(reading) = all.find(|reading| reading.field == field) else { return };
    let decisive = likeliest.as_ref().filter(|(_, _, posterior)| *posterior >= DECISIVE);
    if let Some(&(_, name, posterior)) = decisive {
        reading.value = Some(name.to_owned());
        reading.score = posterior;
    }
    let is_unknown = decisive.is_none() && reading.value.is_some();
    let named = likeliest
        .map(|(label, _, posterior)| Evidence::whole(EvidenceSource::ReferenceData, Some(label), posterior));
    let unknown = is_unknown.then(|| Evidence::whole(EvidenceSource::Contradiction, None, 0.0));
    reading.evidence.extend(named.into_iter().chain(unknown));
}
