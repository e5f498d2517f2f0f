//! Whether one schema still takes, or still promises, what another did.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{object, resolved, text};

/// Which way a value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// From callers: what was taken must still be taken.
    Request,
    /// To callers: what is answered must be what was promised.
    Answer,
}

/// Limits that may only fall, or go, in requests; and only rise, or come, in answers.
const LEAST: [&str; 5] = ["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"];
/// Limits that may only rise, or go, in requests; and only fall, or come, in answers.
const MOST: [&str; 5] = ["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"];
/// Rules that may only go in requests, and only come in answers: what a change of one does cannot be judged.
const OPAQUE: [&str; 4] = ["pattern", "format", "multipleOf", "uniqueItems"];
/// Where the schemas of unnamed parts are, and what those are called.
const PARTS: [(&str, &str); 2] = [("items", "items"), ("additionalProperties", "values")];
/// Alternatives, which are compared one by one.
const ALTERNATIVES: [&str; 3] = ["oneOf", "anyOf", "allOf"];
/// What else is judged, or says nothing about what a value may be.
const KNOWN: [&str; 16] = [
    "$ref",
    "type",
    "enum",
    "const",
    "properties",
    "required",
    "items",
    "additionalProperties",
    "default",
    "title",
    "description",
    "example",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
];
/// Every type that there is; a schema without `type` takes all of them.
const TYPES: [&str; 7] = ["array", "boolean", "integer", "null", "number", "object", "string"];

struct Walk<'a, 'b> {
    side: Side,
    published: &'a Value,
    current: &'a Value,
    /// Pairs of references that are being compared, because types may name themselves.
    open: BTreeSet<(String, String)>,
    breaches: &'b mut Vec<String>,
}

/// Adds the breaches between two schemas, each with the document in which its references lead.
pub(super) fn compare(
    side: Side,
    (published, old): (&Value, &Value),
    (current, new): (&Value, &Value),
    place: &str,
    breaches: &mut Vec<String>,
) {
    let mut walk = Walk { side, published, current, open: BTreeSet::new(), breaches };
    walk.schemas(place, old, new);
}

// === impl Walk ===

impl Walk<'_, '_> {
    fn breach(&mut self, place: &str, what: impl AsRef<str>) {
        self.breaches.push(format!("{place}: {}", what.as_ref()));
    }

    fn schemas(&mut self, place: &str, old: &Value, new: &Value) {
        let pair = (text(&old["$ref"]).to_owned(), text(&new["$ref"]).to_owned());
        let is_named = !pair.0.is_empty() || !pair.1.is_empty();
        if is_named && !self.open.insert(pair.clone()) {
            return;
        }
        let (before, after) =
            (resolved(self.published, old).clone(), resolved(self.current, new).clone());
        self.types(place, &before, &after);
        self.values(place, &before, &after);
        match self.side {
            Side::Request => self.request(place, &before, &after),
            Side::Answer => self.answer(place, &before, &after),
        }
        self.strange(place, &before, &after);
        self.inside(place, &before, &after);
        if is_named {
            self.open.remove(&pair);
        }
    }

    fn types(&mut self, place: &str, old: &Value, new: &Value) {
        let (before, after) = (types(old), types(new));
        let wrong: Vec<_> = match self.side {
            Side::Request => before.difference(&after).filter(|it| !is_taken(it, &after)).collect(),
            Side::Answer => after.difference(&before).filter(|it| !is_taken(it, &before)).collect(),
        };
        if let Some(first) = wrong.first() {
            let what = match self.side {
                Side::Request => format!("{first} is not taken any more"),
                Side::Answer => format!("{first} may be answered now"),
            };
            self.breach(place, what);
        }
    }

    /// `enum` and `const`.
    fn values(&mut self, place: &str, old: &Value, new: &Value) {
        let (before, after) = (values(old), values(new));
        let wrong: Vec<_> = match (self.side, before, after) {
            (Side::Request, Some(before), Some(after)) => {
                before.into_iter().filter(|it| !after.contains(it)).collect()
            }
            (Side::Request, None, Some(_)) => {
                return self.breach(place, "takes certain values only");
            }
            (Side::Answer, Some(before), Some(after)) => {
                after.into_iter().filter(|it| !before.contains(it)).collect()
            }
            (Side::Answer, Some(_), None) => {
                return self.breach(place, "may be any value now");
            }
            _ => return,
        };
        for value in wrong {
            let what = match self.side {
                Side::Request => format!("the value {value} is not taken any more"),
                Side::Answer => format!("the value {value} is new, and callers do not know it"),
            };
            self.breach(place, what);
        }
    }

