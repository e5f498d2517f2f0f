//! What routes answer becomes a representation: negotiated, tagged, compressed when that is wanted, and without its body for HEAD.
//!
//! Answers of JSON are whole in memory, so all of it works on one piece of bytes, and `Content-Length` is always there. Streams and
//! everything that is not JSON pass untouched; so does what a service behind this one has already made.

use std::convert::Infallible;
use std::io::Write;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH,
    CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH, VARY,
};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Body as _;

use crate::etag::{self, Outcome};
use crate::{ETag, Preconditions, Problem, negotiate};

/// Larger answers have neither tag nor compression. The largest page, a hundred posts of 20 000
/// characters of four bytes, is smaller.
const ANSWER_MAX: u64 = 16 << 20;
/// Smaller answers are not compressed: it would cost more than it saves.
const COMPRESSED_FROM: usize = 1 << 10;
/// What an answer of JSON depends on.
const VARIES: HeaderValue = HeaderValue::from_static("accept, accept-encoding, authorization");
/// What the conditions and wishes of a request are in.
const WISHES: [HeaderName; 4] = [ACCEPT, ACCEPT_ENCODING, IF_MATCH, IF_NONE_MATCH];

/// What was asked for, kept from the request for when there is an answer.
pub(super) struct Asked {
    pub(super) method: Method,
    /// For this caller only: a secret was sent for it, or it changes something.
    pub(super) is_private: bool,
    wishes: HeaderMap,
}

/// Marks a request as a HEAD that routes see as GET, so that both have the same headers.
#[derive(Clone, Copy, Debug)]
struct AsGet;

/// Marks an answer that comes from a service behind this one, which has made everything of it.
/// It names the prefix by which the service was found.
#[derive(Clone, Copy, Debug)]
pub struct Passed(pub &'static str);

/// The method that the caller used: what is passed on must be asked as the caller did.
pub fn method_of(head: &Parts) -> Method {
    match head.extensions.get::<AsGet>() {
        Some(AsGet) => Method::HEAD,
        None => head.method.clone(),
    }
}

// === impl Asked ===

impl Asked {
    /// What this request asks for. A HEAD goes on as the GET that it stands for.
    pub(super) fn of(request: &mut Request) -> Self {
        let method = request.method().clone();
        if method == Method::HEAD {
            *request.method_mut() = Method::GET;
            request.extensions_mut().insert(AsGet);
        }
        let headers = request.headers();
        let is_private = headers.contains_key(AUTHORIZATION) || !method.is_safe();
        let mut wishes = HeaderMap::new();
        for name in WISHES {
            let mut lines = headers.get_all(&name).iter().peekable();
            // Alone it wishes nothing, and most programs send it.
            let is_any = lines.next_if(|value| *value == "*/*").is_some();
            if is_any && lines.peek().is_some() {
                wishes.append(name.clone(), HeaderValue::from_static("*/*"));
            }
            for value in lines {
                wishes.append(name.clone(), value.clone());
            }
        }
        Self { method, is_private, wishes }
    }

    fn is_read(&self) -> bool {
        self.method == Method::GET || self.method == Method::HEAD
    }

    /// Whether the body that comes back represents the resource of the address.
    fn is_represented(&self) -> bool {
        self.is_read() || self.method == Method::PUT || self.method == Method::PATCH
    }

    /// Makes a representation of an answer.
    pub(super) async fn represent(&self, response: Response) -> Response {
        if response.extensions().get::<Passed>().is_some() || !response.status().is_success() {
            return response;
        }
        let Some(kind) = response.headers().get(CONTENT_TYPE) else { return response };
        let kind = kind.to_str().unwrap_or_default();
        let kind = kind.split_once(';').map_or(kind, |(kind, _)| kind).trim();
        if self.is_read() && !negotiate::accepts(&self.wishes, kind) {
            let problem = Problem::not_acceptable(kind);
            return instead(response, problem);
        }
        match is_json(kind) {
            true => self.tagged(response).await,
            false => response,
        }
    }

    async fn tagged(&self, mut response: Response) -> Response {
        response.headers_mut().entry(VARY).or_insert(VARIES);
        if self.is_read() && !self.is_private {
            // Whoever keeps it asks each time whether it is still so.
            let asks = HeaderValue::from_static("no-cache");
            response.headers_mut().entry(CACHE_CONTROL).or_insert(asks);
        }
        if !self.is_represented() {
            return response;
        }
        let (head, body) = response.into_parts();
        let (bytes, body) = whole(body).await;
        let mut response = Response::from_parts(head, body);
        let Some(bytes) = bytes else { return response };
        let tag = ETag::of_bytes(&bytes);
        if self.is_read() {
            match Preconditions::of(&self.wishes).read(&tag) {
                Outcome::Failed => return instead(response, etag::failed(&tag)),
                Outcome::NotModified => return not_modified(response, &tag),
                Outcome::Holds => {}
            }
            if bytes.len() > COMPRESSED_FROM && negotiate::accepts_gzip(&self.wishes) {
                return compressed(response, &bytes, &tag);
            }
        }
        response.headers_mut().entry(ETAG).or_insert(tag.value());
        *response.body_mut() = Body::from(bytes);
        response
    }

    /// Takes the body away from an answer to HEAD, and says how long it is.
    pub(super) fn without_body(&self, response: Response) -> Response {
        if self.method != Method::HEAD {
            return response;
        }
        let (mut head, body) = response.into_parts();
        if matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            return Response::from_parts(head, Body::empty());
        }
        // A service behind this one has sent no body to measure, and has said what there is to say.
        let is_passed = head.extensions.get::<Passed>().is_some();
        if let Some(length) = body.size_hint().exact().filter(|_| !is_passed) {
            head.headers.entry(CONTENT_LENGTH).or_insert(length.into());
        }
        let is_measured = head.headers.contains_key(CONTENT_LENGTH);
        let body = if is_measured { Body::empty() } else { unmeasured() };
        Response::from_parts(head, body)
    }
}

