//! The caller's own name for an operation.

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::request::Parts;

use crate::Problem;

/// A key's length in bytes, at most.
pub const KEY_MAX: usize = 255;

/// The header `Idempotency-Key`: a quoted string as the draft standard has it, or bare as many
/// clients send it; both are the same key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(pub String);

/// The same, where the header may be missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionalIdempotencyKey(pub Option<String>);

impl IdempotencyKey {
    /// A key that came in a message: bare, and required.
    ///
    /// # Errors
    /// 400 for one that is empty, too long, or not visible ASCII.
    pub fn of(text: &str) -> Result<String, Problem> {
        let is_visible = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if is_visible && (1..=KEY_MAX).contains(&text.len()) {
            return Ok(text.to_owned());
        }
        Err(Problem::bad_request(
            "`idempotency_key` must be a text of 1 to 255 visible ASCII characters.",
        ))
    }
}

impl OptionalIdempotencyKey {
    /// The same, where none is none.
    ///
    /// # Errors
    /// As [`IdempotencyKey::of`].
    pub fn of(text: &str) -> Result<Option<String>, Problem> {
        if text.is_empty() { Ok(None) } else { IdempotencyKey::of(text).map(Some) }
    }
}

fn key_of(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut headers = headers.get_all("idempotency-key").iter();
    let Some(header) = headers.next() else { return Ok(None) };
    let key = header.to_str().ok().and_then(|text| unquoted(text.trim()));
    match key {
        Some(key) if headers.next().is_none() && (1..=KEY_MAX).contains(&key.len()) => {
            Ok(Some(key))
        }
        _ => Err(Problem::bad_request(
            "`Idempotency-Key` must be one text of 1 to 255 visible ASCII characters.",
        )),
    }
}

/// A string of RFC 9651 without its quotes, or a bare text as it is.
fn unquoted(text: &str) -> Option<String> {
    let Some(quoted) = text.strip_prefix('"') else { return Some(text.to_owned()) };
    let mut key = String::with_capacity(quoted.len());
    let mut rest = quoted.chars();
    loop {
        match rest.next()? {
            '"' => return rest.as_str().is_empty().then_some(key),
            '\\' => key.push(rest.next().filter(|escaped| matches!(escaped, '"' | '\\'))?),
            other => key.push(other),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        key_of(&parts.headers)?.map(Self).ok_or_else(|| {
            Problem::bad_request(
                "Send an `Idempotency-Key`, so that the call can be repeated safely.",
            )
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for OptionalIdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        key_of(&parts.headers).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(header: &str, expected: Option<&str>) {
        let mut headers = HeaderMap::new();
        headers.insert("idempotency-key", header.parse().unwrap());
        let key = key_of(&headers).map_err(|problem| problem.status().as_u16());
        let expected = expected.map(|key| Some(key.to_owned())).ok_or(400);
        assert_eq!(key, expected, "{header}");
    }

    #[test]
    fn e7_quoted_and_bare_are_the_same_key() {
        check("abc-1", Some("abc-1"));
        check("\"abc-1\"", Some("abc-1"));
        check("  \"abc-1\" ", Some("abc-1"));
        check(r#""a\"b\\c""#, Some(r#"a"b\c"#));
        check(&"k".repeat(255), Some(&"k".repeat(255)));
    }

    #[test]
    fn e7_what_is_not_one_short_text_is_refused() {
        for header in ["", "\"\"", "\"open", "\"a\" b", r#""a\b""#, &"k".repeat(256)] {
            check(header, None);
        }
        let mut headers = HeaderMap::new();
        assert_eq!(key_of(&headers).unwrap(), None);
        headers.append("idempotency-key", "a".parse().unwrap());
        headers.append("idempotency-key", "b".parse().unwrap());
        assert_eq!(key_of(&headers).unwrap_err().status(), 400);
    }
}
