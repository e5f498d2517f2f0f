//! NATS JetStream and Redis streams by bare clients of some lines: text over a socket, so many in flight.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// What a peer achieved.
pub(crate) struct Figures {
    pub(crate) published_per_s: f64,
    pub(crate) latencies: Vec<Duration>,
}

/// Publishes for so long with `window` in flight; each answer is one record's ack.
fn run(
    singles: usize,
    window: usize,
    time: Duration,
    mut send: impl FnMut(usize) -> std::io::Result<()>,
    mut acked: impl FnMut() -> std::io::Result<()>,
) -> std::io::Result<Figures> {
    let mut latencies = Vec::with_capacity(singles);
    for _ in 0..singles {
        let since = Instant::now();
        send(1)?;
        acked()?;
        latencies.push(since.elapsed());
    }
    latencies.sort_unstable();
    let (begun, mut count) = (Instant::now(), 0);
    send(window)?;
    while begun.elapsed() < time {
        // Half a window at a time: a client that batches, as ours does.
        for _ in 0..window / 2 {
            acked()?;
        }
        count += window / 2;
        send(window / 2)?;
    }
    let published_per_s = count as f64 / begun.elapsed().as_secs_f64();
    for _ in 0..window {
        acked()?;
    }
    Ok(Figures { published_per_s, latencies })
}

/// A JetStream on files. The server syncs every two minutes unless told otherwise.
pub(crate) fn nats(
    address: &str,
    bytes: usize,
    singles: usize,
    window: usize,
    time: Duration,
) -> std::io::Result<Figures> {
    let socket = TcpStream::connect(address)?;
    socket.set_nodelay(true)?;
    let (mut out, mut lines) = (socket.try_clone()?, BufReader::new(socket));
    let subject = format!("bench{bytes}");
    let stream = format!(
        "{{\"name\":\"{subject}\",\"subjects\":[\"{subject}\"],\"storage\":\"file\",\
         \"retention\":\"limits\",\"max_consumers\":-1,\"max_msgs\":-1,\"max_bytes\":-1,\
         \"discard\":\"old\",\"num_replicas\":1}}"
    );
    write!(
        out,
        "CONNECT {{\"verbose\":false,\"pedantic\":false}}\r\nSUB inbox.* 1\r\n\
         PUB $JS.API.STREAM.CREATE.{subject} inbox.0 {}\r\n{stream}\r\n",
        stream.len()
    )?;
    let mut answer = move || -> std::io::Result<()> {
        let mut line = String::new();
        loop {
            line.clear();
            if lines.read_line(&mut line)? == 0 || line.starts_with("-ERR") {
                return Err(std::io::Error::other(format!("the server said: {line}")));
            }
            let Some(message) = line.strip_prefix("MSG ") else { continue };
            let length = message.split_whitespace().last().and_then(|text| text.parse().ok());
            let mut body = vec![0; length.unwrap_or(0_usize) + 2];
            lines.read_exact(&mut body)?;
            return match body.windows(7).any(|part| part == b"\"error\"") {
                true => Err(std::io::Error::other(String::from_utf8_lossy(&body).into_owned())),
                false => Ok(()),
            };
        }
    };
    answer()?;
    let record = format!("PUB {subject} inbox.1 {bytes}\r\n{}\r\n", "x".repeat(bytes));
    run(singles, window, time, move |count| out.write_all(record.repeat(count).as_bytes()), answer)
}

/// A stream in an append-only file that is synced before the answer (`appendfsync always`).
pub(crate) fn redis(
    address: &str,
    bytes: usize,
    singles: usize,
    window: usize,
    time: Duration,
) -> std::io::Result<Figures> {
    let socket = TcpStream::connect(address)?;
    socket.set_nodelay(true)?;
    let (mut out, mut lines) = (socket.try_clone()?, BufReader::new(socket));
    let record = format!(
        "*5\r\n$4\r\nXADD\r\n$5\r\nbench\r\n$1\r\n*\r\n$1\r\nd\r\n${bytes}\r\n{}\r\n",
        "x".repeat(bytes)
    );
    let answer = move || -> std::io::Result<()> {
        let mut line = String::new();
        lines.read_line(&mut line)?;
        if !line.starts_with('$') {
            return Err(std::io::Error::other(format!("the server said: {line}")));
        }
        line.clear();
        lines.read_line(&mut line).map(drop)
    };
    run(singles, window, time, move |count| out.write_all(record.repeat(count).as_bytes()), answer)
}
