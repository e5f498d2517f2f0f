//! What breaks callers of a published version is named, and its harmless neighbours pass.

use serde_json::json;

use super::*;
use crate::{documents, house};

fn document() -> Value {
    json!({
        "openapi": "3.1.0",
        "security": [{ "bearer": [] }],
        "paths": {
            "/users": {
                "get": {
                    "operationId": "listUsers",
                    "security": [],
                    "parameters": [{ "$ref": "#/components/parameters/Limit" }],
                    "responses": {
                        "200": {
                            "headers": { "ETag": { "schema": { "type": "string" } } },
                            "content": {
                                "application/json": {
                                    "schema": { "type": "array", "items": {
                                        "$ref": "#/components/schemas/User",
                                    } },
                                },
                            },
                        },
                        "404": { "description": "no" },
                        "503": { "headers": { "Retry-After": {} } },
                    },
                },
                "post": {
                    "operationId": "createUser",
                    "requestBody": { "required": true, "content": {
                        "application/json": { "schema": {
                            "$ref": "#/components/schemas/NewUser",
                        } },
                    } },
                    "responses": { "201": { "description": "made" } },
                },
            },
        },
        "components": {
            "parameters": { "Limit": {
                "in": "query", "name": "limit", "required": false,
                "schema": { "type": "integer", "minimum": 1, "maximum": 100 },
            } },
            "schemas": {
                "User": {
                    "type": "object",
                    "required": ["id", "role"],
                    "properties": {
                        "id": { "type": "string", "format": "uuid" },
                        "role": { "type": "string", "enum": ["customer", "operator"] },
                        "age": { "type": "integer", "minimum": 0, "maximum": 200 },
                        "nick": { "type": "string", "pattern": "^a" },
                        "tags": { "type": "array", "items": { "type": "string" } },
                        "friend": { "$ref": "#/components/schemas/User" },
                    },
                },
                "NewUser": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["name"],
                    "properties": {
                        "name": { "type": "string", "maxLength": 10 },
                        "role": { "type": "string", "enum": ["customer", "operator"] },
                        "note": { "type": ["string", "null"], "default": "none" },
                        "words": { "type": "array" },
                    },
                },
            },
        },
    })
}

/// Puts a value where the pointer leads; null takes away what is there.
fn changed(pointer: &str, value: Value) -> Value {
    let mut document = document();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let name = name.replace("~1", "/");
    let parent = document.pointer_mut(parent).unwrap_or_else(|| panic!("{parent}"));
    let parent = parent.as_object_mut().unwrap();
    match value {
        Value::Null => drop(parent.remove(&name).expect("something is there")),
        value => drop(parent.insert(name, value)),
    }
    document
}

fn check(pointer: &str, value: Value, expected: &str) {
    let found = breaches(&document(), &changed(pointer, value));
    assert_eq!(found.len(), usize::from(!expected.is_empty()), "{pointer}: {found:?}");
    let first = found.first().map_or("", String::as_str);
    assert!(first.contains(expected), "{pointer}: {first}");
}

const LIST: &str = "/paths/~1users/get";
const CREATE: &str = "/paths/~1users/post";
const USER: &str = "/components/schemas/User";
const NEW: &str = "/components/schemas/NewUser";
const LIMIT: &str = "/components/parameters/Limit";

#[test]
fn e9_what_is_taken_away_breaks_callers() {
    for (pointer, value, expected) in [
        ("/paths/~1users", Value::Null, ""),
        (LIST, Value::Null, "GET /users: is gone"),
        (&format!("{LIST}/responses/200"), Value::Null, "answer 200: is gone"),
        (&format!("{LIST}/responses/200/headers/ETag"), Value::Null, "header `ETag` is gone"),
        (
            &format!("{LIST}/responses/503/headers/Retry-After"),
            Value::Null,
            "answer 503: header `Retry-After` is gone",
        ),
        (&format!("{LIST}/responses/200/content"), json!({}), "application/json is gone"),
        (&format!("{LIST}/parameters"), json!([]), "parameter `limit`: is gone"),
        (&format!("{LIST}/operationId"), json!("getUsers"), "its id was"),
        (&format!("{LIST}/security"), Value::Null, "asks for a token"),
        (&format!("{USER}/properties/age"), Value::Null, "`age`: is gone"),
        (&format!("{CREATE}/requestBody"), Value::Null, "body: is not taken any more"),
        (&format!("{NEW}/properties/note"), Value::Null, "`note`: is not taken any more"),
        (&format!("{USER}/properties/role"), Value::Null, "`role`: is gone"),
    ] {
        if expected.is_empty() {
            let found = breaches(&document(), &changed(pointer, value));
            assert_eq!(found.len(), 2, "both operations: {found:?}");
        } else {
            check(pointer, value, expected);
        }
    }
}