/// Nothing, which does not say so beforehand: an empty body would be announced as of length 0, and
/// GET has another one.
pub fn unmeasured() -> Body {
    Body::from_stream(futures_util::stream::empty::<Result<Bytes, Infallible>>())
}

/// Whether an answer is JSON, or something built on it. Problems are not tagged: they are errors.
pub(super) fn is_json(kind: &str) -> bool {
    kind.eq_ignore_ascii_case("application/json") || kind.ends_with("+json")
}

/// The bytes of a body that is whole in memory; the body itself when it is not.
pub(super) async fn whole(mut body: Body) -> (Option<Bytes>, Body) {
    let Some(size) = body.size_hint().exact() else { return (None, body) };
    if size == 0 || size > ANSWER_MAX {
        return (None, body);
    }
    // One that is in memory is there at once, in one piece; anything else is collected.
    let first = match body.frame().await {
        Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
        _ => return (None, Body::empty()),
    };
    if first.len() as u64 == size {
        return (Some(first), Body::empty());
    }
    match body.collect().await {
        Ok(rest) => (Some([first, rest.to_bytes()].concat().into()), Body::empty()),
        Err(_) => (None, Body::empty()),
    }
}

/// A problem in the place of an answer, which keeps what the layers have noted about it.
fn instead(response: Response, problem: Problem) -> Response {
    let mut problem = problem.into_response();
    *problem.extensions_mut() = response.into_parts().0.extensions;
    problem
}

/// 304 has the headers that would make a difference to a cache, and no others of the content.
fn not_modified(response: Response, tag: &ETag) -> Response {
    let (mut head, _body) = response.into_parts();
    head.status = StatusCode::NOT_MODIFIED;
    head.headers.remove(CONTENT_TYPE);
    head.headers.remove(CONTENT_LENGTH);
    head.headers.insert(ETAG, tag.value());
    Response::from_parts(head, Body::empty())
}

fn compressed(mut response: Response, bytes: &Bytes, tag: &ETag) -> Response {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 3), Compression::fast());
    // Writing into memory does not fail.
    let zipped = encoder.write_all(bytes).and_then(|()| encoder.finish());
    let Ok(zipped) = zipped else {
        *response.body_mut() = Body::from(bytes.clone());
        return response;
    };
    let headers = response.headers_mut();
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    headers.insert(ETAG, tag.compressed().value());
    *response.body_mut() = Body::from(zipped);
    response
}
