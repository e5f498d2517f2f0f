//! Where both sides write their lines: JSON into `/dev/null`, at the cost of a real write; and an ear for what they write.

use std::fs::File;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::Outcome;

/// The lines of requests, and nothing else that libraries trace.
const LINES: &str = "off,switchboard::access=debug,shop_edge=debug";

/// The place.
pub(super) struct Sink(Arc<Inner>);

struct Inner {
    null: File,
    listens: AtomicBool,
    heard: Mutex<Vec<u8>>,
}

#[derive(Clone)]
struct Writer(Arc<Inner>);

// === impl Sink ===

impl Sink {
    /// Makes it the place of all lines of this process.
    pub(super) fn install() -> Outcome<Self> {
        let null = File::options().write(true).open("/dev/null")?;
        let inner =
            Arc::new(Inner { null, listens: AtomicBool::new(false), heard: Mutex::default() });
        let writer = Writer(inner.clone());
        tracing_subscriber::fmt()
            .json()
            .with_env_filter(EnvFilter::try_new(LINES)?)
            .with_writer(writer)
            .try_init()?;
        Ok(Self(inner))
    }

    /// Keeps what is written from now on.
    pub(super) fn listen(&self) {
        self.heard().clear();
        self.0.listens.store(true, Ordering::SeqCst);
    }

    /// The fields of the one line that was written, sorted, with its message.
    pub(super) fn fields(&self, settle: impl FnOnce()) -> Outcome<Vec<String>> {
        settle();
        self.0.listens.store(false, Ordering::SeqCst);
        let lines = String::from_utf8(self.heard().clone())?;
        let mut lines = lines.lines();
        let line: Value = serde_json::from_str(lines.next().ok_or("nothing was written")?)?;
        if let Some(more) = lines.next() {
            return Err(format!("more than one line was written: {more}").into());
        }
        let fields = line["fields"].as_object().ok_or("a line without fields")?;
        let mut names: Vec<_> = fields.keys().cloned().collect();
        names.sort_unstable();
        Ok(names)
    }

    fn heard(&self) -> std::sync::MutexGuard<'_, Vec<u8>> {
        self.0.heard.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl<'a> MakeWriter<'a> for Writer {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> &'a Self {
        self
    }
}

impl Write for &Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.listens.load(Ordering::Relaxed) {
            let mut heard =
                self.0.heard.lock().map_err(|_| io::Error::other("a writer panicked"))?;
            heard.extend_from_slice(bytes);
        }
        (&self.0.null).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
