//! Texts as [`Input`](crate::Input) takes them, so that the document says exactly what is accepted.
//!
//! A text may have space around it, which is not counted. No `maxLength` can say that, so the pattern counts.

use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// What may stand around a text: Unicode's white space.
const AROUND: &str =
    r"[\u0009-\u000d \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]";
/// How a text may begin and end: with no white space and no control character.
const EDGE: &str =
    r"[^\u0000-\u0020\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]";
/// What may stand inside.
const INSIDE: &str = r"[^\u0000-\u001f\u007f-\u009f]";
/// What may stand inside a text of several lines.
const IN_LINES: &str = r"[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]";
/// What an e-mail address is made of.
const ADDRESS: &str =
    r"[^\u0000-\u0020@\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]";
/// The same within a label of its domain.
const LABEL: &str =
    r"[^\u0000-\u0020.@\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]";
/// The longest e-mail address (RFC 5321).
const EMAIL_MAX: usize = 254;

/// A text of `LEAST` to `MOST` characters, the space around it not counted.
#[derive(Clone, Copy, Debug)]
pub struct Text<const LEAST: usize, const MOST: usize>;

/// A text of several lines, of 1 to `MOST` characters, the space around it not counted.
#[derive(Clone, Copy, Debug)]
pub struct Prose<const MOST: usize>;

/// One word of letters, digits and `-`, of 1 to `MOST` characters, the space around it not counted.
#[derive(Clone, Copy, Debug)]
pub struct Label<const MOST: usize>;

/// A secret of `LEAST` to `MOST` characters, taken exactly as it is.
#[derive(Clone, Copy, Debug)]
pub struct Secret<const LEAST: usize, const MOST: usize>;

/// So many capital letters.
#[derive(Clone, Copy, Debug)]
pub struct Capitals<const LENGTH: usize>;

/// An e-mail address: something, `@`, a domain of two labels or more.
#[derive(Clone, Copy, Debug)]
pub struct Email;

fn string() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

/// The pattern of a [`Label`] of so many characters at most.
pub fn label(most: usize) -> String {
    format!("^{AROUND}*[A-Za-z0-9-]{{1,{most}}}{AROUND}*$")
}

/// The pattern of a text of these lengths.
pub(super) fn text(least: usize, most: usize) -> String {
    let inside = most.saturating_sub(2);
    match least {
        0 => format!("^{AROUND}*(?:{EDGE}(?:{INSIDE}{{0,{inside}}}{EDGE})?)?{AROUND}*$"),
        1 => format!("^{AROUND}*{EDGE}(?:{INSIDE}{{0,{inside}}}{EDGE})?{AROUND}*$"),
        _ => {
            let least = least - 2;
            format!("^{AROUND}*{EDGE}{INSIDE}{{{least},{inside}}}{EDGE}{AROUND}*$")
        }
    }
}

impl<const LEAST: usize, const MOST: usize> PartialSchema for Text<LEAST, MOST> {
    fn schema() -> RefOr<Schema> {
        string().min_length(Some(LEAST)).pattern(Some(text(LEAST, MOST))).into()
    }
}

impl<const LEAST: usize, const MOST: usize> ToSchema for Text<LEAST, MOST> {}

impl<const MOST: usize> PartialSchema for Prose<MOST> {
    fn schema() -> RefOr<Schema> {
        // So long a text cannot be counted by a pattern; space around the longest is refused here
        // and taken by the shop.
        let pattern = format!("^{AROUND}*{EDGE}(?:{IN_LINES}*{EDGE})?{AROUND}*$");
        string().min_length(Some(1)).max_length(Some(MOST)).pattern(Some(pattern)).into()
    }
}

impl<const MOST: usize> ToSchema for Prose<MOST> {}

impl<const MOST: usize> PartialSchema for Label<MOST> {
    fn schema() -> RefOr<Schema> {
        string().pattern(Some(label(MOST))).into()
    }
}

impl<const MOST: usize> ToSchema for Label<MOST> {}

impl<const LEAST: usize, const MOST: usize> PartialSchema for Secret<LEAST, MOST> {
    fn schema() -> RefOr<Schema> {
        string().min_length(Some(LEAST)).max_length(Some(MOST)).into()
    }
}

impl<const LEAST: usize, const MOST: usize> ToSchema for Secret<LEAST, MOST> {}

impl<const LENGTH: usize> PartialSchema for Capitals<LENGTH> {
    fn schema() -> RefOr<Schema> {
        let pattern = format!("^[A-Z]{{{LENGTH}}}$");
        // A `$` lets some engines overlook a line's end; the length does not.
        string().pattern(Some(pattern)).max_length(Some(LENGTH)).into()
    }
}

impl<const LENGTH: usize> ToSchema for Capitals<LENGTH> {}

impl PartialSchema for Email {
    fn schema() -> RefOr<Schema> {
        let pattern = format!("^{AROUND}*{ADDRESS}+@{LABEL}+(?:\\.{LABEL}+)+{AROUND}*$");
        string().pattern(Some(pattern)).max_length(Some(EMAIL_MAX)).into()
    }
}

impl ToSchema for Email {}
