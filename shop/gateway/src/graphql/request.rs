//! What a caller sends, read as GraphQL over HTTP has it: a JSON object in a POST, or the query of a GET.

use axum::extract::Query;
use http::Uri;
use serde_json::{Map, Value};
use shop_edge::{FieldError, Input, Problem};

/// The parameters of one call.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Raw {
    /// The document; it may be missing when its id is given.
    pub(super) query: Option<String>,
    pub(super) operation_name: Option<String>,
    pub(super) variables: Map<String, Value>,
    /// The hash or the id of a document that is known here.
    pub(super) document_id: Option<String>,
}

// === impl Raw ===

impl Raw {
    /// From the body of a POST.
    ///
    /// # Errors
    /// 400 when it is not JSON or names a field twice; 422 when a parameter has a wrong type.
    pub(super) fn of_body(body: &[u8]) -> Result<Self, Problem> {
        if body.trim_ascii_start().first() == Some(&b'[') {
            return Err(wrong("#", "batch", "batches are not taken: send one operation at a time"));
        }
        match Input::parse(body)?.as_value() {
            Value::Object(parameters) => Self::of_parameters(parameters),
            _ => Err(wrong("#", "not_an_object", "the body must be a JSON object")),
        }
    }

    /// From the query of a GET, where objects are JSON texts.
    ///
    /// # Errors
    /// As for a body.
    pub(super) fn of_uri(uri: &Uri) -> Result<Self, Problem> {
        let pairs = Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|_| Problem::bad_request("The query of the address cannot be read."))?;
        let mut parameters = Map::new();
        for (name, text) in pairs.0 {
            let value = match name.as_str() {
                "variables" | "extensions" if !text.is_empty() => serde_json::from_str(&text)
                    .map_err(|error| {
                        Problem::bad_request(format!("`{name}` is not JSON: {error}."))
                    })?,
                "variables" | "extensions" => Value::Null,
                _ => Value::from(text),
            };
            if parameters.insert(name.clone(), value).is_some() {
                return Err(Problem::bad_request(format!("`{name}` is there twice.")));
            }
        }
        Self::of_parameters(parameters)
    }

    /// From an object of parameters, however it came.
    ///
    /// # Errors
    /// 422 when one has a wrong type.
    pub(super) fn of_parameters(mut parameters: Map<String, Value>) -> Result<Self, Problem> {
        let query = text(&mut parameters, "query")?;
        let operation_name = text(&mut parameters, "operationName")?;
        let mut document_id = text(&mut parameters, "documentId")?;
        let variables = object(&mut parameters, "variables")?;
        let mut extensions = object(&mut parameters, "extensions")?;
        let persisted = object(&mut extensions, "persistedQuery")?;
        if let Some(hash) = persisted.get("sha256Hash") {
            if persisted.get("version").is_some_and(|version| *version != 1) {
                let place = "#/extensions/persistedQuery/version";
                return Err(wrong(place, "version", "only version 1 is known here"));
            }
            let place = "#/extensions/persistedQuery/sha256Hash";
            let hash = hash.as_str().ok_or_else(|| wrong(place, "type", "must be a text"))?;
            document_id = Some(hash.to_ascii_lowercase());
        }
        // Unknown parameters are left alone: the protocol grows, and clients send what they have.
        let operation_name = operation_name.filter(|name| !name.is_empty());
        let query = query.filter(|query| !query.is_empty());
        if query.is_none() && document_id.is_none() {
            return Err(wrong("#/query", "required", "must be a text: the document to run"));
        }
        Ok(Self { query, operation_name, variables, document_id })
    }
}

fn text(parameters: &mut Map<String, Value>, name: &str) -> Result<Option<String>, Problem> {
    match parameters.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(wrong(&format!("#/{name}"), "type", "must be a text")),
    }
}

fn object(parameters: &mut Map<String, Value>, name: &str) -> Result<Map<String, Value>, Problem> {
    match parameters.remove(name) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(fields)) => Ok(fields),
        Some(_) => Err(wrong(&format!("#/{name}"), "type", "must be an object")),
    }
}

fn wrong(pointer: &str, code: &'static str, detail: &str) -> Problem {
    let (pointer, detail) = (pointer.to_owned(), detail.to_owned());
    Problem::validation(vec![FieldError { pointer, code, detail }])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, expected: Result<(), (u16, &str)>) {
        let answer = Raw::of_body(body.as_bytes());
        let seen = answer.as_ref().map(|_| ()).map_err(|problem| {
            let place = problem.errors().first().map_or("", |error| &*error.pointer);
            (problem.status().as_u16(), place)
        });
        assert_eq!(seen, expected, "{body}");
    }

    #[test]
    fn g1_parameters_have_their_types_and_null_is_none() {
        check(r#"{"query":"{a}"}"#, Ok(()));
        check(r#"{"query":"{a}","variables":null,"operationName":null,"extensions":null}"#, Ok(()));
        check(r#"{"query":"{a}","more":1}"#, Ok(()));
        check("{", Err((400, "")));
        check("", Err((400, "")));
        check(r#"{"query":"{a}","query":"{b}"}"#, Err((400, "")));
        check("{}", Err((422, "#/query")));
        check(r#"{"query":["{a}"]}"#, Err((422, "#/query")));
        check(r#"{"query":"{a}","variables":[]}"#, Err((422, "#/variables")));
        check(r#"{"query":"{a}","extensions":"x"}"#, Err((422, "#/extensions")));
        check(r#"{"query":"{a}","operationName":1}"#, Err((422, "#/operationName")));
    }

    #[test]
    fn g3_batches_are_refused_with_a_reason() {
        let problem = Raw::of_body(br#" [{"query":"{a}"}]"#).unwrap_err();
        assert_eq!(problem.errors()[0].code, "batch");
    }

    #[test]
    fn g1_a_get_carries_objects_as_json() {
        let uri = "/graphql?query=%7Ba%7D&variables=%7B%22x%22%3A1%7D&operationName=n";
        let raw = Raw::of_uri(&uri.parse().unwrap()).unwrap();
        assert_eq!((raw.query.as_deref(), &raw.variables["x"]), (Some("{a}"), &Value::from(1)));
        for wrong in ["?query=%7Ba%7D&variables=x", "?query=a&query=b", "?variables=%7B%7D"] {
            assert!(Raw::of_uri(&format!("/graphql{wrong}").parse().unwrap()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn g6_both_ways_to_name_a_document_are_understood() {
        let apq = r#"{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"AB"}}}"#;
        assert_eq!(Raw::of_body(apq.as_bytes()).unwrap().document_id.as_deref(), Some("ab"));
        let trusted = r#"{"documentId":"sha256:ab"}"#;
        let raw = Raw::of_body(trusted.as_bytes()).unwrap();
        assert_eq!(raw.document_id.as_deref(), Some("sha256:ab"));
        check(
            r#"{"extensions":{"persistedQuery":{"version":2,"sha256Hash":"a"}}}"#,
            Err((422, "#/extensions/persistedQuery/version")),
        );
    }
}
