//! Whether a new document of the interface breaks callers of a published one: pure, from two documents to a list of breaches.
//!
//! What callers send must still be taken: operations, parameters and fields stay, and what a value may be only grows. What callers are
//! answered must still be what they know: successes, headers and fields stay, and what a value may be only shrinks. What is added beside —
//! operations, optional parameters and fields, fields and headers of answers, problems — breaks nobody, and neither does a problem that does
//! not happen any more. Where a change cannot be judged, as that of a pattern, it counts as a breach.

mod schema;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use schema::{Side, compare};

/// The documents that are compared, and what was found.
struct Comparison<'a> {
    published: &'a Value,
    current: &'a Value,
    breaches: Vec<String>,
}

/// Every way in which `current` breaks callers of `published`, in the order of the paths.
pub(crate) fn breaches(published: &Value, current: &Value) -> Vec<String> {
    let mut comparison = Comparison { published, current, breaches: Vec::new() };
    for (path, methods) in object(&published["paths"]) {
        for (method, operation) in object(methods) {
            let name = format!("{} {path}", method.to_uppercase());
            match &current["paths"][path][method] {
                Value::Null => comparison.breach(&name, "is gone"),
                new => comparison.operation(&name, operation, new),
            }
        }
    }
    comparison.breaches
}

// === impl Comparison ===

impl Comparison<'_> {
    fn breach(&mut self, place: &str, what: impl AsRef<str>) {
        self.breaches.push(format!("{place}: {}", what.as_ref()));
    }

    fn operation(&mut self, name: &str, old: &Value, new: &Value) {
        if old["operationId"] != new["operationId"] {
            let what = format!("its id was {} and is {}", old["operationId"], new["operationId"]);
            self.breach(name, what);
        }
        if is_public(self.published, old) && !is_public(self.current, new) {
            self.breach(name, "was public and asks for a token");
        }
        self.parameters(name, old, new);
        self.body(name, &old["requestBody"], &new["requestBody"]);
        for (status, answer) in object(&old["responses"]) {
            let new = &new["responses"][status];
            // Nobody misses a problem that does not happen any more.
            if is_success(status) || !new.is_null() {
                self.answer(&format!("{name}: answer {status}"), answer, new);
            }
        }
        for (status, _) in object(&new["responses"]) {
            // 304 is answered only to those who have asked for it.
            if is_success(status) && status != "304" && old["responses"][status].is_null() {
                self.breach(
                    &format!("{name}: answer {status}"),
                    "is new, and callers do not know it",
                );
            }
        }
    }

    fn parameters(&mut self, name: &str, old: &Value, new: &Value) {
        let (before, after) = (
            parameters(self.published, &old["parameters"]),
            parameters(self.current, &new["parameters"]),
        );
        for old in &before {
            let place = format!("{name}: parameter `{}`", text(&old["name"]));
            match after.iter().find(|new| is_same(old, new)) {
                None => self.breach(&place, "is gone"),
                Some(new) => {
                    if old["required"] != true && new["required"] == true {
                        self.breach(&place, "could be left out and is required");
                    }
                    self.schema(&place, &old["schema"], &new["schema"], Side::Request);
                }
            }
        }
        for new in after.iter().filter(|new| new["required"] == true) {
            if !before.iter().any(|old| is_same(old, new)) {
                let place = format!("{name}: parameter `{}`", text(&new["name"]));
                self.breach(&place, "is new and required");
            }
        }
    }

    fn body(&mut self, name: &str, old: &Value, new: &Value) {
        let old = resolved(self.published, old).clone();
        let new = resolved(self.current, new).clone();
        let place = format!("{name}: body");
        match (&old, &new) {
            (Value::Null, Value::Null) => {}
            (Value::Null, new) if new["required"] == true => {
                self.breach(&place, "is new and required");
            }
            (Value::Null, _) => {}
            (_, Value::Null) => self.breach(&place, "is not taken any more"),
            (old, new) => {
                if old["required"] != true && new["required"] == true {
                    self.breach(&place, "could be left out and is required");
                }
                self.content(&place, old, new, Side::Request);
            }
        }
    }

    fn answer(&mut self, place: &str, old: &Value, new: &Value) {
        if new.is_null() {
            return self.breach(place, "is gone");
        }
        self.content(place, old, new, Side::Answer);
        let (old, new) = (resolved(self.published, old), resolved(self.current, new));
        for (header, old) in object(&old["headers"]) {
            let place = format!("{place}: header `{header}`");
            let new = &new["headers"][header.as_str()];
            if new.is_null() {
                self.breaches.push(format!("{place} is gone"));
                continue;
            }
            let (old, new) = (resolved(self.published, old), resolved(self.current, new));
            compare(
                Side::Answer,
                (self.published, &old["schema"]),
                (self.current, &new["schema"]),
                &place,
                &mut self.breaches,
            );
        }
    }

    fn content(&mut self, place: &str, old: &Value, new: &Value, side: Side) {
        let (old, new) = (resolved(self.published, old), resolved(self.current, new));
        let mut found = Vec::new();
        for (media_type, content) in object(&old["content"]) {
            match &new["content"][media_type.as_str()] {
                Value::Null => found.push(format!("{place}: {media_type} is gone")),
                new => compare(
                    side,
                    (self.published, &content["schema"]),
                    (self.current, &new["schema"]),
                    place,
                    &mut found,
                ),
            }
        }
        self.breaches.append(&mut found);
    }

    fn schema(&mut self, place: &str, old: &Value, new: &Value, side: Side) {
        compare(side, (self.published, old), (self.current, new), place, &mut self.breaches);
    }
}

fn is_public(document: &Value, operation: &Value) -> bool {
    let security = match &operation["security"] {
        Value::Null => &document["security"],
        own => own,
    };
    let ways = security.as_array().map_or(&[][..], Vec::as_slice);
    ways.is_empty() || ways.iter().any(|way| way.as_object().is_some_and(Map::is_empty))
}

/// Whether an answer of this status is what the caller has asked for.
fn is_success(status: &str) -> bool {
    status.starts_with(['2', '3'])
}

fn is_same(one: &Value, other: &Value) -> bool {
    one["in"] == other["in"] && one["name"] == other["name"]
}

fn parameters(document: &Value, list: &Value) -> Vec<Value> {
    let list = list.as_array().map_or(&[][..], Vec::as_slice);
    list.iter().map(|parameter| resolved(document, parameter).clone()).collect()
}

/// What a reference refers to, however many references that takes; a ring of them is nothing.
fn resolved<'a>(document: &'a Value, mut value: &'a Value) -> &'a Value {
    let mut seen = BTreeSet::new();
    while let Some(reference) = value["$ref"].as_str() {
        if !seen.insert(reference) {
            return &Value::Null;
        }
        let pointer = reference.strip_prefix('#').unwrap_or(reference);
        value = document.pointer(pointer).unwrap_or(&Value::Null);
    }
    value
}

fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests;
