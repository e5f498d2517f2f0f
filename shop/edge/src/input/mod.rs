//! Bodies: parsed once, then asked field by field; every mistake is collected, and all are answered together.

mod json;
mod texts;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, Method};
use serde_json::{Map, Value};

use crate::{FieldError, Problem};

/// The longest e-mail address (RFC 5321).
const EMAIL_MAX: usize = 254;
/// How long a body may take to arrive.
const BODY_PATIENCE: Duration = Duration::from_secs(20);
/// Mistakes that are listed, at most.
const ERRORS_MAX: usize = 100;

/// A JSON object from a caller. Ask for its fields, then [`Input::finish`].
///
/// A getter that fails answers a harmless value and remembers the mistake, so that `finish` names
/// all of them, fields that nobody asked for included.
#[derive(Debug)]
pub struct Input {
    fields: Map<String, Value>,
    pointer: String,
    asked: BTreeSet<&'static str>,
    errors: Vec<FieldError>,
}

// === impl Input ===

impl Input {
    /// Parses a body.
    ///
    /// # Errors
    /// 400 when it is not JSON or names a field twice, 422 when it is JSON and not an object.
    pub fn parse(body: &[u8]) -> Result<Self, Problem> {
        let value = json::parse(body)
            .map_err(|error| Problem::bad_request(format!("The body is not JSON: {error}.")))?;
        match value {
            Value::Object(fields) => Ok(Self::at(fields, "#".to_owned())),
            _ => Err(Problem::validation(vec![FieldError {
                pointer: "#".to_owned(),
                code: "not_an_object",
                detail: "the body must be a JSON object".to_owned(),
            }])),
        }
    }

