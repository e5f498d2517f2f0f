//! Collections hold every request of the document, in the forms that their programs read.

use std::collections::BTreeSet;

use super::*;
use crate::openapi;

/// `GET /api/v1/users/:id` of every operation.
fn operations(document: &Value) -> BTreeSet<String> {
    let paths = document["paths"].as_object().unwrap();
    let methods = paths.iter().flat_map(|(path, methods)| {
        let path = path.replace('{', ":").replace('}', "");
        methods.as_object().unwrap().keys().map(move |it| format!("{} {path}", it.to_uppercase()))
    });
    methods.collect()
}

#[test]
fn a_postman_collection_has_every_operation_once_with_base_and_token_as_variables() {
    let document = openapi::document();
    let collection = postman(&document, "http://127.0.0.1:8080");
    let folders = collection["item"].as_array().unwrap();
    let items = folders.iter().flat_map(|folder| folder["item"].as_array().unwrap());
    let requests: Vec<_> = items.map(|item| &item["request"]).collect();
    let seen: BTreeSet<_> = requests
        .iter()
        .map(|request| {
            let raw = request["url"]["raw"].as_str().unwrap();
            let path = raw.strip_prefix("{{base_url}}").unwrap();
            format!("{} {path}", request["method"].as_str().unwrap())
        })
        .collect();
    assert_eq!((requests.len(), &seen), (seen.len(), &operations(&document)));
    assert_eq!(collection["variable"][0]["value"], "http://127.0.0.1:8080");
    assert_eq!(collection["auth"]["bearer"][0]["value"], "{{token}}");
}

#[test]
fn what_needs_no_token_sends_none_and_signing_in_keeps_it() {
    let collection = postman(&openapi::document(), "http://h").to_string();
    let document: Value = serde_json::from_str(&collection).unwrap();
    let find = |id: &str| {
        let folders = document["item"].as_array().unwrap().iter();
        let mut items = folders.flat_map(|folder| folder["item"].as_array().unwrap());
        items.find(|item| item["id"] == id).unwrap().clone()
    };
    assert_eq!(find("createUser")["request"]["auth"]["type"], "noauth");
    assert!(find("getUser")["request"]["auth"].is_null(), "the collection's");
    let script = find("createSession")["event"][0]["script"]["exec"].to_string();
    assert!(script.contains("collectionVariables.set"), "{script}");
    let order = find("createOrder");
    let body = order["request"]["body"]["raw"].as_str().unwrap();
    assert!(serde_json::from_str::<Value>(body).unwrap()["items"].is_array());
    let headers = order["request"]["header"].as_array().unwrap();
    assert!(headers.iter().any(|it| it["key"] == "Idempotency-Key" && it["disabled"] == false));
}

/// "null" is no value that anybody means.
#[test]
fn every_value_that_is_sent_is_an_example_and_the_others_are_empty_and_switched_off() {
    let document = openapi::document();
    let all = folders(&document);
    let mut empty = BTreeSet::new();
    for request in all.iter().flat_map(|folder| &folder.requests) {
        for parameter in &request.parameters {
            assert_ne!(parameter.value, "null", "{}: {}", request.id, parameter.name);
            if parameter.value.is_empty() {
                assert!(!parameter.required, "{}: {}", request.id, parameter.name);
                empty.insert(parameter.name);
            }
        }
        let is_sent = |(_, text): &(&str, String)| text.starts_with('{');
        assert!(request.body.as_ref().is_none_or(is_sent), "{}", request.id);
    }
    assert_eq!(empty, BTreeSet::from(["cursor"]));
    let now = "2026-11-27T09:30:00Z".parse().unwrap();
    for collection in [postman(&document, "http://h"), insomnia(&document, "http://h", now)] {
        assert!(!collection.to_string().contains(r#""value":"null""#));
    }
}

#[test]
fn an_insomnia_export_is_a_tree_with_every_operation() {
    let document = openapi::document();
    let now = "2026-11-27T09:30:00Z".parse().unwrap();
    let export = insomnia(&document, "http://127.0.0.1:8080", now);
    assert_eq!((&export["_type"], &export["__export_format"]), (&"export".into(), &4.into()));
    let resources = export["resources"].as_array().unwrap();
    let ids: BTreeSet<_> = resources.iter().map(|it| it["_id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), resources.len(), "each id once");
    let mut seen = BTreeSet::new();
    for resource in resources {
        let parent = resource["parentId"].as_str();
        assert!(parent.is_none_or(|parent| ids.contains(parent)), "{resource}");
        if resource["_type"] == "request" {
            let path = resource["url"].as_str().unwrap().strip_prefix("{{ _.base_url }}").unwrap();
            seen.insert(format!("{} {path}", resource["method"].as_str().unwrap()));
        }
    }
    assert_eq!(seen, operations(&document));
    assert_eq!(insomnia(&document, "http://127.0.0.1:8080", now), export, "the same each time");
}
