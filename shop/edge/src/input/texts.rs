//! Texts of several lines, and lists of texts: what people write, as opposed to what they fill in.

use std::ops::RangeInclusive;

use serde_json::Value;

use super::Input;
use crate::FieldError;

/// What a text of several lines may hold of the control characters.
const IN_LINES: [char; 3] = ['\n', '\r', '\t'];

// === impl Input ===

impl Input {
    /// A text of several lines whose length in characters lies within the bounds, without
    /// surrounding space. Line ends and tabs stay as they are; other control characters are a
    /// mistake.
    pub fn prose(&mut self, field: &'static str, length: RangeInclusive<usize>) -> String {
        let text = match self.take(field) {
            None => return String::new(),
            Some(Value::String(text)) => text.trim().to_owned(),
            Some(_) => {
                self.wrong(field, "type", "must be a text");
                return String::new();
            }
        };
        if text.chars().any(|c| c.is_control() && !IN_LINES.contains(&c)) {
            let detail = "must not hold control characters but line ends and tabs";
            self.wrong(field, "characters", detail);
        } else if !length.contains(&text.chars().count()) {
            let (least, most) = (length.start(), length.end());
            self.wrong(field, "length", format!("must be a text of {least} to {most} characters"));
        }
        text
    }

    /// A list of texts, at most so many; missing or null it is empty. What `read` says is wrong
    /// with one of them is a mistake at its place.
    pub fn texts<T>(
        &mut self,
        field: &'static str,
        most: usize,
        read: impl Fn(&str) -> Result<T, &'static str>,
    ) -> Vec<T> {
        self.asked.insert(field);
        let items = match self.fields.get(field) {
            None | Some(Value::Null) => return Vec::new(),
            Some(Value::Array(items)) if items.len() <= most => items.clone(),
            Some(Value::Array(_)) => {
                self.wrong(field, "length", format!("must hold at most {most} items"));
                return Vec::new();
            }
            Some(_) => {
                self.wrong(field, "type", "must be a list");
                return Vec::new();
            }
        };
        let mut texts = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let read = item.as_str().map_or(Err(("type", "must be a text")), |text| {
                read(text).map_err(|detail| ("format", detail))
            });
            match read {
                Ok(text) => texts.push(text),
                Err((code, detail)) => {
                    let pointer = format!("{}/{field}/{index}", self.pointer);
                    self.push(FieldError { pointer, code, detail: detail.to_owned() });
                }
            }
        }
        texts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(input: Input) -> Vec<(String, &'static str)> {
        let problem = input.finish().unwrap_err();
        problem.errors().iter().map(|error| (error.pointer.clone(), error.code)).collect()
    }

    #[test]
    fn prose_has_lines_and_no_other_control_characters() {
        let mut input =
            Input::parse(br#"{"a": " one\r\n\ttwo ", "b": "", "c": "\u0000"}"#).unwrap();
        assert_eq!(input.prose("a", 1..=9), "one\r\n\ttwo");
        input.prose("b", 1..=9);
        input.prose("c", 1..=9);
        input.prose("d", 1..=9);
        let expected = [("#/b", "length"), ("#/c", "characters"), ("#/d", "required")];
        assert_eq!(mistakes(input), expected.map(|(at, code)| (at.to_owned(), code)));
    }

    #[test]
    fn a_list_of_texts_may_be_missing_and_names_what_is_wrong() {
        let short = |text: &str| if text.len() < 3 { Ok(text.len()) } else { Err("is long") };
        let body = br#"{"a": ["x", 1, "long", "xy"], "b": null, "c": [], "d": {}}"#;
        let mut input = Input::parse(body).unwrap();
        assert_eq!(input.texts("a", 4, short), [1, 2]);
        for field in ["b", "c", "missing"] {
            assert!(input.texts(field, 0, short).is_empty());
        }
        input.texts("d", 2, short);
        let expected = [("#/a/1", "type"), ("#/a/2", "format"), ("#/d", "type")];
        assert_eq!(mistakes(input), expected.map(|(at, code)| (at.to_owned(), code)));
        let mut long = Input::parse(br#"{"a": ["x", "y"]}"#).unwrap();
        long.texts("a", 1, short);
        assert_eq!(mistakes(long), [("#/a".to_owned(), "length")]);
    }
}
