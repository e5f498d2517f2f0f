//! A connection that says nothing is closed: until its protocol is known, no other limit holds.
//!
//! Which protocol a caller speaks shows in the first bytes, and hyper reads them without a timer. Whoever sends none, or stops within the
//! preface of HTTP/2, would keep a connection for as long as connections may live.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Duration, Sleep};

/// What a connection of HTTP/2 begins with (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection that must show its protocol in time.
#[derive(Debug)]
pub(super) struct Opening {
    stream: TcpStream,
    /// Until the protocol is known.
    limit: Option<Pin<Box<Sleep>>>,
    /// Bytes of the preface so far.
    seen: usize,
}

// === impl Opening ===

impl Opening {
    /// It has so long.
    pub(super) fn new(stream: TcpStream, within: Duration) -> Self {
        Self { stream, limit: Some(Box::pin(tokio::time::sleep(within))), seen: 0 }
    }

    /// Takes notice of what has come: the limit ends with the first byte that is not the preface's, or
    /// with its last.
    fn came(&mut self, bytes: &[u8]) {
        let rest = &PREFACE[self.seen..];
        let length = bytes.len().min(rest.len());
        self.seen += length;
        if bytes[..length] != rest[..length] || self.seen == PREFACE.len() {
            self.limit = None;
        }
    }
}

impl AsyncRead for Opening {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let polled = Pin::new(&mut this.stream).poll_read(cx, buffer);
        let Some(limit) = &mut this.limit else { return polled };
        match polled {
            Poll::Pending => {
                limit.as_mut().poll(cx).map(|()| Err(io::Error::from(io::ErrorKind::TimedOut)))
            }
            Poll::Ready(read) => {
                this.came(&buffer.filled()[before..]);
                Poll::Ready(read)
            }
        }
    }
}

impl AsyncWrite for Opening {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::time::Instant;

    use super::*;

    const WITHIN: Duration = Duration::from_secs(60);

    /// What becomes of a connection that sends this and then nothing more; an hour is for ever.
    async fn check(said: &[u8], expected: Option<Duration>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let mut opening = Opening::new(stream, WITHIN);
        peer.write_all(said).await.unwrap();
        let mut heard = vec![0; said.len()];
        opening.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard, said);
        // Bytes have come in real time; from here on only timers matter.
        tokio::time::pause();
        let begun = Instant::now();
        let more = tokio::time::timeout(Duration::from_secs(3_600), opening.read_u8()).await;
        tokio::time::resume();
        let ended = more.ok().map(|read| {
            assert_eq!(read.unwrap_err().kind(), io::ErrorKind::TimedOut);
            begun.elapsed()
        });
        let is_expected = match (ended, expected) {
            (Some(ended), Some(expected)) => ended.abs_diff(expected) < Duration::from_secs(1),
            (ended, expected) => ended == expected,
        };
        assert!(is_expected, "{said:?}: {ended:?}");
    }

    #[tokio::test]
    async fn e10_whoever_does_not_show_a_protocol_in_time_is_cut_off() {
        check(b"", Some(WITHIN)).await;
        check(b"PRI * HTTP/2.0\r\n", Some(WITHIN)).await;
        check(b"G", None).await;
        check(b"PRI * HTTP/1.1\r\n", None).await;
        check(PREFACE, None).await;
    }
}
