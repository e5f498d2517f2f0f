//! A mail server process that can be killed and started again on the same port.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use switchboard_testkit::python;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// A running server; it ends with this.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    news: UnboundedReceiver<Value>,
}

// === impl Server ===

impl Server {
    /// Any free port, no encryption.
    pub(crate) async fn start() -> Self {
        Self::start_on(0, None).await
    }

    /// STARTTLS with the certificates of this folder, and `shop` with `secret`.
    pub(crate) async fn protected(folder: &Path) -> Self {
        Self::start_on(0, Some(folder)).await
    }

    pub(crate) async fn start_on(port: u16, tls: Option<&Path>) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engines/server.py");
        let mut child = Command::new(python::interpreter())
            .arg(script)
            .arg(port.to_string())
            .arg(tls.unwrap_or(Path::new("-")))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, mut news) = unbounded_channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _test_is_over = sender.send(serde_json::from_str(&line).unwrap());
            }
        });
        let first: Value = news.recv().await.expect("the mail server has started");
        let port = u16::try_from(first["port"].as_u64().unwrap()).unwrap();
        Self { child, port, news }
    }

    pub(crate) fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// What has happened since somebody last asked.
    pub(crate) fn news(&mut self) -> Vec<Value> {
        std::iter::from_fn(|| self.news.try_recv().ok()).collect()
    }

    /// As by a power cut.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _dead_already = self.child.kill();
        let _dead_already = self.child.wait();
    }
}
