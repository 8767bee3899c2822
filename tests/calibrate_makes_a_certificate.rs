//! `uketsuke calibrate`: from records and what is true of them to confidences that hold and a
//! certificate that keeps its word.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use chrono::DateTime;
use uketsuke::application_id::ApplicationId;
use uketsuke::digest::Sha256;
use uketsuke::form::{Form, Forms};
use uketsuke::page::Quality;
use uketsuke::publish::{FormVersion, Provenance, RECORD_SCHEMA, Record, RecordField, RecordPage, Source};
use uketsuke::read::{CellState, CharacterReading, InkState};
use uketsuke::score::{Basis, CalibrationBasis, Disposition, ScoreFiles, Stratum, Verdict};
use uketsuke::simulate::{Entry, PageTruth, Written};

/// A field of digits of the standard form.
const FIELD: &str = "phone";
const TRUE: &str = "0312345678";
const WRONG: &str = "0312345670";

/// Of ten applications two are read unsurely, and one of these wrongly.
fn is_unsure(serial: u64) -> bool {
    serial % 10 >= 8
}

fn is_wrong(serial: u64) -> bool {
    serial % 10 == 9
}

fn forms() -> Forms {
    Forms::load_dir(&Path::new(env!("CARGO_MANIFEST_DIR")).join("config/forms")).expect("shipped forms")
}

fn page_of(form: &Form) -> u32 {
    let has = |page: &&uketsuke::form::FormPage| page.fields.iter().any(|field| field.name == FIELD);
    form.pages.iter().find(has).expect("a standard field").number
}

fn record(form: &Form, serial: u64) -> Record {
    let application_id = ApplicationId::from_serial(serial).expect("in range");
    let sha256 = Sha256::of(format!("scan {serial}").as_bytes());
    let value = if is_wrong(serial) { WRONG } else { TRUE };
    let digit = |(place, value): (usize, char)| CharacterReading {
        value: value.to_string(),
        state: CellState::Written,
        // No two readings are quite alike.
        confidence: if place == 9 && is_unsure(serial) { 0.6 } else { 0.99 + 1e-9 * serial as f64 },
        alternatives: Vec::new(),
    };
    let field = RecordField {
        value: Some(value.to_owned()),
        ink: Some(InkState::Written),
        confidence: 0.5,
        disposition: Disposition::Verify,
        reasons: Vec::new(),
        characters: value.chars().enumerate().map(digit).collect(),
        crop: None,
        evidence: Vec::new(),
    };
    Record {
        schema: RECORD_SCHEMA.to_owned(),
        application_id,
        capture_id: format!("capture {serial}"),
        form: FormVersion { id: form.id.clone(), version: form.version.clone() },
        issue: None,
        source: Source {
            station: "desk".to_owned(),
            batch: None,
            file: format!("{serial}.tif"),
            sha256,
            page_indexes: vec![0],
        },
        captured_at: DateTime::UNIX_EPOCH,
        pages: vec![RecordPage {
            page: page_of(form),
            sha256,
            page_index: 0,
            image: String::new(),
            rotation: 0,
            skew_deg: 0.1,
            dpi: Some(300.0),
            residual_px: Some(0.4),
            quality: Quality { ink: 0.05, contrast: 0.8, sharpness: 0.7 },
            copies: None,
        }],
        fields: BTreeMap::from([(FIELD.to_owned(), field)]),
        findings: Vec::new(),
        disposition: Disposition::Verify,
        provenance: Provenance {
            software: "test".to_owned(),
            form: form.digest,
            models: BTreeMap::from([("digits.onnx".to_owned(), Sha256::of(b"a model"))]),
            calibration: None,
            certificate: None,
        },
    }
}

fn truth(form: &Form, serial: u64) -> PageTruth {
    let entry = Entry {
        written: Written::Cells(TRUE.chars().map(String::from).collect()),
        value: Some(TRUE.to_owned()),
        corrected: Vec::new(),
    };
    PageTruth {
        file: format!("desk/{serial}.tif"),
        page_index: 0,
        application_id: ApplicationId::from_serial(serial).expect("in range"),
        form: form.id.clone(),
        version: form.version.clone(),
        page: Some(page_of(form)),
        blank: false,
        rotation: 0,
        skew_deg: 0.1,
        dpi: 300,
        map: None,
        symbols: Vec::new(),
        disturbances: Vec::new(),
        copies: Vec::new(),
        fields: BTreeMap::from([(FIELD.to_owned(), entry)]),
    }
}

/// A folder with records of `count` applications, and what is true of them, told twice.
struct Mail(tempfile::TempDir);

