//! The score of a field under the calibration and the certificate in use.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Basis, Calibration, Certificate, Disposition, DriftRule, Identified, PageFacts, Reason, ScoreFiles,
    Stratum, StratumKey, Tally, Verdict, remarks,
};
use crate::digest::Sha256;
use crate::form::{Field, Form};
use crate::read::{FieldReading, InkState};
use crate::settings;

/// The calibration and the certificate that a worker was started with, and what its operator says.
#[derive(Debug, Clone, PartialEq)]
pub struct Scorer {
    calibration: Option<Identified<Calibration>>,
    certificate: Option<Identified<Certificate>>,
    accept_provisional: bool,
}

impl Scorer {
    pub fn new(files: ScoreFiles, settings: &settings::Score) -> Self {
        let ScoreFiles { calibration, certificate } = files;
        Self { calibration, certificate, accept_provisional: settings.accept_provisional }
    }

    /// The calibration file, whether or not its confidences apply: its weights of the readers shape
    /// every reading.
    pub fn calibration(&self) -> Option<&Identified<Calibration>> {
        self.calibration.as_ref()
    }

    pub fn certificate(&self) -> Option<&Identified<Certificate>> {
        self.certificate.as_ref()
    }

    /// Whether fields are accepted under such a certificate, where it fits models, form and calibration.
    pub fn may_accept(&self, certificate: &Certificate) -> bool {
        certificate.basis == Basis::Proven || self.accept_provisional
    }

    /// What of it holds for readings of `form` by `models`, whose readers of combs were weighed by
    /// the calibration `weighed_by`. `suspended` is what the certificate accepts no more.
    pub fn scoring<'a>(
        &'a self,
        models: &BTreeMap<String, Sha256>,
        weighed_by: Option<Sha256>,
        form: &Form,
        suspended: &'a Suspended,
    ) -> Scoring<'a> {
        let calibration = self
            .calibration
            .as_ref()
            .filter(|file| file.content.applies.to(models, form) && weighed_by == Some(file.sha256));
        let certificate = self.certificate.as_ref().filter(|certificate| {
            certificate.content.applies.to(models, form)
                && calibration
                    .is_some_and(|calibration| calibration.sha256 == certificate.content.calibration)
        });
        let licence = match certificate {
            None => Licence::None,
            Some(file) if suspended.revoked => Licence::Revoked(file),
            Some(file) if self.may_accept(&file.content) => Licence::InForce(file),
            Some(file) => Licence::NotEnough(file),
        };
        Scoring { calibration: calibration.map(|file| &file.content), licence, suspended: &suspended.strata }
    }
}

/// What a certificate does not accept any more.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Suspended {
    /// QA found more errors than it promises: nothing at all.
    pub revoked: bool,
    /// Strata whose confidences have shifted.
    pub strata: BTreeSet<StratumKey>,
}

/// Whether a certificate lets anything be accepted.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Licence<'a> {
    /// None was made with these models, this form and this calibration.
    None,
    /// It rests on simulated pages, and the operator has not said that this is enough.
    NotEnough(&'a Identified<Certificate>),
    /// QA found its promise broken.
    Revoked(&'a Identified<Certificate>),
    InForce(&'a Identified<Certificate>),
}

/// What decides over the fields of one form.
#[derive(Debug, Clone, PartialEq)]
pub struct Scoring<'a> {
    calibration: Option<&'a Calibration>,
    licence: Licence<'a>,
    suspended: &'a BTreeSet<StratumKey>,
}

/// What is published of a field beside what was read.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldScore {
    /// The calibrated probability that the whole value is right; the reader's own score with
    /// [`Reason::Uncalibrated`].
    pub confidence: f64,
    pub disposition: Disposition,
    pub reasons: Vec<Reason>,
}

impl<'a> Scoring<'a> {
    /// Of the certificate under which fields may be accepted.
    pub fn certificate_in_force(&self) -> Option<Sha256> {
        match self.licence {
            Licence::InForce(file) => Some(file.sha256),
            Licence::None | Licence::NotEnough(_) | Licence::Revoked(_) => None,
        }
    }

