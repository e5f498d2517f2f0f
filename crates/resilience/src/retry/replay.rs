//! A request that can be sent more than once.

use bytes::Bytes;
use http_body_util::{Empty, Full};

use crate::Call;

/// A request, or a part of one, that can be sent more than once.
///
/// Not simply `Clone`: a body that streams can be sent again only as long as it was kept
/// ([`ReplayBody`](super::ReplayBody)). A request type of one's own implements it in one line.
pub trait Replay: Sized {
    /// The same once more; `None` when it cannot be sent again.
    fn replay(&self) -> Option<Self>;
}

impl<T: Clone> Replay for (Call, T) {
    fn replay(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl<B: Replay> Replay for http::Request<B> {
    fn replay(&self) -> Option<Self> {
        let body = self.body().replay()?;
        let mut request = Self::new(body);
        *request.method_mut() = self.method().clone();
        *request.uri_mut() = self.uri().clone();
        *request.version_mut() = self.version();
        *request.headers_mut() = self.headers().clone();
        *request.extensions_mut() = self.extensions().clone();
        Some(request)
    }
}

macro_rules! replays_by_clone {
    ($($body:ty),*) => {$(
        impl Replay for $body {
            fn replay(&self) -> Option<Self> {
                Some(self.clone())
            }
        }
    )*};
}

replays_by_clone!((), Bytes, String, Vec<u8>, Full<Bytes>, Empty<Bytes>);
