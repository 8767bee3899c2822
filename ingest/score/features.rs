//! A reading and what speaks for it, as numbers that a regression can weigh.
//!
//! [`FieldReading::score`] is none of them: in a published record that place holds the calibrated
//! confidence, and a calibration must not be fitted on an earlier one.

use super::PageFacts;
use crate::form::FieldKind;
use crate::read::{
    CellState, CharacterReading, Evidence, EvidenceSource, FieldReading, InkState, LEAST_ALTERNATIVE,
};

/// Probabilities are kept this far from 0 and 1: a network's own zeros are not evidence that sure.
const LEAST_PROBABILITY: f64 = 1e-6;

/// Above these log odds a cell model's digit is as good as any other.
const SURE_LOG_ODDS: f64 = 8.0;

/// The features of a reading; as many, and in the order, as [`feature_names`] says for `kind`.
pub fn features(kind: FieldKind, reading: &FieldReading, page: &PageFacts) -> Vec<f64> {
    named(kind, reading, page).into_iter().map(|(_, value)| value).collect()
}

/// Those of these names, in their order; none where this software does not know one of them.
pub fn features_named<'a>(
    names: impl Iterator<Item = &'a str>,
    kind: FieldKind,
    reading: &FieldReading,
    page: &PageFacts,
) -> Option<Vec<f64>> {
    let known = named(kind, reading, page);
    names.map(|name| known.iter().find(|(other, _)| *other == name).map(|(_, value)| *value)).collect()
}

/// The names of [`features`], fixed for each kind of field.
pub fn feature_names(kind: FieldKind) -> Vec<&'static str> {
    let nothing = FieldReading {
        field: String::new(),
        value: None,
        score: 0.0,
        state: InkState::Blank,
        characters: Vec::new(),
        evidence: Vec::new(),
    };
    let quality = crate::page::Quality { ink: 0.0, contrast: 0.0, sharpness: 0.0 };
    let page = PageFacts { residual_px: 0.0, dpi: 300.0, quality };
    named(kind, &nothing, &page).into_iter().map(|(name, _)| name).collect()
}

