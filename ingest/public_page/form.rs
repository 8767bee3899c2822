//! The one field of the page's form.

/// The digits that were typed, whatever their width and whatever blanks and hyphens are between; none
/// where the form has no such field or it holds anything else.
pub(super) fn number(body: &[u8]) -> Option<String> {
    let fields = body.split(|&byte| byte == b'&');
    let value = fields.into_iter().find_map(|field| field.strip_prefix(b"number="))?;
    let text = String::from_utf8(decoded(value)?).ok()?;
    text.chars()
        .filter(|character| !matches!(character, ' ' | '　' | '-' | '－' | 'ー'))
        .map(|character| match character {
            '0'..='9' => Some(character),
            '０'..='９' => char::from_digit(character as u32 - '０' as u32, 10),
            _ => None,
        })
        .collect()
}

/// application/x-www-form-urlencoded.
fn decoded(value: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(value.len());
    let mut bytes = value.iter();
    while let Some(&byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(*bytes.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            byte => byte,
        });
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_any_width_are_a_number() {
        for body in
            ["number=6291041500213", "a=b&number=629+104+1500-213", "number=%EF%BC%96%32%391041500213"]
        {
            assert_eq!(number(body.as_bytes()).as_deref(), Some("6291041500213"), "{body}");
        }
        for body in ["", "number", "numbers=1", "number=12a", "number=%", "number=%zz", "number=%ff"] {
            assert_eq!(number(body.as_bytes()), None, "{body}");
        }
    }
}