    /// The score of a field; none was read where its page was not.
    pub fn score(&self, field: &Field, read: Option<(&FieldReading, &PageFacts)>) -> FieldScore {
        let Some((reading, page)) = read else {
            return FieldScore {
                confidence: 0.0,
                disposition: Disposition::Verify,
                reasons: vec![Reason::PageNotRead],
            };
        };
        let stated = Stratum::of_reading(reading);
        let calibrated = self.calibration.and_then(|calibration| match stated {
            Some(_) => calibration.confidence(field, reading, page),
            // Nothing is stated, so nothing can be right.
            None => Some(0.0),
        });
        let mut reasons = remarks(field.kind, reading);
        let verdict = match (stated, calibrated) {
            (_, None) => Err(Reason::Uncalibrated),
            (None, Some(_)) => Err(Reason::Ambiguous),
            (Some(stratum), Some(confidence)) => self.licensed(field, stratum, confidence).map(|()| stratum),
        };
        let blocked = reasons.iter().any(|reason| reason.blocks());
        let disposition = match verdict {
            Ok(Stratum::Written) if !blocked => Disposition::Accepted,
            Ok(Stratum::Blank) if !blocked => Disposition::Blank,
            Ok(_) => Disposition::Verify,
            Err(reason) => {
                if !reasons.contains(&reason) {
                    reasons.insert(0, reason);
                }
                Disposition::Verify
            }
        };
        FieldScore { confidence: calibrated.unwrap_or(reading.score), disposition, reasons }
    }

    /// Whether the certificate speaks for a statement of this confidence.
    fn licensed(&self, field: &Field, stratum: Stratum, confidence: f64) -> Result<(), Reason> {
        let certificate = match self.licence {
            Licence::None => return Err(Reason::NoCertificate),
            Licence::NotEnough(_) => return Err(Reason::CertificateProvisional),
            Licence::Revoked(_) => return Err(Reason::CertificateRevoked),
            Licence::InForce(file) => &file.content,
        };
        let Some(Verdict::Certified { threshold, .. }) =
            certificate.field(&field.name, stratum).map(|field| field.verdict)
        else {
            return Err(Reason::TooLittleEvidence);
        };
        if self.suspended.contains(&StratumKey::new(&field.name, stratum)) {
            return Err(Reason::Drift);
        }
        if confidence < threshold { Err(Reason::BelowThreshold) } else { Ok(()) }
    }

    /// Counts a published confidence for the drift test. Does nothing where it is not calibrated, or
    /// no certificate was made with these models, this form and this calibration.
    pub fn tally(&self, tally: &mut Tally, field: &str, ink: InkState, value: Option<&str>, confidence: f64) {
        let certificate = match self.licence {
            Licence::None => return,
            Licence::NotEnough(file) | Licence::Revoked(file) | Licence::InForce(file) => &file.content,
        };
        let Some(stratum) = Stratum::of(ink, value) else { return };
        let calibrated = self.calibration.is_some_and(|file| file.field(field, stratum).is_some());
        let Some(reference) = certificate.field(field, stratum).filter(|_| calibrated) else { return };
        tally.add(reference.key(), &reference.reference, confidence);
    }
}

