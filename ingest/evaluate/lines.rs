//! JSON lines to values. What is wrong with a line is told by its number alone: what stands in it is
//! personal, and so is what the JSON parser would quote of it.

use std::io::{self, BufRead};
use std::marker::PhantomData;

use serde::de::DeserializeOwned;
use serde_json::error::Category;

/// Why a line is not the value that was expected.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    #[error("line {line} cannot be read: {source}")]
    Unreadable { line: u64, source: io::Error },
    #[error("line {line} is not JSON from column {column} on")]
    Syntax { line: u64, column: usize },
    #[error("line {line} is JSON, but not {expected} (see column {column} and docs/formats.md)")]
    OtherLayout { line: u64, column: usize, expected: &'static str },
}

/// The values of `input`, one a line; empty lines are passed over. `expected` names such a value in
/// errors. Stops at the first error.
pub fn json_lines<T: DeserializeOwned>(
    input: impl BufRead,
    expected: &'static str,
) -> JsonLines<T, impl BufRead> {
    JsonLines { input, expected, line: 0, text: String::new(), failed: false, value: PhantomData }
}

/// See [`json_lines`].
pub struct JsonLines<T, R> {
    input: R,
    expected: &'static str,
    /// Lines read.
    line: u64,
    text: String,
    failed: bool,
    value: PhantomData<T>,
}

impl<T: DeserializeOwned, R: BufRead> Iterator for JsonLines<T, R> {
    type Item = Result<T, LineError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.failed {
            self.text.clear();
            self.line += 1;
            let line = self.line;
            let read = self.input.read_line(&mut self.text);
            let value = match read {
                Ok(0) => return None,
                Ok(_) if self.text.trim().is_empty() => continue,
                Ok(_) => json_line(&self.text, line, self.expected),
                Err(source) => Err(LineError::Unreadable { line, source }),
            };
            self.failed = value.is_err();
            return Some(value);
        }
        None
    }
}

/// The value of one line, whose number is `line`.
pub fn json_line<T: DeserializeOwned>(text: &str, line: u64, expected: &'static str) -> Result<T, LineError> {
    serde_json::from_str(text).map_err(|error| match error.classify() {
        Category::Data => LineError::OtherLayout { line, column: error.column(), expected },
        Category::Syntax | Category::Eof | Category::Io => LineError::Syntax { line, column: error.column() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(text: &str) -> Vec<Result<u8, String>> {
        json_lines::<u8>(text.as_bytes(), "a number")
            .map(|value| value.map_err(|error| error.to_string()))
            .collect()
    }

    #[test]
    fn empty_lines_are_passed_over_and_the_last_needs_no_end() {
        assert_eq!(errors("1\n\n2"), [Ok(1), Ok(2)]);
    }

    #[test]
    fn an_error_names_the_line_and_repeats_nothing_of_it() {
        let error = "line 2 is JSON, but not a number (see column 8 and docs/formats.md)".to_owned();
        assert_eq!(errors("1\n\"ヤマダ\"\n3"), [Ok(1), Err(error.replace("column 8", "column 11"))]);
        assert_eq!(errors("}"), [Err("line 1 is not JSON from column 1 on".to_owned())]);
    }
}