    /// Fields that came another way than as JSON, and are held to the same rules.
    pub fn of(fields: Value) -> Self {
        let fields = match fields {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        Self::at(fields, "#".to_owned())
    }

    fn at(fields: Map<String, Value>, pointer: String) -> Self {
        Self { fields, pointer, asked: BTreeSet::new(), errors: Vec::new() }
    }

    /// The body as it was sent.
    pub fn as_value(&self) -> Value {
        Value::Object(self.fields.clone())
    }

    /// Whether the field is there and not null.
    pub fn has(&self, field: &str) -> bool {
        self.fields.get(field).is_some_and(|value| !value.is_null())
    }

    /// Whether the field is there, null or not: what a merge patch asks.
    pub fn names(&self, field: &str) -> bool {
        self.fields.contains_key(field)
    }

    /// Remembers a mistake of the caller's own finding. The first 100 are kept.
    pub fn wrong(&mut self, field: &str, code: &'static str, detail: impl Into<String>) {
        let pointer = format!("{}/{field}", self.pointer);
        self.push(FieldError { pointer, code, detail: detail.into() });
    }

    /// Notes that a field was looked at, whatever it holds: a merge patch removes with null.
    pub fn pass_over(&mut self, field: &'static str) {
        self.asked.insert(field);
    }

    fn push(&mut self, error: FieldError) {
        if self.errors.len() < ERRORS_MAX {
            self.errors.push(error);
        }
    }

    fn take(&mut self, field: &'static str) -> Option<Value> {
        self.asked.insert(field);
        match self.fields.get(field) {
            None => self.wrong(field, "required", "is missing"),
            Some(Value::Null) => self.wrong(field, "required", "must not be null"),
            Some(value) => return Some(value.clone()),
        }
        None
    }

    /// Takes over what was found wrong inside of a field.
    fn absorb(&mut self, mut inner: Self) {
        inner.unknown();
        inner.errors.into_iter().for_each(|error| self.push(error));
    }

    /// A text whose length in characters lies within the bounds, without surrounding space.
    pub fn text(&mut self, field: &'static str, length: RangeInclusive<usize>) -> String {
        match self.take(field) {
            None => String::new(),
            Some(Value::String(text)) => {
                let text = text.trim().to_owned();
                if text.chars().any(char::is_control) {
                    self.wrong(field, "characters", "must not hold control characters");
                } else if !length.contains(&text.chars().count()) {
                    let (least, most) = (length.start(), length.end());
                    let detail = format!("must be a text of {least} to {most} characters");
                    self.wrong(field, "length", detail);
                }
                text
            }
            Some(_) => {
                self.wrong(field, "type", "must be a text");
                String::new()
            }
        }
    }

    /// A secret: a text whose length in characters lies within the bounds, taken exactly as it is.
    pub fn secret(&mut self, field: &'static str, length: RangeInclusive<usize>) -> String {
        match self.take(field) {
            None => String::new(),
            Some(Value::String(text)) => {
                if !length.contains(&text.chars().count()) {
                    let (least, most) = (length.start(), length.end());
                    self.wrong(field, "length", format!("must have {least} to {most} characters"));
                }
                text
            }
            Some(_) => {
                self.wrong(field, "type", "must be a text");
                String::new()
            }
        }
    }

    /// An e-mail address: something, `@`, a domain. Only a message sent to it proves more.
    pub fn email(&mut self, field: &'static str) -> String {
        let before = self.errors.len();
        let text = self.text(field, 3..=EMAIL_MAX);
        let is_address = text.split_once('@').is_some_and(|(local, domain)| {
            let labels = || domain.split('.');
            let domain_holds = labels().count() > 1 && labels().all(|label| !label.is_empty());
            let odd = |c: char| c.is_whitespace() || c == '@';
            !local.is_empty() && !local.contains(odd) && !domain.contains(odd) && domain_holds
        });
        if !is_address && self.errors.len() == before {
            self.wrong(field, "email", "must be an e-mail address");
        }
        text
    }

    /// A whole number within the bounds; `7.0` is one, as JSON has no other kind of number.
    pub fn integer(&mut self, field: &'static str, bounds: RangeInclusive<i64>) -> i64 {
        let Some(value) = self.take(field) else { return *bounds.start() };
        match value.as_i64().or_else(|| value.as_f64().and_then(whole)) {
            Some(number) if bounds.contains(&number) => number,
            Some(_) => {
                let (least, most) = (bounds.start(), bounds.end());
                self.wrong(field, "out_of_range", format!("must lie between {least} and {most}"));
                *bounds.start()
            }
            None => {
                self.wrong(field, "type", "must be a whole number");
                *bounds.start()
            }
        }
    }

    /// Yes or no.
    pub fn flag(&mut self, field: &'static str) -> bool {
        match self.take(field) {
            None => false,
            Some(Value::Bool(flag)) => flag,
            Some(_) => {
                self.wrong(field, "type", "must be true or false");
                false
            }
        }
    }

    /// Capital letters, exactly so many: a country, a currency.
    pub fn capitals(&mut self, field: &'static str, length: usize) -> String {
        match self.take(field) {
            None => String::new(),
            Some(Value::String(text))
                if text.len() == length && text.bytes().all(|byte| byte.is_ascii_uppercase()) =>
            {
                text
            }
            Some(_) => {
                self.wrong(field, "format", format!("must be {length} capital letters"));
                String::new()
            }
        }
    }

    /// An object inside this one.
    pub fn object(&mut self, field: &'static str, read: impl FnOnce(&mut Self)) {
        match self.take(field) {
            None => {}
            Some(Value::Object(fields)) => {
                let mut inner = Self::at(fields, format!("{}/{field}", self.pointer));
                read(&mut inner);
                self.absorb(inner);
            }
            Some(_) => self.wrong(field, "type", "must be an object"),
        }
    }

    /// An object of numbers by names that the caller chooses, at most 100.
    pub fn numbers(&mut self, field: &'static str) -> BTreeMap<String, f64> {
        let mut numbers = BTreeMap::new();
        match self.take(field) {
            None => {}
            Some(Value::Object(fields)) if fields.len() <= ERRORS_MAX => {
                for (name, value) in fields {
                    match value.as_f64() {
                        Some(number) => {
                            numbers.insert(name, number);
                        }
                        None => {
                            let inner = format!("{field}/{}", escaped(&name));
                            self.wrong(&inner, "type", "must be a number");
                        }
                    }
                }
            }
            Some(Value::Object(_)) => {
                self.wrong(field, "length", format!("must hold at most {ERRORS_MAX} numbers"));
            }
            Some(_) => self.wrong(field, "type", "must be an object of numbers"),
        }
        numbers
    }

    /// A list of objects, of a length within the bounds.
    pub fn list<T>(
        &mut self,
        field: &'static str,
        length: RangeInclusive<usize>,
        mut read: impl FnMut(&mut Self) -> T,
    ) -> Vec<T> {
        let items = match self.take(field) {
            None => return Vec::new(),
            Some(Value::Array(items)) if length.contains(&items.len()) => items,
            Some(Value::Array(_)) => {
                let (least, most) = (length.start(), length.end());
                self.wrong(field, "length", format!("must hold {least} to {most} items"));
                return Vec::new();
            }
            Some(_) => {
                self.wrong(field, "type", "must be a list");
                return Vec::new();
            }
        };
        let mut read_items = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            let pointer = format!("{}/{field}/{index}", self.pointer);
            let Value::Object(fields) = item else {
                let detail = "must be an object".to_owned();
                self.push(FieldError { pointer, code: "type", detail });
                continue;
            };
            let mut inner = Self::at(fields, pointer);
            read_items.push(read(&mut inner));
            self.absorb(inner);
        }
        read_items
    }

