//! A collection for Postman, of the format's version 2.1.

use serde_json::{Value, json};

use super::{Parameter, Request, folders, text};

/// The format that the collection names.
const SCHEMA: &str = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json";
/// Whoever signs in need not copy the token.
const KEEP_TOKEN: &[&str] = &[
    "if (pm.response.code === 201) {",
    "  pm.collectionVariables.set(\"token\", pm.response.json().token);",
    "}",
];

/// The document as a collection, with `base_url` and `token` as its variables.
pub fn postman(document: &Value, base: &str) -> Value {
    let items: Vec<_> = folders(document)
        .into_iter()
        .filter(|folder| !folder.requests.is_empty())
        .map(|folder| {
            let items: Vec<_> = folder.requests.iter().map(item).collect();
            json!({ "name": folder.name, "description": folder.about, "item": items })
        })
        .collect();
    json!({
        "info": {
            "name": text(&document["info"]["title"]),
            "description": text(&document["info"]["description"]),
            "version": text(&document["info"]["version"]),
            "schema": SCHEMA,
        },
        "auth": bearer(),
        "variable": [
            { "key": "base_url", "value": base, "type": "string" },
            { "key": "token", "value": "", "type": "string" },
        ],
        "item": items,
    })
}

fn bearer() -> Value {
    let token = json!({ "key": "token", "value": "{{token}}", "type": "string" });
    json!({ "type": "bearer", "bearer": [token] })
}

fn item(request: &Request<'_>) -> Value {
    let mut headers: Vec<_> = request.parameters("header").map(pair).collect();
    if let Some((media_type, _)) = &request.body {
        headers.push(json!({ "key": "Content-Type", "value": media_type }));
    }
    let path = request.colon_path();
    let parts: Vec<_> = path.split('/').skip(1).collect();
    let variables: Vec<_> = request
        .parameters("path")
        .map(|it| json!({ "key": it.name, "value": it.value, "description": it.about }))
        .collect();
    let query: Vec<_> = request.parameters("query").map(pair).collect();
    let mut sent = json!({
        "method": request.method,
        "description": request.about,
        "header": headers,
        "url": {
            "raw": format!("{{{{base_url}}}}{path}"),
            "host": ["{{base_url}}"],
            "path": parts,
            "query": query,
            "variable": variables,
        },
    });
    if request.is_public {
        sent["auth"] = json!({ "type": "noauth" });
    }
    if let Some((_, body)) = &request.body {
        let options = json!({ "raw": { "language": "json" } });
        sent["body"] = json!({ "mode": "raw", "raw": body, "options": options });
    }
    let mut item =
        json!({ "id": request.id, "name": request.name, "request": sent, "response": [] });
    if request.id == "createSession" {
        let script = json!({ "type": "text/javascript", "exec": KEEP_TOKEN });
        item["event"] = json!([{ "listen": "test", "script": script }]);
    }
    item
}

/// What may be left out is there, and switched off.
fn pair(parameter: &Parameter<'_>) -> Value {
    json!({
        "key": parameter.name,
        "value": parameter.value,
        "description": parameter.about,
        "disabled": !parameter.required,
    })
}
