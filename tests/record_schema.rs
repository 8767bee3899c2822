//! The schema that outside tools rely on is that of the types: `config/schema/record.json` cannot
//! fall behind. `UPDATE_SCHEMA=1 cargo test --test record_schema` writes it anew.

use std::path::Path;

use uketsuke::publish::Record;

#[test]
fn the_schema_that_is_checked_in_is_that_of_the_record() {
    let schema = schemars::schema_for!(Record);
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema is JSON");
    text.push('\n');
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/schema/record.json");
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(&path, &text).expect("the schema can be written");
    }
    let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(checked_in == text, "{} is out of date: run with UPDATE_SCHEMA=1", path.display());
}
