//! Entity tags and what callers make depend on them: "only if it is still as I saw it" (RFC 9110, section 13).
//!
//! A tag is made of the representation itself, so every answer has one without a version being kept anywhere, all copies of a service
//! give the same one, and two readers with different rights see different tags. A write compares the caller's tag with the row that its
//! unit was decided on, and the unit carries that row's version as a condition: there is no moment between the check and the write.
//!
//! Dates (`If-Modified-Since`, `If-Unmodified-Since`) are ignored, as the standard asks of resources that tell no date of modification.

use std::convert::Infallible;
use std::fmt;

use axum::Json;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{ETAG, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH, LOCATION};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use ring::digest;
use serde::Serialize;

use crate::Problem;

/// Bytes of a representation's digest that make its tag.
const DIGEST: usize = 15;
/// What the tag of a compressed representation ends with: other bytes need another strong tag.
const GZIP: &str = "-gzip";

/// Characters that these bytes become.
const TEXT: usize = 20;

/// A strong entity tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ETag {
    /// Base64, so visible ASCII, always.
    text: [u8; TEXT],
    /// Whether it is of the compressed representation.
    is_compressed: bool,
}

/// What a request makes depend on tags: `If-Match` and `If-None-Match`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preconditions {
    if_match: Option<Tags>,
    if_none_match: Option<Tags>,
}

/// The value of such a header.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Tags {
    /// `*`: whatever there is.
    Any,
    /// Each with whether it is weak.
    Listed(Vec<(bool, String)>),
}

/// What has become of a read's conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Answer as usual.
    Holds,
    /// 304: the caller has it already.
    NotModified,
    /// 412: it is not what the caller means.
    Failed,
}

// === impl ETag ===

impl ETag {
    /// The tag of these bytes.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        let digest = digest::digest(&digest::SHA256, bytes);
        let mut text = [b'0'; TEXT];
        // Fifteen bytes are twenty characters: it fits.
        let _length = URL_SAFE_NO_PAD.encode_slice(&digest.as_ref()[..DIGEST], &mut text);
        Self { text, is_compressed: false }
    }

    /// The tag of what this is answered as: the same as of the JSON answer with it.
    pub fn of(representation: &impl Serialize) -> Self {
        Self::of_bytes(&serde_json::to_vec(representation).unwrap_or_default())
    }

    /// As a header has it.
    pub fn value(&self) -> HeaderValue {
        let mut quoted = [b'"'; TEXT + GZIP.len() + 2];
        quoted[1..=TEXT].copy_from_slice(&self.text);
        let mut end = TEXT + 1;
        if self.is_compressed {
            quoted[end..end + GZIP.len()].copy_from_slice(GZIP.as_bytes());
            end += GZIP.len();
        }
        let value = HeaderValue::from_bytes(&quoted[..=end]);
        value.unwrap_or(HeaderValue::from_static("\"\""))
    }

    /// The tag of the same representation, compressed.
    pub(crate) fn compressed(self) -> Self {
        Self { is_compressed: true, ..self }
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.value().to_str().unwrap_or_default())
    }
}

// === impl Tags ===

impl Tags {
    fn of(headers: &HeaderMap, name: &HeaderName) -> Option<Self> {
        let mut listed = Vec::new();
        let mut is_there = false;
        for value in headers.get_all(name) {
            is_there = true;
            let text = value.to_str().unwrap_or_default();
            if text.trim() == "*" {
                return Some(Self::Any);
            }
            listed.extend(tags(text));
        }
        is_there.then_some(Self::Listed(listed))
    }

    /// Whether the present tag is among them. A weak one counts where `weakly` says so.
    fn contain(&self, present: &ETag, weakly: bool) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(tags) => tags.iter().any(|(is_weak, tag)| {
                // Compressed or not, it is the same state that the caller has seen.
                let tag = tag.strip_suffix(GZIP).unwrap_or(tag);
                (weakly || !is_weak) && tag.as_bytes() == present.text
            }),
        }
    }
}

/// The tags of a list. What is not a tag is passed over: it is nobody's tag, so it matches nothing.
fn tags(text: &str) -> Vec<(bool, String)> {
    let mut rest = text;
    let mut tags = Vec::new();
    while let Some(open) = rest.find('"') {
        let is_weak = rest[..open].ends_with("W/");
        let Some((tag, after)) = rest[open + 1..].split_once('"') else { break };
        tags.push((is_weak, tag.to_owned()));
        rest = after;
    }
    tags
}

// === impl Preconditions ===