type Named = Vec<(&'static str, f64)>;

fn named(kind: FieldKind, reading: &FieldReading, page: &PageFacts) -> Named {
    let mut named = match kind {
        FieldKind::Digits | FieldKind::Kana => {
            let mut named = of_characters(reading);
            named.extend(of_cells(reading));
            named.extend(of_readers(reading, EvidenceSource::CellModel, EvidenceSource::LineModel));
            named.extend(of_readers_of_cells(reading));
            if kind == FieldKind::Digits {
                named.extend(of_look_alikes(reading));
            }
            named.extend(of_knowledge(reading));
            named
        }
        FieldKind::Text => {
            let mut named = of_characters(reading);
            named.extend(of_readers(reading, EvidenceSource::LineModel, EvidenceSource::Tesseract));
            named.extend(of_knowledge(reading));
            named
        }
        FieldKind::Mark | FieldKind::Signature => of_ink(reading),
    };
    named.extend([
        ("residual_px", page.residual_px),
        ("log_dpi", (page.dpi.max(1.0) / 300.0).ln()),
        ("ink", page.quality.ink),
        ("contrast", page.quality.contrast),
        ("sharpness", page.quality.sharpness),
    ]);
    // A page may be measured as anything; a regression has room for numbers only.
    for (_, value) in &mut named {
        if !value.is_finite() {
            *value = 0.0;
        }
    }
    named
}

/// The fused posteriors of the characters that are there.
fn of_characters(reading: &FieldReading) -> Named {
    let written: Vec<&CharacterReading> =
        reading.characters.iter().filter(|character| !character.value.trim().is_empty()).collect();
    let mut confidences: Vec<f64> = written.iter().map(|character| character.confidence).collect();
    confidences.sort_by(f64::total_cmp);
    let log_product = confidences.iter().map(|confidence| clamped(*confidence).ln()).sum();
    let margin = |character: &&CharacterReading| {
        let other = character.alternatives.first().map_or(0.0, |alternative| alternative.confidence);
        clamped(character.confidence).ln() - clamped(other).ln()
    };
    let smallest = |at: usize| confidences.get(at).map_or(0.0, |confidence| logit(*confidence));
    let [margin, none] = indicated(written.iter().map(margin).min_by(f64::total_cmp));
    vec![
        ("log_product", log_product),
        ("smallest", smallest(0)),
        ("second_smallest", smallest(1)),
        ("smallest_margin", margin),
        ("no_characters", none),
        ("characters", written.len() as f64),
    ]
}

/// What only boxes have: empty ones, and such as hold something else than one character.
fn of_cells(reading: &FieldReading) -> Named {
    let state = |wanted: CellState| reading.characters.iter().filter(move |cell| cell.state == wanted);
    let blank = state(CellState::Blank).map(|cell| logit(cell.confidence)).min_by(f64::total_cmp);
    let [blank, none] = indicated(blank);
    let irregular = [CellState::StruckOut, CellState::Overwritten, CellState::Several]
        .into_iter()
        .map(|wanted| state(wanted).count())
        .sum::<usize>();
    vec![
        ("smallest_blank", blank),
        ("no_blank_cell", none),
        ("irregular_cells", irregular as f64),
        ("padded", f64::from(super::is_padded(reading))),
    ]
}

/// Two readers of the same ink.
fn of_readers(reading: &FieldReading, first: EvidenceSource, second: EvidenceSource) -> Named {
    let (first, second) = (find(reading, first), find(reading, second));
    let fused: String = reading.characters.iter().map(|character| character.value.as_str()).collect();
    let [moved, _] = indicated(first.and_then(text).map(|text| f64::from(text != without_blanks(&fused))));
    let both = first.zip(second);
    let agree = both.map(|(first, second)| if text(first) == text(second) { 1.0 } else { -1.0 });
    let [agree, alone] = indicated(agree);
    let differing =
        both.filter(|(first, second)| !first.characters.is_empty() && !second.characters.is_empty());
    let [differing, _] = indicated(differing.map(|(first, second)| {
        let (one, other) = (&first.characters, &second.characters);
        let unlike = one.iter().zip(other).filter(|(one, other)| one.value != other.value).count();
        (unlike + one.len().abs_diff(other.len())) as f64
    }));
    let surest = second.map(|second| {
        let written = second.characters.iter().filter(|character| !character.value.is_empty());
        logit(written.map(|character| character.confidence).min_by(f64::total_cmp).unwrap_or(second.score))
    });
    let [surest, _] = indicated(surest);
    vec![
        ("fused_differs", moved),
        ("readers_agree", agree),
        ("one_reader", alone),
        ("differing_cells", differing),
        ("second_reader_smallest", surest),
    ]
}

/// What each reader of cells says by itself. Fused, one that is sure hides that the other is not.
fn of_readers_of_cells(reading: &FieldReading) -> Named {
    let cells = characters_of(reading, EvidenceSource::CellModel);
    let line = characters_of(reading, EvidenceSource::LineModel);
    let sure =
        |cell: &CharacterReading| if cell.value.is_empty() { None } else { Some(logit(cell.confidence)) };
    let of_both = |(place, cell): (usize, &CharacterReading)| {
        Some(sure(cell)? + line.get(place).and_then(sure).unwrap_or_default())
    };
    let [first, _] = indicated(cells.iter().filter_map(sure).min_by(f64::total_cmp));
    let [both, _] = indicated(cells.iter().enumerate().filter_map(of_both).min_by(f64::total_cmp));
    let several = line.iter().filter(|cell| cell.state == CellState::Several).count();
    let leads_of_both = cells
        .iter()
        .enumerate()
        .filter_map(|(place, cell)| Some(lead(cell)? + line.get(place).and_then(lead)?));
    let [first_lead, _] = indicated(cells.iter().filter_map(lead).min_by(f64::total_cmp));
    let [second_lead, _] = indicated(line.iter().filter_map(lead).min_by(f64::total_cmp));
    let [lead_of_both, _] = indicated(leads_of_both.min_by(f64::total_cmp));
    let rivalled = |cells: &[CharacterReading]| {
        cells.iter().filter(|cell| !cell.value.is_empty() && likely_rivals(cell).next().is_some()).count()
            as f64
    };
    vec![
        ("first_reader_smallest", first),
        ("both_smallest", both),
        ("second_reader_several", several as f64),
        ("first_reader_lead", first_lead),
        ("second_reader_lead", second_lead),
        ("both_lead", lead_of_both),
        ("first_reader_rivalled", rivalled(cells)),
        ("second_reader_rivalled", rivalled(line)),
    ]
}

/// How much likelier a reader takes a character than the next one, as a logarithm; none of a box without one. Unlike
/// [`CharacterReading::confidence`] it is not lessened where a reader takes for possible that no character stands
/// there, which makes no wrong value.
fn lead(cell: &CharacterReading) -> Option<f64> {
    let rival = cell.alternatives.first().map_or(LEAST_PROBABILITY, |rival| clamped(rival.confidence));
    (!cell.value.is_empty()).then(|| (clamped(cell.confidence) / rival).ln())
}

/// What a box may well hold instead.
fn likely_rivals(cell: &CharacterReading) -> impl Iterator<Item = &str> {
    let likely = cell.alternatives.iter().filter(|rival| rival.confidence >= LEAST_ALTERNATIVE);
    likely.map(|rival| rival.value.as_str())
}

/// How sure the readers are of the digits that are most taken for each other: a 4 for a 9, at its
/// least sure, counts otherwise than a 1.
fn of_look_alikes(reading: &FieldReading) -> Named {
    let cells = characters_of(reading, EvidenceSource::CellModel);
    let line = characters_of(reading, EvidenceSource::LineModel);
    let unrivalled = -LEAST_PROBABILITY.ln();
    let alike = |digits: &'static str| {
        let is_one = move |cell: &CharacterReading| !cell.value.is_empty() && digits.contains(&cell.value);
        cells.iter().enumerate().filter(move |(_, cell)| is_one(cell))
    };
    let smallest =
        |digits| alike(digits).map(|(_, cell)| logit(cell.confidence)).fold(SURE_LOG_ODDS, f64::min);
    let lead_of_both = |(place, cell)| {
        let seconds = line.get(place).and_then(lead).unwrap_or(unrivalled);
        Some(lead(cell)? + seconds)
    };
    let least_lead = |digits| alike(digits).filter_map(lead_of_both).fold(2.0 * unrivalled, f64::min);
    let four_or_nine = alike("49").any(|(_, cell)| likely_rivals(cell).any(|rival| "49".contains(rival)));
    vec![
        ("smallest_4_or_9", smallest("49")),
        ("smallest_3_or_5", smallest("35")),
        ("smallest_1_or_7", smallest("17")),
        ("smallest_0_or_6", smallest("06")),
        ("smallest_2_or_8", smallest("28")),
        ("lead_of_4_or_9", least_lead("49")),
        ("lead_of_3_or_5", least_lead("35")),
        ("lead_of_1_or_7", least_lead("17")),
        ("lead_of_0_or_6", least_lead("06")),
        ("lead_of_2_or_8", least_lead("28")),
        ("rivalled_4_or_9", f64::from(four_or_nine)),
    ]
}

