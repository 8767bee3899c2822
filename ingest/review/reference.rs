//! Banks and branches while somebody types: by code, kanji or kana.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use super::Desk;
use crate::kana::{katakana, large};
use crate::reference::{BankCode, BankTable};

/// What was typed so far.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Typed {
    text: String,
    /// Branches of this bank; banks where there is none.
    bank: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Choices {
    choices: Vec<Choice>,
}

#[derive(Serialize, JsonSchema, PartialEq, Eq, Debug)]
pub(super) struct Choice {
    code: String,
    name: String,
    kana: String,
}

/// What fits under a field.
const MOST: usize = 8;

pub(super) async fn choices(State(desk): State<Desk>, Json(typed): Json<Typed>) -> Json<Choices> {
    let choices = desk.banks.as_deref().map(|banks| find(banks, &typed)).unwrap_or_default();
    Json(Choices { choices })
}

/// The best first: what begins with the text, then what has it within.
fn find(banks: &BankTable, typed: &Typed) -> Vec<Choice> {
    let text: String = typed.text.nfkc().filter(|c| !c.is_whitespace()).collect();
    if text.is_empty() {
        return Vec::new();
    }
    // The table writes kana large.
    let kana: String = text.chars().map(katakana).map(large).collect();
    let rank = |code: &str, name: &str, its_kana: &str| -> Option<u8> {
        if code == text {
            Some(0)
        } else if code.starts_with(&text) || name.starts_with(&text) || its_kana.starts_with(&kana) {
            Some(1)
        } else if name.contains(&text) {
            Some(2)
        } else {
            None
        }
    };
    let mut found: Vec<(u8, Choice)> = Vec::new();
    let mut add = |code: String, name: &str, kana: &str| {
        if let Some(rank) = rank(&code, name, kana) {
            found.push((rank, Choice { code, name: name.to_owned(), kana: kana.to_owned() }));
        }
    };
    match typed.bank.as_deref().map(BankCode::parse) {
        None => banks.banks().iter().for_each(|bank| add(bank.code.to_string(), &bank.name, &bank.kana)),
        Some(code) => {
            let branches =
                code.and_then(|code| banks.bank(code)).map(|bank| bank.branches()).unwrap_or_default();
            branches.iter().for_each(|branch| add(branch.code.to_string(), &branch.name, &branch.kana));
        }
    }
    found.sort_by(|(a, one), (b, other)| a.cmp(b).then_with(|| one.code.cmp(&other.code)));
    found.into_iter().map(|(_, choice)| choice).take(MOST).collect()
}
