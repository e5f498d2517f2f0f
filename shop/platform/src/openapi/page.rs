//! The interactive page: Swagger UI out of the program itself, so that it works without a network, under the console's policy.

use std::sync::LazyLock;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::HeaderName;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, VARY,
};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use maud::{DOCTYPE, html};
use shop_edge::Problem;
use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;

use super::archive::{self, File};
use super::{DOCUMENT, PAGE};

/// Our own two files, beside those of Swagger UI.
const START: &str = include_str!("start.js");
const LOOK: &str = include_str!("look.css");
/// As the console's: nothing but our own files, and nobody frames us.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; connect-src 'self'; form-action 'none'; frame-ancestors 'none'; \
    base-uri 'none'";

/// A file of the page: its name, its type, and what is in it, which all answers share.
struct Asset {
    name: &'static str,
    kind: &'static str,
    bytes: Bytes,
    gzip: bool,
    crc: u32,
}

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let theirs = [
        ("swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
        ("swagger-ui.css", "text/css; charset=utf-8"),
        ("favicon-32x32.png", "image/png"),
    ];
    let theirs = theirs.into_iter().filter_map(|(name, kind)| {
        let file = archive::file(SWAGGER_UI_VENDORED, &format!("/dist/{name}"))?;
        Some(Asset::new(name, kind, file))
    });
    let ours = [
        ("start.js", "text/javascript; charset=utf-8", START),
        ("look.css", "text/css; charset=utf-8", LOOK),
    ];
    let ours = ours.into_iter().map(|(name, kind, text)| {
        let file = File { bytes: text.into(), gzip: false, crc: sum(text) };
        Asset::new(name, kind, file)
    });
    theirs.chain(ours).collect()
});

impl Asset {
    fn new(name: &'static str, kind: &'static str, file: File) -> Self {
        Self { name, kind, bytes: file.bytes.into(), gzip: file.gzip, crc: file.crc }
    }
}

/// A sum of a text, so that a new one has a new address.
fn sum(text: &str) -> u32 {
    let sum = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    sum.as_ref().iter().take(4).fold(0, |sum, byte| (sum << 8) | u32::from(*byte))
}

/// The page and its files.
pub(super) fn routes() -> Router {
    Router::new().route(PAGE, get(page)).route("/docs/{file}", get(asset))
}

async fn page() -> Response {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "The interface · Switchboard" }
                link rel="icon" href=(at("favicon-32x32.png"));
                link rel="stylesheet" href=(at("swagger-ui.css"));
                link rel="stylesheet" href=(at("look.css"));
                script src=(at("swagger-ui-bundle.js")) defer {}
                script src=(at("start.js")) defer {}
            }
            body {
                main #page data-document=(DOCUMENT) {
                    p class="wait" {
                        "This page needs its script. The document itself is at "
                        a href=(DOCUMENT) { (DOCUMENT) } "."
                    }
                }
            }
        }
    };
    guarded(page.into_response())
}

/// Where a file is; the address carries a sum of its content, so it may be kept for ever.
fn at(name: &str) -> String {
    let asset = ASSETS.iter().find(|asset| asset.name == name);
    format!("{PAGE}/{name}?v={:08x}", asset.map_or(0, |asset| asset.crc))
}

async fn asset(Path(name): Path<String>) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == name) else {
        return Problem::not_found().into_response();
    };
    let headers = [
        (CONTENT_TYPE, asset.kind),
        (CACHE_CONTROL, "public, max-age=31536000, immutable"),
        // A cache between must not give what is compressed to somebody who cannot read it.
        (VARY, "accept-encoding"),
    ];
    let mut response = (headers, asset.bytes.clone()).into_response();
    if asset.gzip {
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    guarded(response)
}

fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    let opener = HeaderName::from_static("cross-origin-opener-policy");
    headers.insert(opener, HeaderValue::from_static("same-origin"));
    response
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http::{Request, StatusCode};
    use tower::ServiceExt;

    use super::*;

    async fn get(path: &str) -> (StatusCode, http::HeaderMap, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let (head, body) = routes().oneshot(request).await.unwrap().into_parts();
        let bytes = axum::body::to_bytes(body, 4 << 20).await.unwrap();
        (head.status, head.headers, String::from_utf8_lossy(&bytes).into_owned())
    }

    #[tokio::test]
    async fn the_page_names_only_files_that_are_in_the_program() {
        let (status, headers, page) = get(PAGE).await;
        assert_eq!(
            (status, headers[CONTENT_SECURITY_POLICY].as_bytes()),
            (StatusCode::OK, POLICY.as_bytes())
        );
        let files: Vec<_> = page.split('"').filter(|it| it.starts_with("/docs/")).collect();
        assert_eq!(files.len(), 5, "{page}");
        for file in files {
            let (status, headers, body) = get(file).await;
            assert_eq!(status, StatusCode::OK, "{file}");
            assert!(!body.is_empty() && headers.contains_key(CONTENT_TYPE), "{file}");
            assert_eq!(headers[VARY], "accept-encoding", "{file}");
        }
        assert!(!page.contains("://"), "nothing is fetched from elsewhere: {page}");
        let shared = |at: usize| ASSETS[at].bytes.as_ptr() == ASSETS[at].bytes.clone().as_ptr();
        assert!((0..ASSETS.len()).all(shared), "an answer copies no file");
        assert_eq!(get("/docs/index.html").await.0, StatusCode::NOT_FOUND);
    }
}