/// What is known beside the ink.
fn of_knowledge(reading: &FieldReading) -> Named {
    let score = |source| indicated(find(reading, source).map(|evidence| evidence.score - 0.5));
    let [lexicon, no_lexicon] = score(EvidenceSource::Lexicon);
    let [register, no_register] = score(EvidenceSource::RegisterSupport);
    let [reference, no_reference] = score(EvidenceSource::ReferenceData);
    let [check_digit, no_check_digit] = score(EvidenceSource::CheckDigit);
    vec![
        ("lexicon", lexicon),
        ("no_lexicon", no_lexicon),
        ("register_support", register),
        ("no_register_support", no_register),
        ("reference_data", reference),
        ("no_reference_data", no_reference),
        ("check_digit", check_digit),
        ("no_check_digit", no_check_digit),
    ]
}

/// Ink in the boxes of a mark, or where one signs: the most, and the next.
fn of_ink(reading: &FieldReading) -> Named {
    let ink = reading.evidence.iter().filter(|evidence| evidence.source == EvidenceSource::Ink);
    let mut scores: Vec<f64> = ink.map(|evidence| logit(evidence.score)).collect();
    scores.sort_by(|one, other| other.total_cmp(one));
    let [most, none] = indicated(scores.first().copied());
    let [next, alone] = indicated(scores.get(1).copied());
    vec![("most_ink", most), ("no_ink_measured", none), ("next_ink", next), ("one_option", alone)]
}

