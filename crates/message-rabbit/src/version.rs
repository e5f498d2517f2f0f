//! Which version the server is: it says so when a client greets it, and the client library keeps
//! it to itself.

use std::time::Duration;

use lapin::uri::{AMQPScheme, AMQPUri};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long the greeting may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The first answer of a server is smaller than this.
const MAX_FRAME: usize = 64 * 1024;

/// Major and minor version; `None` when it does not answer, or only by TLS.
pub(crate) async fn of_server(uri: &AMQPUri) -> Option<(u32, u32)> {
    if uri.scheme == AMQPScheme::AMQPS {
        return None;
    }
    let greeting = greet(&uri.authority.host, uri.authority.port);
    let frame = tokio::time::timeout(PATIENCE, greeting).await.ok()?.ok()?;
    parse(version_in(&frame)?)
}

async fn greet(host: &str, port: u16) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect((host, port)).await?;
    stream.write_all(b"AMQP\x00\x00\x09\x01").await?;
    let mut head = [0; 7];
    stream.read_exact(&mut head).await?;
    let size = u32::from_be_bytes([head[3], head[4], head[5], head[6]]);
    let size = usize::try_from(size).unwrap_or(usize::MAX).min(MAX_FRAME);
    let mut frame = vec![0; size];
    stream.read_exact(&mut frame).await?;
    Ok(frame)
}

/// The text of the property `version` in the server's first method.
fn version_in(frame: &[u8]) -> Option<&str> {
    // A short string with its length, then a long string with its kind and length.
    const KEY: &[u8] = b"\x07versionS";
    let at = frame.windows(KEY.len()).position(|window| window == KEY)? + KEY.len();
    let (length, rest) = frame.get(at..)?.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    std::str::from_utf8(rest.get(..length)?).ok()
}

fn parse(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_found_among_the_properties() {
        let mut frame =
            b"\x00\x0a\x00\x0a\x00\x09....\x07productS\x00\x00\x00\x08RabbitMQ".to_vec();
        frame.extend(b"\x07versionS\x00\x00\x00\x064.3.17more");
        assert_eq!(version_in(&frame).and_then(parse), Some((4, 3)));
        assert_eq!(version_in(b"\x07versionS\x00\x00"), None);
        assert_eq!(version_in(b"nothing"), None);
        assert_eq!(parse("main"), None);
    }
}
