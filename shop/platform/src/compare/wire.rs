//! One connection whose bytes are counted where they leave and enter this process: heads, frames and all.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::request::Builder;
use http::{Method, Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use switchboard_core::BoxError;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tonic::body::Body;

use super::Counted;

/// How long connecting may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What has gone over a connection, in bytes.
#[derive(Debug, Default)]
pub(super) struct Counts {
    sent: AtomicU64,
    received: AtomicU64,
}

/// A connection that is kept open.
pub(super) struct Wire {
    way: Way,
    authority: String,
    pub(super) counts: Counted,
}

enum Way {
    /// One question at a time.
    One(Mutex<http1::SendRequest<Body>>),
    /// Questions side by side.
    Two(http2::SendRequest<Body>),
}

/// A socket that counts.
struct Socket {
    stream: TcpStream,
    counts: Counted,
}

/// `host:port` of a URL like `http://127.0.0.1:8080`.
pub(super) fn authority(url: &str) -> Result<String, BoxError> {
    let uri: Uri = url.parse()?;
    match (uri.scheme_str(), uri.host()) {
        (Some("http"), Some(host)) => Ok(format!("{host}:{}", uri.port_u16().unwrap_or(80))),
        _ => Err(format!("{url} is not an address like http://127.0.0.1:8080").into()),
    }
}

/// A connection over HTTP/2, as gRPC needs it.
pub(super) async fn http2(
    authority: &str,
) -> Result<(http2::SendRequest<Body>, Counted), BoxError> {
    let (socket, counts) = Socket::connect(authority).await?;
    let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(socket));
    let (sender, connection) = handshake.await?;
    // It ends with the last sender; whoever waits for an answer learns of a failure.
    tokio::spawn(connection);
    Ok((sender, counts))
}

// === impl Wire ===

impl Wire {
    /// Connects.
    pub(super) async fn connect(url: &str, is_http2: bool) -> Result<Self, BoxError> {
        let authority = authority(url)?;
        if is_http2 {
            let (sender, counts) = http2(&authority).await?;
            return Ok(Self { way: Way::Two(sender), authority, counts });
        }
        let (socket, counts) = Socket::connect(&authority).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(socket)).await?;
        tokio::spawn(connection);
        Ok(Self { way: Way::One(Mutex::new(sender)), authority, counts })
    }

    /// A request to this path, in the form that the connection's protocol has.
    pub(super) fn request(&self, method: Method, path: &str) -> Builder {
        let request = Request::builder().method(method);
        match &self.way {
            Way::One(_) => request.uri(path).header(HOST, &self.authority),
            Way::Two(_) => request.uri(format!("http://{}{path}", self.authority)),
        }
    }

    /// Asks, and answers as soon as the head is there. Over HTTP/1.1 the next question waits until
    /// the body of this answer is read.
    pub(super) async fn open(
        &self,
        request: Request<Bytes>,
    ) -> Result<Response<Incoming>, BoxError> {
        let request = request.map(|body| Body::new(Full::new(body)));
        Ok(match &self.way {
            Way::One(sender) => {
                let mut sender = sender.lock().await;
                sender.ready().await?;
                sender.send_request(request).await?
            }
            Way::Two(sender) => {
                let mut sender = sender.clone();
                sender.ready().await?;
                sender.send_request(request).await?
            }
        })
    }

    /// Asks, and answers with the whole body.
    pub(super) async fn ask(&self, request: Request<Bytes>) -> Result<Response<Bytes>, BoxError> {
        let (head, body) = self.open(request).await?.into_parts();
        Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
    }
}

// === impl Counts ===

impl Counts {
    /// Bytes sent and received so far.
    pub(super) fn now(&self) -> (u64, u64) {
        (self.sent.load(Ordering::Relaxed), self.received.load(Ordering::Relaxed))
    }
}

// === impl Socket ===

impl Socket {
    async fn connect(authority: &str) -> Result<(Self, Counted), BoxError> {
        let connected = tokio::time::timeout(PATIENCE, TcpStream::connect(authority)).await;
        let stream = connected.unwrap_or_else(|late| Err(late.into())).map_err(|error| {
            format!(
                "no shop answers at {authority} ({error}): start one with `switchboard up`, or \
                 leave --url away for one of its own"
            )
        })?;
        stream.set_nodelay(true)?;
        let counts = Arc::new(Counts::default());
        Ok((Self { stream, counts: counts.clone() }, counts))
    }

    fn sent(&self, written: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(written)) = written {
            self.counts.sent.fetch_add(*written as u64, Ordering::Relaxed);
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let read = buffer.filled().len() - before;
        self.counts.received.fetch_add(read as u64, Ordering::Relaxed);
        polled
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.sent(&polled);
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.sent(&polled);
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn only_plain_http_has_an_authority_here() {
        assert_eq!(authority("http://127.0.0.1:8080/").unwrap(), "127.0.0.1:8080");
        assert_eq!(authority("http://shop.example").unwrap(), "shop.example:80");
        assert_eq!(authority("http://[::1]:9").unwrap(), "[::1]:9");
        assert!(authority("https://shop.example").is_err());
        assert!(authority("127.0.0.1:8080").is_err());
    }

    #[tokio::test]
    async fn every_byte_is_counted_in_both_directions() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        const ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
        let peer = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (mut read, mut all) = ([0; 1_024], Vec::new());
            while !all.ends_with(b"\r\n\r\n") {
                let count = stream.read(&mut read).await.unwrap();
                all.extend_from_slice(&read[..count]);
            }
            stream.write_all(ANSWER.as_bytes()).await.unwrap();
            all.len()
        });
        let wire = Wire::connect(&url, false).await.unwrap();
        let request = wire.request(Method::GET, "/hello").body(Bytes::new()).unwrap();
        let answer = wire.ask(request).await.unwrap();
        assert_eq!(answer.body().as_ref(), b"hello");
        let heard = peer.await.unwrap();
        assert_eq!(wire.counts.now(), (heard as u64, ANSWER.len() as u64));
    }
}