/// A value that may be missing: it, or 0, and whether it is missing.
fn indicated(value: Option<f64>) -> [f64; 2] {
    [value.unwrap_or(0.0), f64::from(value.is_none())]
}

fn find(reading: &FieldReading, source: EvidenceSource) -> Option<&Evidence> {
    reading.evidence.iter().find(|evidence| evidence.source == source)
}

/// What a source says box by box; nothing where it has not read the field.
fn characters_of(reading: &FieldReading, source: EvidenceSource) -> &[CharacterReading] {
    find(reading, source).map_or(&[], |evidence| &evidence.characters)
}

fn text(evidence: &Evidence) -> Option<String> {
    evidence.value.as_deref().map(without_blanks)
}

fn without_blanks(text: &str) -> String {
    text.chars().filter(|character| !character.is_whitespace()).collect()
}

fn clamped(probability: f64) -> f64 {
    probability.clamp(LEAST_PROBABILITY, 1.0 - LEAST_PROBABILITY)
}

/// Log odds.
fn logit(probability: f64) -> f64 {
    let probability = clamped(probability);
    (probability / (1.0 - probability)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::Quality;
    use crate::read::Alternative;

    const KINDS: [FieldKind; 5] =
        [FieldKind::Digits, FieldKind::Kana, FieldKind::Text, FieldKind::Mark, FieldKind::Signature];

    fn page() -> PageFacts {
        PageFacts {
            residual_px: 0.4,
            dpi: 200.0,
            quality: Quality { ink: 0.1, contrast: 0.8, sharpness: 0.7 },
        }
    }

    fn digit(value: &str, confidence: f64) -> CharacterReading {
        let state = if value.is_empty() { CellState::Blank } else { CellState::Written };
        CharacterReading { value: value.to_owned(), state, confidence, alternatives: Vec::new() }
    }

    fn reading(score: f64) -> FieldReading {
        let characters = vec![digit("1", 0.9), digit("2", 0.99), digit("", 0.999)];
        let evidence = |source, text: &str| Evidence::whole(source, Some(text.to_owned()), 0.7);
        FieldReading {
            field: "account_number".to_owned(),
            value: Some("12".to_owned()),
            score,
            state: InkState::Written,
            characters,
            evidence: vec![
                evidence(EvidenceSource::CellModel, "12"),
                evidence(EvidenceSource::LineModel, "13"),
            ],
        }
    }

    fn feature(kind: FieldKind, reading: &FieldReading, name: &str) -> f64 {
        let place = feature_names(kind).iter().position(|other| *other == name).expect("a feature");
        features(kind, reading, &page())[place]
    }

    #[test]
    fn names_are_unique_and_the_same_whatever_is_read() {
        for kind in KINDS {
            let names = feature_names(kind);
            assert_eq!(names.len(), features(kind, &reading(0.5), &page()).len());
            let mut unique = names.clone();
            unique.sort_unstable();
            unique.dedup();
            assert_eq!(unique.len(), names.len(), "{kind:?}");
        }
    }

    #[test]
    fn features_are_found_by_their_names() {
        let (one, page) = (reading(0.5), page());
        let named = |names: &[&str]| features_named(names.iter().copied(), FieldKind::Digits, &one, &page);
        let both = ["readers_agree", "characters"].map(|name| feature(FieldKind::Digits, &one, name));
        assert_eq!(named(&["readers_agree", "characters"]), Some(both.to_vec()));
        assert_eq!(named(&["characters", "phase_of_the_moon"]), None);
    }

    #[test]
    fn the_published_confidence_is_no_feature() {
        for kind in KINDS {
            assert_eq!(features(kind, &reading(0.1), &page()), features(kind, &reading(0.9), &page()));
        }
    }

    #[test]
    fn readers_that_differ_count_and_missing_evidence_is_neutral() {
        let mut both = reading(0.9);
        assert_eq!(feature(FieldKind::Digits, &both, "readers_agree"), -1.0);
        assert_eq!(feature(FieldKind::Digits, &both, "one_reader"), 0.0);
        both.evidence.pop();
        assert_eq!(feature(FieldKind::Digits, &both, "readers_agree"), 0.0);
        assert_eq!(feature(FieldKind::Digits, &both, "one_reader"), 1.0);
        assert_eq!(feature(FieldKind::Digits, &both, "no_check_digit"), 1.0);
    }

    #[test]
    fn a_reader_in_doubt_is_seen_behind_a_sure_one() {
        let mut both = reading(0.9);
        both.characters = vec![digit("4", 0.999_999), digit("1", 0.999_999)];
        let of = |source, confidence| Evidence {
            characters: vec![digit("4", confidence), digit("1", 0.999)],
            ..Evidence::whole(source, Some("41".to_owned()), confidence)
        };
        both.evidence = vec![of(EvidenceSource::CellModel, 0.5), of(EvidenceSource::LineModel, 0.9)];
        let value = |name| feature(FieldKind::Digits, &both, name);
        assert_eq!((value("first_reader_smallest"), value("smallest_4_or_9")), (0.0, 0.0));
        assert_eq!(value("smallest_3_or_5"), SURE_LOG_ODDS);
        assert!((value("both_smallest") - logit(0.9)).abs() < 1e-9);
    }

    #[test]
    fn a_lead_counts_rivals_and_not_what_is_no_character() {
        let with_rival = |value: &str, confidence, rival| CharacterReading {
            alternatives: vec![Alternative { value: "9".to_owned(), confidence: rival }],
            ..digit(value, confidence)
        };
        let mut one = reading(0.9);
        let characters = vec![digit("1", 0.7), with_rival("4", 0.99, 0.005), digit("", 0.9)];
        one.evidence = vec![Evidence {
            characters,
            ..Evidence::whole(EvidenceSource::CellModel, Some("14".to_owned()), 0.7)
        }];
        let value = |name| feature(FieldKind::Digits, &one, name);
        // The 1 is doubted more, but not in favour of another digit.
        assert!((value("first_reader_lead") - (0.99_f64 / 0.005).ln()).abs() < 1e-9);
        // The second reader read nothing, and is no rival.
        let unrivalled = -LEAST_PROBABILITY.ln();
        assert_eq!(value("lead_of_4_or_9"), value("first_reader_lead") + unrivalled);
        assert!((value("lead_of_1_or_7") - (0.7 / LEAST_PROBABILITY).ln() - unrivalled).abs() < 1e-9);
        assert_eq!((value("first_reader_rivalled"), value("second_reader_rivalled")), (1.0, 0.0));
        assert_eq!((value("rivalled_4_or_9"), value("second_reader_lead")), (1.0, 0.0));
    }

    #[test]
    fn what_cannot_be_measured_is_no_infinity() {
        let mut broken = page();
        broken.residual_px = f64::INFINITY;
        broken.dpi = f64::NAN;
        assert!(features(FieldKind::Digits, &reading(0.5), &broken).iter().all(|value| value.is_finite()));
    }
}
