//! The document of the shop's HTTP interface (OpenAPI 3.1): each service says its part, and the parts become one.
//!
//! Schemas are derived from the types in a service's `edge/shapes.rs`. What all operations share — problems, headers, limits, who may call —
//! is said here once, so that no operation can forget it. Whether the document tells the truth is not its own business: a test of the platform
//! compares it with the routes that there are and with what they really answer.

mod operation;
pub mod operators;
pub mod shapes;
mod shared;
pub mod text;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use utoipa::ToSchema;

pub use operation::{Bodies, Operation};
pub use operators::operators;
pub use shapes::{Event, ID, Item, Link, Links, Mistake, Money, ProblemShape, ShipTo, WHEN, links};
pub use text::{Capitals, Email, Label, Prose, Secret, Text};

/// The version of OpenAPI that is written.
const OPENAPI: &str = "3.1.0";

/// Schemas by their names.
pub(crate) type Schemas = BTreeMap<String, Value>;

/// A type of the interface, with an example of it that is checked by the compiler.
pub trait Shape: ToSchema + serde::Serialize {
    /// A value as a caller may see or send it.
    fn example() -> Self;
}

/// What the document is about.
#[derive(Clone, Debug)]
pub struct About {
    /// Its title.
    pub title: &'static str,
    /// The version of the interface, not of the program.
    pub version: &'static str,
    /// What a reader must know first, as Markdown.
    pub description: &'static str,
}

/// What one service, or one part of the platform, offers.
#[derive(Clone, Debug)]
pub struct Part {
    tag: &'static str,
    about: &'static str,
    operations: Vec<Operation>,
}

// === impl Part ===

impl Part {
    /// Without operations yet; they are shown under this tag.
    pub fn new(tag: &'static str, about: &'static str) -> Self {
        Self { tag, about, operations: Vec::new() }
    }

    /// One more operation.
    #[must_use]
    pub fn with(mut self, operation: Operation) -> Self {
        self.operations.push(operation);
        self
    }

    /// Its operations, as `GET /api/v1/users`, in the order in which they were given.
    pub fn operations(&self) -> impl Iterator<Item = String> {
        self.operations.iter().map(Operation::name)
    }
}

/// Joins the parts to one document. Parts of the same tag are shown together.
pub fn document(about: &About, parts: &[Part]) -> Value {
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    let (mut schemas, mut problems) = (Schemas::new(), BTreeSet::new());
    let (mut tags, mut tagged) = (Vec::new(), BTreeSet::new());
    for part in parts {
        if tagged.insert(part.tag) {
            tags.push(json!({ "name": part.tag, "description": part.about }));
        }
        for operation in &part.operations {
            let methods = paths.entry(operation.path()).or_default();
            methods.insert(operation.method().to_owned(), operation.to_json(part.tag));
            schemas.extend(operation.schemas().clone());
            let is_deprecated = operation.is_deprecated();
            problems.extend(operation.problems().into_iter().map(|it| (it, is_deprecated)));
        }
    }
    add::<ProblemShape>(&mut schemas);
    let mut document = json!({
        "openapi": OPENAPI,
        "info": {
            "title": about.title,
            "version": about.version,
            "description": about.description,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
            "contact": { "name": "The maintainers of Switchboard" },
        },
        "servers": [{ "url": "/", "description": "The shop that serves this document." }],
        "tags": tags,
        "paths": paths,
        "security": [{ shared::BEARER: [] }],
        "components": { "schemas": schemas, "securitySchemes": shared::security() },
    });
    let components = &mut document["components"];
    components["responses"] = shared::responses(&problems);
    components["headers"] = shared::headers();
    shared::leave_what_is_used(&mut document);
    document
}

/// What the parts say twice: a document would show only one of them. Empty for a sound document.
pub fn clashes(parts: &[Part]) -> Vec<String> {
    let (mut found, mut names, mut ids) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    let mut schemas = Schemas::new();
    for operation in parts.iter().flat_map(|part| &part.operations) {
        if !names.insert(operation.name()) {
            found.push(format!("two operations are {}", operation.name()));
        }
        if !ids.insert(operation.id()) {
            found.push(format!("two operations have the id {}", operation.id()));
        }
        for (name, schema) in operation.schemas() {
            let other = schemas.insert(name.clone(), schema.clone());
            if other.is_some_and(|other| other != *schema) {
                found.push(format!("two different shapes are called {name}"));
            }
        }
    }
    found
}

/// Adds a type and all that it names to the schemas, and answers a reference to it.
pub(crate) fn add<T: ToSchema>(schemas: &mut Schemas) -> Value {
    let name = T::name().into_owned();
    let mut found = vec![(name.clone(), T::schema())];
    T::schemas(&mut found);
    for (name, schema) in found {
        let mut schema = serde_json::to_value(schema).unwrap_or_default();
        tidy(&mut schema);
        schemas.insert(name, schema);
    }
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// An inlined type with a description comes out of the derivation as "this, and also an object with
/// a description", which nothing can be. It is this, with a description.
fn tidy(schema: &mut Value) {
    if let Some([inlined, described]) = schema["allOf"].as_array().map(Vec::as_slice)
        && described.as_object().is_some_and(|it| it.keys().all(|key| is_a_note(key)))
    {
        let (mut whole, description) = (inlined.clone(), described["description"].clone());
        whole["description"] = description;
        *schema = whole;
    }
    match schema {
        Value::Object(fields) => fields.values_mut().for_each(tidy),
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

fn is_a_note(key: &str) -> bool {
    matches!(key, "type" | "description")
}

#[cfg(test)]
mod tests;