impl Preconditions {
    /// What these headers ask for.
    pub fn of(headers: &HeaderMap) -> Self {
        Self {
            if_match: Tags::of(headers, &IF_MATCH),
            if_none_match: Tags::of(headers, &IF_NONE_MATCH),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.if_match.is_none() && self.if_none_match.is_none()
    }

    /// Refuses a change of something that the caller has not said the version of.
    ///
    /// # Errors
    /// 428 without `If-Match`.
    pub fn require_match(&self) -> Result<(), Problem> {
        if self.if_match.is_some() { Ok(()) } else { Err(Problem::precondition_required()) }
    }

    /// Judges a write of what is represented like this now; `None` when it is not there.
    /// `If-Match` comes first, as the standard orders it.
    ///
    /// Ask it of the state that the write's unit is decided on, and let the unit expect that state:
    /// a conflict then means asking again.
    ///
    /// # Errors
    /// 412 with the present tag.
    pub fn check(&self, present: Option<&impl Serialize>) -> Result<(), Problem> {
        if self.is_empty() {
            return Ok(());
        }
        let present = present.map(|it| ETag::of(it));
        let is_held = match (&self.if_match, &present) {
            (Some(tags), Some(present)) => tags.contain(present, false),
            (Some(_), None) => false,
            (None, _) => true,
        };
        let is_other = match (&self.if_none_match, &present) {
            (Some(tags), Some(present)) => !tags.contain(present, true),
            _ => true,
        };
        if is_held && is_other {
            return Ok(());
        }
        let detail = match &present {
            Some(_) => "It is not, or no longer, as the request expects. Read it again.",
            None => "It is not there.",
        };
        let problem = Problem::precondition_failed(detail);
        Err(match present {
            Some(present) => problem.with_header(ETAG, &present.to_string()),
            None => problem,
        })
    }

    /// Whether they name certain tags, so that the write must find the very state that was judged.
    pub fn name_tags(&self) -> bool {
        [&self.if_match, &self.if_none_match].iter().any(|it| matches!(it, Some(Tags::Listed(_))))
    }

    /// Judges a read of what has this tag now.
    pub(crate) fn read(&self, present: &ETag) -> Outcome {
        if self.if_match.as_ref().is_some_and(|tags| !tags.contain(present, false)) {
            return Outcome::Failed;
        }
        match &self.if_none_match {
            Some(tags) if tags.contain(present, true) => Outcome::NotModified,
            _ => Outcome::Holds,
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Preconditions {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

/// 201 with the whole resource, where it is, and its tag: what a read of it would answer.
pub fn created(location: impl AsRef<str>, representation: impl Serialize) -> Response {
    let mut response = (StatusCode::CREATED, Json(&representation)).into_response();
    let headers = response.headers_mut();
    headers.insert(ETAG, ETag::of(&representation).value());
    if let Ok(location) = HeaderValue::from_str(location.as_ref()) {
        headers.insert(LOCATION, location);
    }
    response
}

/// What a failed read answers: 412 with the present tag.
pub(crate) fn failed(present: &ETag) -> Problem {
    Problem::precondition_failed("It is not what `If-Match` names.")
        .with_header(ETAG, &present.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn asked(headers: &[(&'static str, &str)]) -> Preconditions {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        Preconditions::of(&map)
    }

    fn check(headers: &[(&'static str, &str)], present: Option<&Value>, expected: bool) {
        let outcome = asked(headers).check(present);
        assert_eq!(outcome.is_ok(), expected, "{headers:?} {present:?}");
    }

    #[test]
    fn e6_if_match_compares_strongly_and_if_none_match_weakly() {
        let now = json!({ "n": 1 });
        let tag = ETag::of(&now).to_string();
        let weak = format!("W/{tag}");
        let zipped = ETag::of(&now).compressed().to_string();
        let listed = format!("\"x\", {tag}");
        check(&[("if-match", &tag)], Some(&now), true);
        check(&[("if-match", &zipped)], Some(&now), true);
        check(&[("if-match", &listed)], Some(&now), true);
        check(&[("if-match", "*")], Some(&now), true);
        check(&[("if-match", "*")], None, false);
        check(&[("if-match", &weak)], Some(&now), false);
        check(&[("if-match", "\"x\"")], Some(&now), false);
        check(&[("if-match", "not a tag")], Some(&now), false);
        check(&[("if-none-match", &weak)], Some(&now), false);
        check(&[("if-none-match", "*")], Some(&now), false);
        check(&[("if-none-match", "*")], None, true);
        check(&[("if-none-match", "\"x\"")], Some(&now), true);
        check(&[], Some(&now), true);
    }

    #[test]
    fn e6_a_failed_condition_tells_the_present_tag_and_a_missing_one_is_428() {
        let now = json!({ "n": 1 });
        let problem = asked(&[("if-match", "\"x\"")]).check(Some(&now)).unwrap_err();
        assert_eq!(problem.status(), 412);
        assert_eq!(problem.header(&ETAG), Some(&ETag::of(&now).value()));
        assert_eq!(asked(&[]).require_match().unwrap_err().status(), 428);
        assert!(asked(&[("if-match", "*")]).require_match().is_ok());
    }

    #[test]
    fn e6_if_match_is_judged_before_if_none_match() {
        let tag = ETag::of(&json!(1));
        let both = asked(&[("if-match", "\"x\""), ("if-none-match", &tag.to_string())]);
        assert_eq!(both.read(&tag), Outcome::Failed);
        let none = asked(&[("if-none-match", &tag.to_string())]);
        assert_eq!(none.read(&tag), Outcome::NotModified);
        assert_eq!(asked(&[]).read(&tag), Outcome::Holds);
    }
}