    fn unknown(&mut self) {
        let unknown: Vec<String> = self
            .fields
            .keys()
            .filter(|field| !self.asked.contains(field.as_str()))
            .cloned()
            .collect();
        for field in unknown {
            self.wrong(&escaped(&field), "unknown", "is not a field");
        }
    }

    /// Answers every mistake that was found, fields that nobody asked for included.
    ///
    /// # Errors
    /// 422 with all of them.
    pub fn finish(mut self) -> Result<(), Problem> {
        self.unknown();
        if self.errors.is_empty() { Ok(()) } else { Err(Problem::validation(self.errors)) }
    }
}

/// A name as a part of a JSON Pointer (RFC 6901).
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

impl<S: Send + Sync> FromRequest<S> for Input {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        check_type(request.method(), request.headers())?;
        let reading = tokio::time::timeout(BODY_PATIENCE, Bytes::from_request(request, state));
        let body = reading.await.map_err(|_| Problem::request_timeout())?.map_err(|rejection| {
            if rejection.status() == http::StatusCode::PAYLOAD_TOO_LARGE {
                Problem::too_large(crate::serve::BODY_LIMIT)
            } else {
                Problem::bad_request("The body could not be read to its end.")
            }
        })?;
        Self::parse(&body)
    }
}

/// A number without a fraction, as far as such numbers are exact.
fn whole(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64)
}

