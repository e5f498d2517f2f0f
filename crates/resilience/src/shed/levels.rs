//! Where the level of a call comes from, and where it is kept for the next server.

use http::{HeaderMap, HeaderValue};

use super::Level;
use crate::propagate::PRIORITY_LEVEL;

/// Knows the level of a request.
pub trait Levels<R> {
    /// The level that the request came with; `None` draws one.
    fn level(&self, request: &R) -> Option<Level>;

    /// Keeps the level that the request was judged by, for whoever handles it.
    fn keep(&self, request: &mut R, level: Level);
}

/// Every call draws its level.
#[derive(Clone, Copy, Debug, Default)]
pub struct Drawn;

/// A call's level is in its header `x-priority-level`, and is drawn and written there if it is not.
/// [`ServerLayer::public`](crate::propagate::ServerLayer::public) strips the header at the outer
/// edge, where it would be a stranger's word.
#[derive(Clone, Copy, Debug, Default)]
pub struct InHeaders;

// === impl Level ===

impl Level {
    /// The level in these headers, if it is one.
    pub fn read_from(headers: &HeaderMap) -> Option<Self> {
        let level: u8 = headers.get(PRIORITY_LEVEL)?.to_str().ok()?.parse().ok()?;
        (level < Self::COUNT).then(|| Self::new(level))
    }

    /// Writes the level, for a server that this call goes on to.
    pub fn write_to(self, headers: &mut HeaderMap) {
        headers.insert(PRIORITY_LEVEL, HeaderValue::from(u16::from(self.get())));
    }
}

// === impl Drawn ===

impl<R> Levels<R> for Drawn {
    fn level(&self, _: &R) -> Option<Level> {
        None
    }

    fn keep(&self, _: &mut R, _: Level) {}
}

// === impl InHeaders ===

impl<B> Levels<http::Request<B>> for InHeaders {
    fn level(&self, request: &http::Request<B>) -> Option<Level> {
        Level::read_from(request.headers())
    }

    fn keep(&self, request: &mut http::Request<B>, level: Level) {
        level.write_to(request.headers_mut());
    }
}