impl Mail {
    fn of(count: u64) -> Self {
        let forms = forms();
        let form = forms.iter().find(|form| form.id == "benefit-2020").expect("the standard form");
        let (mut records, mut truths, mut judged) = (String::new(), String::new(), String::new());
        for serial in 0..count {
            let json = |value: serde_json::Result<String>| value.expect("JSON");
            writeln!(records, "{}", json(serde_json::to_string(&record(form, serial)))).expect("memory");
            writeln!(truths, "{}", json(serde_json::to_string(&truth(form, serial)))).expect("memory");
            let seen = serde_json::json!({
                "capture_id": format!("capture {serial}"), "field": FIELD, "value": TRUE, "judged_by": "a person",
            });
            writeln!(judged, "{seen}").expect("memory");
        }
        let mail = Self(tempfile::tempdir().expect("a folder"));
        for (name, text) in [("records", records), ("truth", truths), ("judged", judged)] {
            std::fs::write(mail.file(name), text).expect("a file");
        }
        mail
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn calibrate(&self, arguments: &[&str]) -> Output {
        let file = |argument: &&str| match argument.strip_prefix('@') {
            Some(name) => self.file(name).into_os_string(),
            None => argument.into(),
        };
        Command::new(env!("CARGO_BIN_EXE_uketsuke"))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("UKETSUKE_CONFIG", "config/uketsuke.toml")
            .arg("calibrate")
            .args(arguments.iter().map(file))
            .output()
            .expect("the program starts")
    }
}

#[test]
fn simulated_truth_makes_a_provisional_certificate_that_lets_the_sure_readings_through() {
    let mail = Mail::of(2000);
    let output = mail.calibrate(&[
        "--records",
        "@records",
        "--truth",
        "@truth",
        "--target-risk",
        "0.02",
        "--out",
        "@made",
    ]);
    let (printed, errors) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{errors}");
    assert!(printed.contains("PROVISIONAL") && printed.contains("1 of 1 statements certified"), "{printed}");

    let ScoreFiles { calibration: Some(calibration), certificate: Some(certificate) } =
        ScoreFiles::load(&mail.file("made")).expect("both can be read")
    else {
        panic!("both were written")
    };
    assert_eq!(certificate.content.calibration, calibration.sha256);
    assert_eq!(certificate.content.basis, Basis::Provisional);
    assert_eq!(certificate.content.applies, calibration.content.applies);
    assert_eq!(certificate.content.applies.models["digits.onnx"], Sha256::of(b"a model"));
    let field = certificate.content.field(FIELD, Stratum::Written).expect("certified");
    let Verdict::Certified { errors, coverage, bound, .. } = field.verdict else { panic!("{field:?}") };
    assert!(errors < 10, "most of the 100 wrong ones are left out: {field:?}");
    assert!((0.7..0.9).contains(&coverage) && bound <= 0.02, "{field:?}");
    let fitted = calibration.content.field(FIELD, Stratum::Written).expect("calibrated");
    let all = fitted.fitted_on + fitted.recalibrated_on + field.readings;
    assert_eq!(all, 2000, "every reading has one use");

    // The same again gives the same numbers.
    let json =
        ["--records", "@records", "--truth", "@truth", "--target-risk", "0.02", "--out", "@again", "--json"];
    let output = mail.calibrate(&json);
    let printed: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(printed["fields"], serde_json::to_value(&certificate.content.fields).expect("JSON"));
}

#[test]
fn judged_readings_prove_and_a_mixture_does_not() {
    let mail = Mail::of(800);
    let basis = |arguments: &[&str]| {
        let common = ["--records", "@records", "--target-risk", "0.05", "--out", "@made", "--json"];
        let output = mail.calibrate(&[&common[..], arguments].concat());
        let printed: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        printed["basis"].clone()
    };
    assert_eq!(basis(&["--judged", "@judged"]), "proven");
    assert_eq!(basis(&["--judged", "@judged", "--truth", "@truth"]), "provisional");
}

#[test]
fn what_was_looked_at_teaches_and_only_the_rest_proves() {
    let mail = Mail::of(2000);
    // Three of five tens of applications were looked at.
    let lines = |name: &str, seen: bool, to: &str| {
        let text = std::fs::read_to_string(mail.file(name)).expect("a file");
        let lines = text.lines().enumerate().filter(|(serial, _)| (serial / 10 % 5 < 3) == seen);
        let lines: Vec<&str> = lines.map(|(_, line)| line).collect();
        std::fs::write(mail.file(to), lines.join("\n")).expect("a file");
    };
    lines("truth", true, "seen");
    lines("judged", false, "later");
    let output = mail.calibrate(&[
        "--records",
        "@records",
        "--looked-at",
        "@seen",
        "--judged",
        "@later",
        "--target-risk",
        "0.02",
        "--out",
        "@made",
        "--json",
    ]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let count = |part: &str| printed["applications"][part].as_u64().expect("a number");
    assert_eq!((count("fit") + count("recalibrate"), count("certify")), (1200, 800));
    // The proof is of real mail, although simulated pages taught.
    assert_eq!(printed["basis"], "proven");
    let ScoreFiles { calibration: Some(calibration), certificate: Some(certificate) } =
        ScoreFiles::load(&mail.file("made")).expect("both can be read")
    else {
        panic!("both were written")
    };
    assert_eq!(calibration.content.basis, CalibrationBasis::Simulated);
    let field = certificate.content.field(FIELD, Stratum::Written).expect("tested");
    assert_eq!(field.readings, 800);
    assert!(matches!(field.verdict, Verdict::Certified { .. }), "{field:?}");
}

#[test]
fn too_few_readings_say_how_many_are_missing() {
    let mail = Mail::of(600);
    let output = mail.calibrate(&["--records", "@records", "--truth", "@truth", "--out", "@made"]);
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && printed.contains("0 of 1 statements certified"), "{printed}");
    assert!(printed.contains("needs ") && printed.contains(" more readings"), "{printed}");
}

#[test]
fn what_does_not_belong_together_is_refused_with_the_reason() {
    let mail = Mail::of(3);
    std::fs::write(mail.file("truth"), "").expect("a file");
    let output = mail.calibrate(&["--records", "@records", "--truth", "@truth", "--out", "@made"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors.contains("3 without truth"), "{errors}");
    assert!(!mail.file("made").exists(), "nothing is written");

    let secret = "{\"application_id\": \"0312345678\"}";
    std::fs::write(mail.file("records"), secret).expect("a file");
    let output = mail.calibrate(&["--records", "@records", "--judged", "@judged", "--out", "@made"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors.contains("line 1 is JSON, but not a record"), "{errors}");
    assert!(errors.contains("records cannot be used") && !errors.contains("0312345678"), "{errors}");
}