    fn request(&mut self, place: &str, old: &Value, new: &Value) {
        for limit in LEAST {
            if number(new, limit) > number(old, limit) {
                self.breach(place, format!("`{limit}` has risen"));
            }
        }
        for limit in MOST {
            let (before, after) = (number(old, limit), number(new, limit));
            if after.is_some() && before.is_none_or(|before| after < Some(before)) {
                self.breach(place, format!("`{limit}` has fallen"));
            }
        }
        for rule in OPAQUE {
            if !new[rule].is_null() && new[rule] != old[rule] {
                self.breach(place, format!("`{rule}` has changed"));
            }
        }
        if !old["default"].is_null() && new["default"] != old["default"] {
            self.breach(place, "what is meant by leaving it out has changed");
        }
        self.open(place, new, old, "are not any longer taken as they come");
        let was_required = names(&old["required"]);
        for field in names(&new["required"]).difference(&was_required) {
            self.breach(&format!("{place} `{field}`"), "is required now");
        }
        let is_closed = |schema: &Value| schema["additionalProperties"] == false;
        if is_closed(new) && !is_closed(old) && types(old).contains("object") {
            self.breach(place, "fields that it does not name are refused now");
        }
        // Where unknown fields are ignored, so is now what the caller has meant by it.
        for (field, _) in object(&old["properties"]) {
            if new["properties"][field.as_str()].is_null() {
                self.breaches.push(format!("{place} `{field}`: is not taken any more"));
            }
        }
    }

    fn answer(&mut self, place: &str, old: &Value, new: &Value) {
        let still = names(&new["required"]);
        let mut gone = Vec::new();
        for (field, _) in object(&old["properties"]) {
            if new["properties"][field.as_str()].is_null() {
                gone.push(format!("{place} `{field}`: is gone"));
            }
        }
        self.breaches.append(&mut gone);
        for field in names(&old["required"]).difference(&still) {
            if !new["properties"][field.as_str()].is_null() {
                self.breach(&format!("{place} `{field}`"), "was always there and may be missing");
            }
        }
        for limit in LEAST {
            let (before, after) = (number(old, limit), number(new, limit));
            if before.is_some() && after < before {
                self.breach(place, format!("`{limit}` has fallen"));
            }
        }
        for limit in MOST {
            let (before, after) = (number(old, limit), number(new, limit));
            if before.is_some() && after.is_none_or(|after| Some(after) > before) {
                self.breach(place, format!("`{limit}` has risen"));
            }
        }
        for rule in OPAQUE {
            if !old[rule].is_null() && new[rule] != old[rule] {
                self.breach(place, format!("`{rule}` has changed"));
            }
        }
        self.open(place, old, new, "may be anything now");
    }

    /// Items and values of which `narrow` says something, and `wide` nothing.
    fn open(&mut self, place: &str, narrow: &Value, wide: &Value, what: &str) {
        for (part, name) in PARTS {
            let is_judged = types(wide).contains(if part == "items" { "array" } else { "object" });
            let says_nothing = wide[part].is_null() || wide[part] == true;
            if is_judged && narrow[part].is_object() && says_nothing {
                self.breach(&format!("{place} {name}"), what);
            }
        }
    }

    /// Keywords that nobody here understands: whatever is done to them counts.
    fn strange(&mut self, place: &str, old: &Value, new: &Value) {
        let lists: [&[&str]; 5] = [&LEAST, &MOST, &OPAQUE, &ALTERNATIVES, &KNOWN];
        let is_strange = |keyword: &str| {
            !keyword.starts_with("x-") && !lists.iter().any(|list| list.contains(&keyword))
        };
        let keywords: BTreeSet<_> =
            object(old).chain(object(new)).map(|(keyword, _)| keyword.as_str()).collect();
        for keyword in keywords.into_iter().filter(|it| is_strange(it)) {
            if old[keyword] != new[keyword] {
                self.breach(place, format!("`{keyword}` has changed"));
            }
        }
    }

    /// Fields, items and alternatives that both have.
    fn inside(&mut self, place: &str, old: &Value, new: &Value) {
        for (field, before) in object(&old["properties"]) {
            let after = &new["properties"][field.as_str()];
            if !after.is_null() {
                self.schemas(&format!("{place} `{field}`"), before, after);
            }
        }
        for (part, name) in PARTS {
            if old[part].is_object() && new[part].is_object() {
                self.schemas(&format!("{place} {name}"), &old[part], &new[part]);
            }
        }
        for kind in ALTERNATIVES {
            let list = |schema: &Value| schema[kind].as_array().cloned().unwrap_or_default();
            let (before, after) = (list(old), list(new));
            if before.len() != after.len() {
                self.breach(place, format!("the alternatives of `{kind}` have changed"));
                continue;
            }
            for (before, after) in before.iter().zip(&after) {
                self.schemas(place, before, after);
            }
        }
    }
}

/// The types that a schema takes; all of them when it names none.
fn types(schema: &Value) -> BTreeSet<&str> {
    match &schema["type"] {
        Value::String(one) => BTreeSet::from([one.as_str()]),
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => TYPES.into(),
    }
}

/// A whole number is a number.
fn is_taken(one: &str, by: &BTreeSet<&str>) -> bool {
    one == "integer" && by.contains("number")
}

fn values(schema: &Value) -> Option<Vec<Value>> {
    let single = schema.get("const").map(|only| vec![only.clone()]);
    schema["enum"].as_array().cloned().or(single)
}

fn names(list: &Value) -> BTreeSet<String> {
    let list = list.as_array().map_or(&[][..], Vec::as_slice);
    list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn number(schema: &Value, limit: &str) -> Option<f64> {
    schema[limit].as_f64()
}
