//! The words that people see: one file a language, the same keys in each.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::http::{HeaderMap, header};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Japanese,
    English,
}

type Texts = BTreeMap<String, String>;

static JAPANESE: LazyLock<Texts> = LazyLock::new(|| parse(include_str!("texts/ja.toml")));
static ENGLISH: LazyLock<Texts> = LazyLock::new(|| parse(include_str!("texts/en.toml")));

/// The files are part of the program; a test reads both.
fn parse(text: &str) -> Texts {
    toml::from_str(text).unwrap_or_default()
}

/// What a person chose on the page.
const COOKIE: &str = "uketsuke_language=";

impl Language {
    /// Japanese, unless the person chose otherwise.
    pub fn of(headers: &HeaderMap) -> Self {
        let cookies = headers.get_all(header::COOKIE);
        let chosen = cookies
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .find_map(|pair| pair.trim().strip_prefix(COOKIE));
        if chosen == Some("en") { Self::English } else { Self::Japanese }
    }

    pub fn code(self) -> &'static str {
        match self {
            Self::Japanese => "ja",
            Self::English => "en",
        }
    }

    pub fn texts(self) -> &'static Texts {
        match self {
            Self::Japanese => &JAPANESE,
            Self::English => &ENGLISH,
        }
    }

    /// Empty where the files lack it.
    pub fn text(self, key: &str) -> &'static str {
        self.texts().get(key).map_or("", String::as_str)
    }

    /// The word for one of several: a page, a role.
    pub fn named(self, what: &str, name: &str) -> &'static str {
        self.text(&format!("{what}_{name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_have_the_same_words() {
        let (japanese, english): (Texts, Texts) = (
            toml::from_str(include_str!("texts/ja.toml")).expect("Japanese"),
            toml::from_str(include_str!("texts/en.toml")).expect("English"),
        );
        assert_eq!(japanese.keys().collect::<Vec<_>>(), english.keys().collect::<Vec<_>>());
        assert!(japanese.values().chain(english.values()).all(|text| !text.is_empty()));
    }

    #[test]
    fn every_finding_reason_and_source_has_words() {
        has_words::<crate::check::FindingCode>("finding", 30);
        has_words::<crate::score::Reason>("reason", 15);
        has_words::<crate::read::EvidenceSource>("source", 9);
    }

    /// Every value of an enumeration, of which there are more than `least`.
    fn has_words<T: schemars::JsonSchema>(what: &str, least: usize) {
        let schema = serde_json::to_value(schemars::schema_for!(T)).expect("JSON");
        // Values with a doc comment stand by themselves, others in lists.
        let variants = schema["oneOf"].as_array().expect("values").iter();
        let names: Vec<&str> = variants
            .flat_map(|variant| match &variant["enum"] {
                serde_json::Value::Array(names) => names.iter().collect(),
                _ => vec![&variant["const"]],
            })
            .map(|name| name.as_str().expect("a name"))
            .collect();
        assert!(names.len() > least, "{names:?}");
        for name in names {
            assert!(JAPANESE.contains_key(&format!("{what}_{name}")), "{what}_{name}");
        }
    }

    #[test]
    fn what_scripts_and_pages_ask_for_is_there() {
        let scripts = super::super::assets::scripts();
        let asked = scripts.flat_map(|script| {
            script
                .split("text(\"")
                .skip(1)
                .filter_map(|rest| rest.split_once('"'))
                .map(|(key, _)| key.to_owned())
        });
        for key in asked {
            assert!(JAPANESE.contains_key(&key), "{key}");
        }
    }
}