impl Certificate {
    /// How its strata are watched.
    pub fn drift_rule(&self, settings: &settings::Score) -> DriftRule {
        let watched = self.fields.iter().filter(|field| field.reference.counts.len() > 1);
        DriftRule { window: settings.drift_window, level: settings.drift_level, strata: watched.count() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::FieldKind;
    use crate::page::Quality;
    use crate::read::{CellState, CharacterReading, Fusion};
    use crate::score::calibration::{FeatureWeight, FieldCalibration};
    use crate::score::recalibrate::Recalibration;
    use crate::score::{
        Applies, CALIBRATION_SCHEMA, CERTIFICATE_SCHEMA, CalibrationBasis, FieldCertificate, Histogram, Split,
    };
    use chrono::{DateTime, Utc};

    const PHONE: &str = "phone";

    fn field(name: &str) -> Field {
        Field {
            name: name.to_owned(),
            kind: FieldKind::Digits,
            printed: false,
            align: None,
            cells: Vec::new(),
            options: Vec::new(),
        }
    }

    fn form() -> Form {
        Form {
            id: "synthetic".to_owned(),
            version: "1".to_owned(),
            title: String::new(),
            max_residual_px: 4.0,
            pages: Vec::new(),
            digest: Sha256::of(b"form"),
        }
    }

    fn models() -> BTreeMap<String, Sha256> {
        BTreeMap::from([("digits.onnx".to_owned(), Sha256::of(b"digits"))])
    }

    fn weight(feature: &str) -> FeatureWeight {
        FeatureWeight { name: feature.to_owned(), mean: 0.0, scale: 1.0, weight: 1.0 }
    }

    /// The confidence is the sigmoid of `characters`: a calibration from when that was the only feature.
    fn files(basis: Basis) -> ScoreFiles {
        let calibrated = |name: &str, stratum| FieldCalibration {
            field: name.to_owned(),
            stratum,
            kind: FieldKind::Digits,
            fitted_on: 100,
            shared_with: 100,
            recalibrated_on: 100,
            ridge: 1.0,
            intercept: 0.0,
            features: vec![weight("characters")],
            recalibration: Recalibration::Platt { intercept: 0.0, slope: 1.0 },
        };
        let applies = Applies {
            models: models(),
            forms: BTreeMap::from([("synthetic@1".to_owned(), Sha256::of(b"form"))]),
        };
        let made_at = DateTime::<Utc>::UNIX_EPOCH;
        let calibration = Calibration {
            schema: CALIBRATION_SCHEMA.to_owned(),
            made_at,
            software: "test".to_owned(),
            applies: applies.clone(),
            basis: CalibrationBasis::Simulated,
            data: "made up".to_owned(),
            applications: 200,
            split: Split::new("1"),
            fusion: Fusion::default(),
            fields: vec![
                calibrated(PHONE, Stratum::Written),
                calibrated(PHONE, Stratum::Blank),
                calibrated("declined", Stratum::Written),
                calibrated("bank_code", Stratum::Written),
            ],
        };
        let certified = |name: &str, stratum, threshold| FieldCertificate {
            field: name.to_owned(),
            stratum,
            readings: 5000,
            verdict: Verdict::Certified { threshold, accepted: 4000, errors: 0, bound: 0.001, coverage: 0.8 },
            reference: Histogram { edges: vec![0.9], counts: vec![1000, 4000] },
        };
        let calibration = Identified { sha256: Sha256::of(b"calibration"), content: calibration };
        let certificate = Certificate {
            schema: CERTIFICATE_SCHEMA.to_owned(),
            made_at,
            software: "test".to_owned(),
            basis,
            target_risk: 0.0014,
            confidence: 0.95,
            method: "test".to_owned(),
            applies,
            calibration: calibration.sha256,
            data: "made up".to_owned(),
            applications: 5000,
            fields: vec![
                certified(PHONE, Stratum::Written, 0.85),
                certified(PHONE, Stratum::Blank, 0.4),
                certified("declined", Stratum::Written, 0.1),
                FieldCertificate {
                    verdict: Verdict::TooLittleEvidence { accepted: 10, errors: 0, missing: 2129 },
                    ..certified("bank_code", Stratum::Written, 0.1)
                },
            ],
        };
        let certificate = Identified { sha256: Sha256::of(b"certificate"), content: certificate };
        ScoreFiles { calibration: Some(calibration), certificate: Some(certificate) }
    }

    fn reading(name: &str, text: &str) -> FieldReading {
        let digit = |value: char| CharacterReading {
            value: value.to_string(),
            state: CellState::Written,
            confidence: 0.99,
            alternatives: Vec::new(),
        };
        FieldReading {
            field: name.to_owned(),
            value: (!text.is_empty()).then(|| text.to_owned()),
            score: 0.123,
            state: if text.is_empty() { InkState::Blank } else { InkState::Written },
            characters: text.chars().map(digit).collect(),
            evidence: Vec::new(),
        }
    }

    fn page() -> PageFacts {
        PageFacts {
            residual_px: 0.4,
            dpi: 300.0,
            quality: Quality { ink: 0.1, contrast: 0.8, sharpness: 0.7 },
        }
    }

    fn scorer(files: ScoreFiles, accept_provisional: bool) -> Scorer {
        let settings = settings::Score { accept_provisional, drift_window: 500, drift_level: 0.01 };
        Scorer::new(files, &settings)
    }

    fn scored(scorer: &Scorer, reading: &FieldReading) -> FieldScore {
        let suspended = Suspended::default();
        let scoring =
            scorer.scoring(&models(), scorer.calibration().map(|file| file.sha256), &form(), &suspended);
        scoring.score(&field(&reading.field), Some((reading, &page())))
    }

    fn outcome(scorer: &Scorer, reading: &FieldReading) -> (Disposition, Vec<Reason>) {
        let FieldScore { disposition, reasons, .. } = scored(scorer, reading);
        (disposition, reasons)
    }

    #[test]
    fn nothing_is_accepted_without_a_calibration() {
        let raw = scorer(ScoreFiles::default(), true);
        let score = scored(&raw, &reading(PHONE, "0312345678"));
        assert_eq!(score.confidence, 0.123, "the reader's own");
        assert_eq!((score.disposition, score.reasons), (Disposition::Verify, vec![Reason::Uncalibrated]));
    }

    #[test]
    fn padding_and_a_missing_page_are_told() {
        let raw = scorer(ScoreFiles::default(), false);
        let mut padded = reading("account_number", "12345");
        padded.value = Some("0012345".to_owned());
        assert_eq!(outcome(&raw, &padded).1, [Reason::Uncalibrated, Reason::Padded]);
        let suspended = Suspended::default();
        let missing = raw
            .scoring(&models(), raw.calibration().map(|file| file.sha256), &form(), &suspended)
            .score(&field(PHONE), None);
        assert_eq!((missing.disposition, missing.reasons), (Disposition::Verify, vec![Reason::PageNotRead]));
    }

    #[test]
    fn a_sure_reading_is_accepted_under_a_proven_certificate() {
        let proven = scorer(files(Basis::Proven), false);
        let sure = scored(&proven, &reading(PHONE, "0312345678"));
        assert!(sure.confidence > 0.99, "calibrated: {}", sure.confidence);
        assert_eq!((sure.disposition, sure.reasons), (Disposition::Accepted, vec![]));
        let unsure = outcome(&proven, &reading(PHONE, "1"));
        assert_eq!(unsure, (Disposition::Verify, vec![Reason::BelowThreshold]));
        let blank = outcome(&proven, &reading(PHONE, ""));
        assert_eq!(blank, (Disposition::Blank, vec![Reason::NoInk]));
    }

    #[test]
    fn a_feature_that_this_software_does_not_know_makes_no_confidence() {
        let mut later = files(Basis::Proven);
        if let Some(calibration) = &mut later.calibration {
            calibration.content.fields[0].features.push(weight("phase_of_the_moon"));
        }
        let unknown = outcome(&scorer(later, false), &reading(PHONE, "0312345678"));
        assert_eq!(unknown, (Disposition::Verify, vec![Reason::Uncalibrated]));
    }

    #[test]
    fn a_provisional_certificate_needs_the_operators_word() {
        let sure = reading(PHONE, "0312345678");
        let without = scorer(files(Basis::Provisional), false);
        assert_eq!(outcome(&without, &sure), (Disposition::Verify, vec![Reason::CertificateProvisional]));
        let with = scorer(files(Basis::Provisional), true);
        assert_eq!(outcome(&with, &sure), (Disposition::Accepted, vec![]));
        let suspended = Suspended::default();
        assert_eq!(
            without
                .scoring(&models(), without.calibration().map(|file| file.sha256), &form(), &suspended)
                .certificate_in_force(),
            None
        );
        assert!(
            with.scoring(&models(), with.calibration().map(|file| file.sha256), &form(), &suspended)
                .certificate_in_force()
                .is_some()
        );
    }

    #[test]
    fn other_models_forms_or_calibrations_accept_nothing() {
        let sure = reading(PHONE, "0312345678");
        let read = Some((&sure, &page()));
        let suspended = Suspended::default();
        let proven = scorer(files(Basis::Proven), true);
        let other_models = BTreeMap::from([("digits.onnx".to_owned(), Sha256::of(b"retrained"))]);
        let score = proven
            .scoring(&other_models, proven.calibration().map(|file| file.sha256), &form(), &suspended)
            .score(&field(PHONE), read);
        assert_eq!((score.disposition, score.reasons), (Disposition::Verify, vec![Reason::Uncalibrated]));
        let other_form = Form { digest: Sha256::of(b"edited"), ..form() };
        let score = proven
            .scoring(&models(), proven.calibration().map(|file| file.sha256), &other_form, &suspended)
            .score(&field(PHONE), read);
        assert_eq!((score.disposition, score.reasons), (Disposition::Verify, vec![Reason::Uncalibrated]));

        let mut files = files(Basis::Proven);
        if let Some(calibration) = &mut files.calibration {
            calibration.sha256 = Sha256::of(b"fitted anew");
        }
        let score = outcome(&scorer(files, true), &sure);
        assert_eq!(score, (Disposition::Verify, vec![Reason::NoCertificate]));
    }

    #[test]
    fn too_little_evidence_and_drift_are_reasons_of_their_own() {
        let proven = scorer(files(Basis::Proven), false);
        let code = outcome(&proven, &reading("bank_code", "0138"));
        assert_eq!(code, (Disposition::Verify, vec![Reason::TooLittleEvidence]));
        let strata = BTreeSet::from([StratumKey::new(PHONE, Stratum::Written)]);
        let suspended = Suspended { revoked: false, strata };
        let scoring =
            proven.scoring(&models(), proven.calibration().map(|file| file.sha256), &form(), &suspended);
        let sure = reading(PHONE, "0312345678");
        let score = scoring.score(&field(PHONE), Some((&sure, &page())));
        assert_eq!((score.disposition, score.reasons), (Disposition::Verify, vec![Reason::Drift]));
        let blank = scoring.score(&field(PHONE), Some((&reading(PHONE, ""), &page())));
        assert_eq!(blank.disposition, Disposition::Blank, "the other stratum stands");
    }

    #[test]
    fn nothing_is_accepted_under_a_revoked_certificate() {
        let proven = scorer(files(Basis::Proven), false);
        let revoked = Suspended { revoked: true, strata: BTreeSet::new() };
        let weighed_by = proven.calibration().map(|file| file.sha256);
        let scoring = proven.scoring(&models(), weighed_by, &form(), &revoked);
        let score = scoring.score(&field(PHONE), Some((&reading(PHONE, "0312345678"), &page())));
        assert_eq!(
            (score.disposition, score.reasons),
            (Disposition::Verify, vec![Reason::CertificateRevoked])
        );
        assert_eq!(scoring.certificate_in_force(), None);
        let before = Suspended::default();
        let scoring = proven.scoring(&models(), weighed_by, &form(), &before);
        let score = scoring.score(&field(PHONE), Some((&reading(PHONE, "0312345678"), &page())));
        assert_eq!(score.disposition, Disposition::Accepted);
    }

    #[test]
    fn what_rules_send_to_a_person_goes_there_however_sure() {
        let proven = scorer(files(Basis::Proven), false);
        let declined = outcome(&proven, &reading("declined", "111111"));
        assert_eq!(declined, (Disposition::Verify, vec![Reason::AlwaysConfirmed]));
        let mut unclear = reading(PHONE, "0312345678");
        unclear.state = InkState::Ambiguous;
        let score = scored(&proven, &unclear);
        assert_eq!((score.confidence, score.disposition), (0.0, Disposition::Verify));
        assert_eq!(score.reasons, [Reason::Ambiguous]);
    }

    #[test]
    fn what_is_calibrated_under_the_certificate_is_counted() {
        let proven = scorer(files(Basis::Provisional), false);
        let suspended = Suspended::default();
        let scoring =
            proven.scoring(&models(), proven.calibration().map(|file| file.sha256), &form(), &suspended);
        let mut tally = Tally::default();
        scoring.tally(&mut tally, PHONE, InkState::Written, Some("1"), 0.95);
        scoring.tally(&mut tally, PHONE, InkState::Written, Some("1"), 0.5);
        scoring.tally(&mut tally, PHONE, InkState::Ambiguous, None, 0.0);
        scoring.tally(&mut tally, "signature", InkState::Written, Some("present"), 0.9);
        let counted: Vec<_> = tally.iter().map(|(key, counts)| (key.to_string(), counts.to_vec())).collect();
        assert_eq!(counted, [("phone (written)".to_owned(), vec![1, 1])]);
    }

    #[test]
    fn files_come_back_as_they_were_and_broken_ones_are_refused() {
        let ScoreFiles { calibration: Some(calibration), certificate: Some(certificate) } =
            files(Basis::Proven)
        else {
            panic!("both are there")
        };
        let (bytes, _) = crate::score::encoded(&calibration.content).expect("JSON");
        assert_eq!(Calibration::parse(&bytes).as_ref(), Ok(&calibration.content));
        let (bytes, _) = crate::score::encoded(&certificate.content).expect("JSON");
        assert_eq!(Certificate::parse(&bytes).as_ref(), Ok(&certificate.content));

        let mut twice = certificate.content.clone();
        twice.fields.extend_from_within(..1);
        let mut lax = certificate.content;
        lax.fields[0].verdict =
            Verdict::Certified { threshold: 0.0, accepted: 1, errors: 0, bound: 0.0, coverage: 1.0 };
        for broken in [twice, lax] {
            let (bytes, _) = crate::score::encoded(&broken).expect("JSON");
            assert!(Certificate::parse(&bytes).is_err());
        }
        let mut broken = calibration.content;
        broken.fields[0].features[0].scale = 0.0;
        let (bytes, _) = crate::score::encoded(&broken).expect("JSON");
        assert!(Calibration::parse(&bytes).is_err());
    }
}
