//! Holds answers to the document: their bodies to its schemas, their headers to those that it declares, and the other way round.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use http::HeaderMap;
use jsonschema::Validator;
use serde_json::{Value, json};
use shop_platform::openapi;

/// Headers of HTTP itself, and those that every answer has to be safe: no document names them.
const OF_HTTP: [&str; 10] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-security-policy",
    "content-type",
    "date",
    "referrer-policy",
    "transfer-encoding",
    "x-content-type-options",
    "x-frame-options",
];
/// Headers that are there on occasion: it is enough that they are somewhere.
const SOMETIMES: [&str; 6] =
    ["Accept-Encoding", "Accept-Patch", "Age", "Idempotency-Replayed", "Retry-After", "X-Degraded"];

/// The document, which of its answers were seen with which headers, and what was not as it says.
pub(super) struct Contract {
    pub(super) document: Value,
    seen: BTreeMap<String, BTreeSet<String>>,
    pub(super) wrong: Vec<String>,
}

/// A call and its answer.
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Contract {
    pub(super) fn new() -> Self {
        let mut document = openapi::document();
        // What is answered beyond the document would be found by nobody else.
        close(&mut document["components"]["schemas"]);
        Self { document, seen: BTreeMap::new(), wrong: Vec::new() }
    }

    pub(super) fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(reference) => self.document.pointer(&reference[1..]).unwrap(),
            None => value,
        }
    }

    pub(super) fn validator(&self, schema: &Value) -> Validator {
        let whole = json!({ "$ref": "#/schema", "schema": schema,
            "components": { "schemas": self.document["components"]["schemas"] } });
        jsonschema::draft202012::options().should_validate_formats(true).build(&whole).unwrap()
    }

    /// Holds an answer to the operation of this name: `GET /api/v1/users/{id}`.
    pub(super) fn hold(&mut self, operation: &str, answered: &Answered) -> Value {
        let what = format!("{operation} {}", answered.status);
        let mut wrong = self.mistakes(operation, answered);
        wrong.iter_mut().for_each(|mistake| *mistake = format!("{what}: {mistake}"));
        self.wrong.extend(wrong);
        let sent = answered.headers.keys().map(|name| name.as_str().to_owned());
        self.seen.entry(what).or_default().extend(sent);
        serde_json::from_slice(&answered.body).unwrap_or_default()
    }

    fn mistakes(&self, operation: &str, answered: &Answered) -> Vec<String> {
        let (method, template) = operation.split_once(' ').unwrap();
        let described = &self.document["paths"][template][method.to_lowercase()];
        let status = answered.status.to_string();
        let response = self.resolved(&described["responses"][&status]);
        if !response.is_object() {
            let said = String::from_utf8_lossy(&answered.body);
            return vec![format!("must not be answered: {said}")];
        }
        let mut wrong = self.mistakes_of_body(response, answered);
        let declared = response["headers"].as_object().unwrap();
        for (name, header) in declared {
            let Some(value) = answered.headers.get(name) else { continue };
            let schema = &self.resolved(header)["schema"];
            let text = value.to_str().unwrap();
            let value = match schema["type"].as_str() {
                Some("integer") => text.parse::<u64>().map_or(Value::Null, Value::from),
                _ => Value::from(text),
            };
            if !self.validator(schema).is_valid(&value) {
                wrong.push(format!("{name} is {text}"));
            }
        }
        let is_declared = |name: &str| declared.keys().any(|it| it.eq_ignore_ascii_case(name));
        for name in answered.headers.keys().map(http::HeaderName::as_str) {
            if !OF_HTTP.contains(&name) && !is_declared(name) {
                wrong.push(format!("has the header {name}, which is not declared"));
            }
        }
        wrong
    }

    /// Good answers of operations that were never given. Blocked keys look the same in every service,
    /// so those of one are enough.
    pub(super) fn unseen(&self) -> Vec<String> {
        let mut unseen = Vec::new();
        for (path, methods) in self.document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                let statuses = operation["responses"].as_object().unwrap().keys();
                for status in statuses.filter(|status| status.starts_with('2')) {
                    let what = format!("{} {path} {status}", method.to_uppercase());
                    let rest = path.split_once("/dead/").map(|(_, rest)| rest);
                    let alike = rest.map_or(what.clone(), |rest| {
                        let one = format!("/api/v1/operator/inventory/dead/{rest}");
                        format!("{} {one} {status}", method.to_uppercase())
                    });
                    if !self.seen.contains_key(&alike) {
                        unseen.push(what);
                    }
                }
            }
        }
        unseen
    }

    /// Headers that are declared of answers that were given, and that none of them had. Problems are
    /// shared, so they are judged together.
    pub(super) fn unsent(&self) -> Vec<String> {
        let mut all: BTreeMap<String, (&Value, BTreeSet<&str>)> = BTreeMap::new();
        for (what, sent) in &self.seen {
            let [method, path, status] = what.splitn(3, ' ').collect::<Vec<_>>()[..] else {
                panic!("{what}")
            };
            let response =
                &self.document["paths"][path][method.to_lowercase()]["responses"][status];
            let name = response["$ref"].as_str().unwrap_or(what).to_owned();
            let (_, together) =
                all.entry(name).or_insert((self.resolved(response), BTreeSet::new()));
            together.extend(sent.iter().map(String::as_str));
        }
        let everywhere: BTreeSet<_> = self.seen.values().flatten().map(String::as_str).collect();
        let mut unsent = Vec::new();
        for (name, (response, sent)) in &all {
            for header in response["headers"].as_object().into_iter().flat_map(|it| it.keys()) {
                // What a problem says about keeping it depends on how it was asked for.
                let is_rare = SOMETIMES.contains(&&**header)
                    || (name.starts_with('#') && header == "Cache-Control");
                let sent = if is_rare { &everywhere } else { sent };
                if !sent.contains(&*header.to_lowercase()) {
                    unsent.push(format!("{name}: {header}"));
                }
            }
        }
        unsent
    }

    fn mistakes_of_body(&self, response: &Value, answered: &Answered) -> Vec<String> {
        let kind = answered.headers.get("content-type").map_or("", |kind| kind.to_str().unwrap());
        let kind = kind.split(';').next().unwrap();
        let said = String::from_utf8_lossy(&answered.body);
        let Some(content) = response["content"].as_object() else {
            return (!said.is_empty()).then(|| format!("has a body: {said}")).into_iter().collect();
        };
        if !content.contains_key(kind) {
            return vec![format!("is {kind}, and not one of {:?}", content.keys())];
        }
        if !kind.ends_with("json") {
            return Vec::new();
        }
        let body: Value = serde_json::from_slice(&answered.body).unwrap();
        let validator = self.validator(&content[kind]["schema"]);
        let mistakes = validator.iter_errors(&body);
        mistakes.map(|it| format!("{}: {it}", it.instance_path())).collect()
    }
}

/// Refuses fields that an object of answers does not name. Bodies of requests say it themselves.
fn close(schemas: &mut Value) {
    for (name, schema) in schemas.as_object_mut().unwrap() {
        if schema["type"] == "object"
            && schema["additionalProperties"].is_null()
            && name != "Document"
        {
            schema["additionalProperties"] = false.into();
        }
    }
}
