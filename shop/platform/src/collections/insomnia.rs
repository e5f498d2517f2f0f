//! A collection for Insomnia: an export of version 4, which every later version imports.

use serde_json::{Value, json};
use switchboard_core::Timestamp;

use super::{Parameter, Request, folders, text};

const WORKSPACE: &str = "wrk_switchboard";

/// The document as an export that was written now, with `base_url` and `token` in its environment.
pub fn insomnia(document: &Value, base: &str, now: Timestamp) -> Value {
    let mut resources = vec![
        json!({
            "_id": WORKSPACE,
            "_type": "workspace",
            "parentId": null,
            "scope": "collection",
            "name": text(&document["info"]["title"]),
            "description": text(&document["info"]["description"]),
        }),
        json!({
            "_id": "env_switchboard",
            "_type": "environment",
            "parentId": WORKSPACE,
            "name": "Base Environment",
            "data": { "base_url": base, "token": "" },
        }),
    ];
    for (place, folder) in folders(document).into_iter().enumerate() {
        if folder.requests.is_empty() {
            continue;
        }
        let id = format!("fld_{}", folder.name);
        resources.push(json!({
            "_id": id,
            "_type": "request_group",
            "parentId": WORKSPACE,
            "name": folder.name,
            "description": folder.about,
            "metaSortKey": place,
        }));
        let requests = folder.requests.iter().enumerate();
        resources.extend(requests.map(|(place, request)| resource(&id, place, request)));
    }
    json!({
        "_type": "export",
        "__export_format": 4,
        "__export_date": now.to_string(),
        "__export_source": "switchboard",
        "resources": resources,
    })
}

fn resource(folder: &str, place: usize, request: &Request<'_>) -> Value {
    let mut headers: Vec<_> = request.parameters("header").map(pair).collect();
    let mut body = json!({});
    if let Some((media_type, text)) = &request.body {
        headers.push(json!({ "name": "Content-Type", "value": media_type }));
        body = json!({ "mimeType": media_type, "text": text });
    }
    let authentication = match request.is_public {
        true => json!({}),
        false => json!({ "type": "bearer", "token": "{{ _.token }}" }),
    };
    let path_parameters: Vec<_> = request
        .parameters("path")
        .map(|it| json!({ "name": it.name, "value": it.value }))
        .collect();
    json!({
        "_id": format!("req_{}", request.id),
        "_type": "request",
        "parentId": folder,
        "name": request.name,
        "description": request.about,
        "method": request.method,
        "url": format!("{{{{ _.base_url }}}}{}", request.colon_path()),
        "headers": headers,
        "parameters": request.parameters("query").map(pair).collect::<Vec<_>>(),
        "pathParameters": path_parameters,
        "body": body,
        "authentication": authentication,
        "metaSortKey": place,
    })
}

/// What may be left out is there, and switched off.
fn pair(parameter: &Parameter<'_>) -> Value {
    json!({
        "name": parameter.name,
        "value": parameter.value,
        "description": parameter.about,
        "disabled": !parameter.required,
    })
}
