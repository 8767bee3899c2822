//! A wrong form file is refused with file, line, place and reason, before anything is printed.

use std::path::Path;

use uketsuke::form::Forms;

const RIGHT: &str = include_str!("../config/forms/benefit-2020.toml");
const OTHER: &str = include_str!("../config/forms/benefit-b5.toml");

/// What loading a folder of these files says, without the folder's own name.
fn load(files: &[(&str, &str)]) -> Result<Forms, String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).expect("written");
    }
    Forms::load_dir(folder.path())
        .map_err(|error| error.to_string().replace(&format!("{}/", folder.path().display()), ""))
}

/// The message for the shipped form with one change.
fn refusal(from: &str, to: &str) -> String {
    assert!(RIGHT.contains(from), "the shipped form has no '{from}'");
    let message = load(&[("a.toml", &RIGHT.replacen(from, to, 1))]).map(|_| ()).expect_err(to);
    // The line is that of the change, or of the element around it.
    format!("{to}\n    => {message}")
}

#[test]
fn every_fault_is_told_with_its_line_and_reason() {
    let symbol = r#"symbology = "code128", area = [113, 25, 50, 11]"#;
    let code = r#"symbology = "qr", area = [171, 23, 20, 20]"#;
    let marks = "marks = [[13, 13], [197, 13], [13, 284], [185, 284]]";
    let account = "combs = [{ at = [43, 196.5], cell = [8, 9], count = 7 }]";
    let refusals: Vec<String> = [
        // the file
        ("size = [210, 297]", "size = [210, 297"),
        ("mark_size = 5", "mark_sise = 5"),
        ("mark_size = 5", "mark_size = \"5\""),
        (r#"kind = "digits""#, r#"kind = "letters""#),
        // single values
        (r#"id = "benefit-2020""#, r#"id = "Benefit|2020""#),
        (r#"version = "1""#, r#"version = """#),
        ("max_residual_px = 4.0", "max_residual_px = 0"),
        ("size = [210, 297]", "size = [210, 2970]"),
        ("mark_size = 5", "mark_size = 1"),
        // marks
        (marks, "marks = [[13, 13], [197, 13], [13, 284]]"),
        (marks, "marks = [[13, 13], [197, 13], [13, 284], [197, 284]]"),
        (marks, "marks = [[9, 13], [197, 13], [13, 284], [185, 284]]"),
        (marks, "marks = [[13, 13], [197, 13], [13, 284], [185, 279]]"),
        // symbols
        (symbol, r#"symbology = "code128", area = [113, 25, 38, 11]"#),
        (symbol, r#"symbology = "code128", area = [113, 25, 50, 5]"#),
        (symbol, r#"symbology = "code128", area = [119, 25, 50, 11]"#),
        (symbol, r#"symbology = "ean13", area = [113, 25, 50, 11]"#),
        (symbol, r#"symbology = "qr", area = [113, 25, 11, 11]"#),
        (code, r#"symbology = "qr", area = [171, 23, 20, 21]"#),
        (code, r#"symbology = "qr", area = [171, 23, 9, 9]"#),
        (code, r#"symbology = "code128", area = [171, 23, 20, 20]"#),
        (code, r#"symbology = "qr", area = [195, 23, 20, 20]"#),
        ("role = \"page_code\"", "role = \"application_id\""),
        // print
        (
            "customer_barcode = { at = [24, 46.5], points = 10 }",
            "customer_barcode = { at = [24, 46.5], points = 12 }",
        ),
        (
            "customer_barcode = { at = [24, 46.5], points = 10 }",
            "customer_barcode = { at = [24, 44], points = 10 }",
        ),
        ("{ area = [15, 103, 180, 33], line = 0.5 }", "{ area = [15, 103, 198, 33], line = 0.5 }"),
        ("{ area = [15, 103, 180, 33], line = 0.5 }", "{ area = [15, 103, 180, 33], line = 0.5, fill = 9 }"),
        ("{ area = [15, 103, 180, 33], line = 0.5 }", "{ area = [15, 103, 180, -33], line = 0.5 }"),
        ("{ area = [15, 103, 180, 33], line = 0.5 }", "{ area = [nan, 103, 180, 33], line = 0, fill = 1 }"),
        ("{ area = [15, 103, 180, 33], line = 0.5 }", "{ area = [15, 103, 180, 33], line = 0 }"),
        ("from = [60, 65.5], to = [150, 65.5]", "from = [60, 65.5], to = [150, 65.5], line = 0"),
        ("{head_kana}", "{head_kama}"),
        ("{head_kana}", "{head_kana"),
        // fields
        (account, "combs = [{ at = [43, 196.5], cell = [8, 9], count = 7, pitch = 7 }]"),
        (account, "combs = [{ at = [43, 196.5], cell = [8, 9], count = 0 }]"),
        (account, "combs = [{ at = [43, 190], cell = [8, 9], count = 7 }]"),
        (account, "combs = [{ at = [70, 196.5], cell = [8, 9], count = 7 }]"),
        (account, "combs = [{ at = [170, 196.5], cell = [8, 9], count = 7 }]"),
        (account, "box = [43, 196.5, 60, 9]"),
        (r#"name = "bank_code""#, r#"name = "branch_code""#),
        (r#"name = "bank_code""#, r#"name = "Bank code""#),
        (r#"{ value = "current","#, r#"{ value = "ordinary","#),
        ("box = [41, 172, 49, 10]", "box = [41, 172, 49, 10]\nalign = \"left\""),
        // pages
        ("area = [24, 24, 50, 11]", "area = [113, 26, 50, 11]"),
    ]
    .map(|(from, to)| refusal(from, to))
    .to_vec();
    insta::assert_snapshot!(refusals.join("\n"));
}

#[test]
fn forms_that_cannot_be_told_apart_are_refused_together() {
    let later = RIGHT.replacen(r#"version = "1""#, r#"version = "2""#, 1);
    let alike =
        load(&[("a.toml", RIGHT), ("b.toml", &later)]).map(|_| ()).expect_err("the same layout twice");
    insta::assert_snapshot!(alike);
    let repeated =
        load(&[("a.toml", RIGHT), ("b.toml", RIGHT)]).map(|_| ()).expect_err("the same form twice");
    insta::assert_snapshot!(repeated);
}

#[test]
fn a_folder_without_forms_is_named() {
    let message = load(&[("notes.txt", "")]).map(|_| ()).expect_err("no forms");
    assert!(message.contains("no form (*.toml) lies in this folder"), "{message}");
    let missing =
        Forms::load_dir(Path::new("/nowhere/forms")).map(|_| ()).expect_err("no folder").to_string();
    assert!(missing.starts_with("/nowhere/forms: cannot be read"), "{missing}");
}

#[test]
fn the_shipped_forms_are_right() {
    let forms = load(&[("a.toml", RIGHT), ("b.toml", OTHER)]).expect("both");
    let form = forms.find("benefit-2020", "1").expect("shipped");
    assert_eq!(form.digest, uketsuke::digest::Sha256::of(RIGHT.as_bytes()));
    assert!(forms.find("benefit-2020", "2").is_none());
    assert_eq!(forms.iter().count(), 2);
}

#[test]
fn the_example_of_the_documentation_is_right() {
    let documentation = include_str!("../docs/forms.md");
    let example = documentation.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next());
    load(&[("survey.toml", example.expect("an example"))]).expect("a right form");
}