#[test]
fn e9_a_request_that_became_narrower_breaks_callers() {
    for (pointer, value, expected) in [
        (&format!("{LIMIT}/required"), json!(true), "could be left out and is required"),
        (&format!("{LIMIT}/schema/maximum"), json!(50), "`maximum` has fallen"),
        (&format!("{LIMIT}/schema/minimum"), json!(2), "`minimum` has risen"),
        (&format!("{LIMIT}/schema/type"), json!("string"), "integer is not taken any more"),
        (&format!("{NEW}/required"), json!(["name", "role"]), "`role`: is required now"),
        (&format!("{NEW}/properties/name/maxLength"), json!(9), "`maxLength` has fallen"),
        (&format!("{NEW}/properties/name/minLength"), json!(2), "`minLength` has risen"),
        (&format!("{NEW}/properties/name/pattern"), json!("^a"), "`pattern` has changed"),
        (&format!("{NEW}/properties/role/enum"), json!(["customer"]), "\"operator\" is not taken"),
        (&format!("{NEW}/properties/note/type"), json!("string"), "null is not taken any more"),
        (&format!("{NEW}/properties/note/enum"), json!(["a"]), "certain values only"),
        (&format!("{NEW}/properties/note/default"), json!("some"), "by leaving it out has changed"),
        (&format!("{NEW}/properties/words/items"), json!({ "type": "string" }), "as they come"),
        (&format!("{NEW}/properties/words/contains"), json!({}), "`contains` has changed"),
    ] {
        check(pointer, value, expected);
    }
    let two = json!([
        { "$ref": "#/components/parameters/Limit" },
        { "in": "query", "name": "of", "required": true, "schema": { "type": "string" } },
    ]);
    check(&format!("{LIST}/parameters"), two, "parameter `of`: is new and required");
    let body = json!({ "required": true, "content": {} });
    check(&format!("{LIST}/requestBody"), body, "body: is new and required");
}

#[test]
fn e9_an_answer_that_became_wider_breaks_callers() {
    for (pointer, value, expected) in [
        (&format!("{USER}/required"), json!(["id"]), "`role`: was always there"),
        (&format!("{USER}/properties/age/type"), json!("number"), "number may be answered now"),
        (&format!("{USER}/properties/age/type"), json!(["integer", "null"]), "null may be"),
        (&format!("{USER}/properties/id/format"), json!("uri"), "`format` has changed"),
        (
            &format!("{USER}/properties/role/enum"),
            json!(["customer", "operator", "guest"]),
            "\"guest\" is new",
        ),
        (&format!("{USER}/properties/role"), json!({ "type": "string" }), "any value now"),
        (&format!("{USER}/properties/age/minimum"), json!(-1), "`minimum` has fallen"),
        (&format!("{USER}/properties/age/minimum"), Value::Null, "`minimum` has fallen"),
        (&format!("{USER}/properties/age/maximum"), json!(201), "`maximum` has risen"),
        (&format!("{USER}/properties/age/maximum"), Value::Null, "`maximum` has risen"),
        (&format!("{USER}/properties/nick/pattern"), Value::Null, "`pattern` has changed"),
        (&format!("{USER}/properties/nick/pattern"), json!("^b"), "`pattern` has changed"),
        (&format!("{USER}/properties/tags/items"), Value::Null, "may be anything now"),
        (&format!("{USER}/properties/tags/items/type"), json!("integer"), "integer may be"),
        (&format!("{LIST}/responses/202"), json!({}), "answer 202: is new, and callers"),
        (
            &format!("{LIST}/responses/200/headers/ETag/schema/type"),
            json!("integer"),
            "header `ETag`: integer may be",
        ),
    ] {
        check(pointer, value, expected);
    }
}

#[test]
fn e9_what_is_added_or_taken_more_generously_breaks_nobody() {
    let more = json!([
        { "$ref": "#/components/parameters/Limit" },
        { "in": "query", "name": "of", "required": false, "schema": { "type": "string" } },
    ]);
    for (pointer, value) in [
        ("/paths/~1posts", json!({ "get": { "operationId": "listPosts" } })),
        (&format!("{LIST}/parameters"), more),
        (&format!("{LIST}/responses/409"), json!({ "description": "no" })),
        (&format!("{LIST}/responses/404"), Value::Null),
        (&format!("{LIST}/deprecated"), json!(true)),
        (&format!("{LIST}/summary"), json!("other words")),
        (&format!("{CREATE}/security"), json!([])),
        (&format!("{LIMIT}/schema/maximum"), json!(200)),
        (&format!("{LIMIT}/schema/maximum"), Value::Null),
        (&format!("{LIMIT}/schema/type"), json!("number")),
        (&format!("{USER}/properties/more"), json!({ "type": "string" })),
        (&format!("{USER}/properties/age/maximum"), json!(150)),
        (&format!("{USER}/properties/age/multipleOf"), json!(2)),
        (&format!("{USER}/properties/tags/maxItems"), json!(3)),
        (&format!("{LIST}/responses/304"), json!({})),
        (&format!("{LIST}/responses/503"), Value::Null),
        (&format!("{USER}/required"), json!(["id", "role", "age"])),
        (&format!("{USER}/properties/role/enum"), json!(["customer"])),
        (&format!("{NEW}/properties/nick"), json!({ "type": "string" })),
        (&format!("{NEW}/properties/role/enum"), json!(["customer", "operator", "guest"])),
        (&format!("{NEW}/properties/name/maxLength"), json!(11)),
        (&format!("{NEW}/required"), json!([])),
        (&format!("{NEW}/additionalProperties"), json!(true)),
    ] {
        check(pointer, value, "");
    }
}

#[test]
fn a_type_that_names_itself_is_compared_once() {
    assert_eq!(breaches(&document(), &document()), Vec::<String>::new());
}

/// The gate itself: whoever breaks a published version learns it here, and in CI.
#[test]
fn e9_the_committed_document_breaks_no_published_version() {
    let current = documents::read(&house::root().join(documents::DOCUMENT)).unwrap();
    let published = documents::published().unwrap();
    for version in documents::versions(&current) {
        let name = documents::file_of(version);
        let is_published = published.iter().any(|file| file.ends_with(&name));
        assert!(is_published, "{name} is missing: run `cargo xtask documents --publish`");
    }
    for file in published {
        let found = breaches(&documents::read(&file).unwrap(), &current);
        assert!(found.is_empty(), "{} is broken:\n{}", file.display(), found.join("\n"));
    }
}
