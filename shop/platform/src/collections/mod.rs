//! The interface as collections of requests, for the programs that people try interfaces with.
//!
//! Both are made from the document alone, so that they know every operation and never say anything else. Names and ids are the same each
//! time: importing a newer one replaces the older.

mod insomnia;
mod postman;

use serde_json::Value;

pub use insomnia::insomnia;
pub use postman::postman;

/// A group of requests.
struct Folder<'a> {
    name: &'a str,
    about: &'a str,
    requests: Vec<Request<'a>>,
}

/// A request that is ready to be sent, but for the token.
struct Request<'a> {
    id: &'a str,
    name: &'a str,
    about: &'a str,
    /// Upper case.
    method: String,
    /// With `{id}` where a parameter stands.
    path: &'a str,
    is_public: bool,
    parameters: Vec<Parameter<'a>>,
    /// The media type and the text.
    body: Option<(&'a str, String)>,
}

/// A parameter with an example of it, if there is one.
struct Parameter<'a> {
    place: &'a str,
    name: &'a str,
    about: &'a str,
    required: bool,
    value: String,
}

/// The requests of a document by their tags, in the order of the document.
fn folders(document: &Value) -> Vec<Folder<'_>> {
    let tags = document["tags"].as_array().map_or(&[][..], Vec::as_slice);
    let mut folders: Vec<_> = tags
        .iter()
        .map(|tag| Folder {
            name: text(&tag["name"]),
            about: text(&tag["description"]),
            requests: vec![],
        })
        .collect();
    for (path, methods) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            let tag = text(&operation["tags"][0]);
            if let Some(folder) = folders.iter_mut().find(|folder| folder.name == tag) {
                folder.requests.push(request(path, method, operation));
            }
        }
    }
    folders
}

fn request<'a>(path: &'a str, method: &str, operation: &'a Value) -> Request<'a> {
    let parameters = operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
    let body = operation["requestBody"]["content"].as_object();
    let body = body.and_then(|content| content.iter().next()).map(|(media_type, content)| {
        let example = content.get("example").map(|it| format!("{it:#}"));
        (media_type.as_str(), example.unwrap_or_default())
    });
    Request {
        id: text(&operation["operationId"]),
        name: text(&operation["summary"]),
        about: text(&operation["description"]),
        method: method.to_uppercase(),
        path,
        is_public: operation["security"].as_array().is_some_and(Vec::is_empty),
        parameters: parameters.iter().map(parameter).collect(),
        body,
    }
}

fn parameter(parameter: &Value) -> Parameter<'_> {
    let value = match &parameter["example"] {
        // What nobody can guess, as a cursor: there to be filled in, and switched off until then.
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Parameter {
        place: text(&parameter["in"]),
        name: text(&parameter["name"]),
        about: text(&parameter["description"]),
        required: parameter["required"] == true,
        value,
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

// === impl Request ===

impl Request<'_> {
    /// The path with `:id` where a parameter stands, as both programs write it.
    fn colon_path(&self) -> String {
        self.path.replace('{', ":").replace('}', "")
    }

    fn parameters(&self, place: &str) -> impl Iterator<Item = &Parameter<'_>> {
        self.parameters.iter().filter(move |parameter| parameter.place == place)
    }
}

#[cfg(test)]
mod tests;