/// Only JSON is read; a PATCH may say that it is a merge patch (RFC 7396).
fn check_type(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    const JSON: &str = "application/json";
    const MERGE_PATCH: &str = "application/merge-patch+json";
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let kind = text(CONTENT_TYPE).and_then(|kind| kind.split(';').next()).unwrap_or_default();
    let is = |accepted: &str| kind.trim().eq_ignore_ascii_case(accepted);
    if method == Method::PATCH && !is(JSON) && !is(MERGE_PATCH) {
        let problem = Problem::unsupported_media_type(MERGE_PATCH);
        let accepted = format!("{MERGE_PATCH}, {JSON}");
        return Err(problem.with_header(HeaderName::from_static("accept-patch"), &accepted));
    }
    if method != Method::PATCH && !is(JSON) {
        return Err(Problem::unsupported_media_type(JSON));
    }
    if text(CONTENT_ENCODING).is_some_and(|coding| !coding.trim().eq_ignore_ascii_case("identity"))
    {
        return Err(Problem::unsupported_encoding());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointers(problem: &Problem) -> Vec<(&str, &str)> {
        problem.errors().iter().map(|error| (&*error.pointer, error.code)).collect()
    }

    #[test]
    fn numbers_are_taken_by_whatever_name_and_what_is_none_is_named() {
        let mut input = Input::parse(br#"{"set": {"a": 1, "b": 0.5}}"#).unwrap();
        let numbers = input.numbers("set");
        input.finish().unwrap();
        assert_eq!(numbers.into_iter().collect::<Vec<_>>(), [("a".into(), 1.0), ("b".into(), 0.5)]);
        let mut input = Input::parse(br#"{"set": {"a/b": "x"}}"#).unwrap();
        assert!(input.numbers("set").is_empty());
        assert_eq!(pointers(&input.finish().unwrap_err()), [("#/set/a~1b", "type")]);
    }

    #[test]
    fn e2_all_mistakes_are_named_not_the_first() {
        let body = br#"{"name": "", "email": "nobody", "items": [{"sku": 1}, 7], "extra": true}"#;
        let mut input = Input::parse(body).unwrap();
        input.text("name", 1..=10);
        input.email("email");
        input.integer("age", 0..=150);
        input.list("items", 1..=5, |item| item.text("sku", 1..=9));
        let problem = input.finish().unwrap_err();
        assert_eq!(
            pointers(&problem),
            [
                ("#/name", "length"),
                ("#/email", "email"),
                ("#/age", "required"),
                ("#/items/0/sku", "type"),
                ("#/items/1", "type"),
                ("#/extra", "unknown"),
            ]
        );
    }

    #[test]
    fn e2_what_is_not_json_is_malformed_and_what_is_not_an_object_is_wrong() {
        assert_eq!(Input::parse(b"{").unwrap_err().status(), 400);
        assert_eq!(Input::parse(b"[]").unwrap_err().status(), 422);
    }

    #[test]
    fn null_is_named_and_missing_and_the_two_read_differently() {
        let mut input = Input::parse(br#"{"name": null}"#).unwrap();
        assert!(input.names("name") && !input.has("name") && !input.names("email"));
        input.text("name", 1..=10);
        input.email("email");
        let problem = input.finish().unwrap_err();
        assert_eq!(pointers(&problem), [("#/name", "required"), ("#/email", "required")]);
        assert_eq!(problem.errors()[0].detail, "must not be null");
    }

    #[test]
    fn a_whole_number_may_be_written_with_a_fraction_of_nothing() {
        let body = br#"{"a": 7.0, "b": 1e3, "c": 7.5, "d": 1e300, "e": -0.0}"#;
        let mut input = Input::parse(body).unwrap();
        let read = ["a", "b", "c", "d", "e"].map(|field| input.integer(field, 0..=1_000));
        assert_eq!(read, [7, 1_000, 0, 0, 0]);
        let problem = input.finish().unwrap_err();
        assert_eq!(pointers(&problem), [("#/c", "type"), ("#/d", "type")]);
    }

    #[test]
    fn a_secret_is_counted_in_characters_and_taken_as_it_is() {
        let body = r#"{"a": " ключ42 ", "b": "ключ"}"#;
        let mut input = Input::parse(body.as_bytes()).unwrap();
        assert_eq!(input.secret("a", 8..=8), " ключ42 ");
        input.secret("b", 8..=256);
        assert_eq!(pointers(&input.finish().unwrap_err()), [("#/b", "length")]);
    }

    #[test]
    fn the_list_of_mistakes_is_bounded() {
        let fields: Vec<_> = (0..1_000).map(|number| format!("\"f{number}\":1")).collect();
        let input = Input::parse(format!("{{{}}}", fields.join(",")).as_bytes()).unwrap();
        assert_eq!(input.finish().unwrap_err().errors().len(), ERRORS_MAX);
    }

    fn check_email(text: &str, expected: bool) {
        let mut input = Input::parse(format!("{{\"email\": \"{text}\"}}").as_bytes()).unwrap();
        input.email("email");
        assert_eq!(input.finish().is_ok(), expected, "{text}");
    }

    #[test]
    fn an_address_has_somebody_at_a_domain() {
        check_email("ann@example.org", true);
        check_email("ann+shop@mail.example.org", true);
        check_email("ann@example", false);
        check_email("ann@.org", false);
        check_email("ann@example..org", false);
        check_email("a@b@example.org", false);
        check_email("@example.org", false);
        check_email("an n@example.org", false);
    }
}
