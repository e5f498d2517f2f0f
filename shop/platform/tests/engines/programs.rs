//! The program as processes of its own: the whole shop in one, or each service twice behind a gateway.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use shop_platform::load::Client;
use shop_platform::load::client::Call;
use shop_platform::topology;

use crate::engine::{Engine, namespace};
use crate::eventually;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_switchboard");
/// How long a shop may take until it takes orders; debug builds on a busy machine are slow.
const READY: Duration = Duration::from_secs(90);

/// One running process, killed when the test ends.
pub(crate) struct Program {
    child: Child,
    arguments: Vec<String>,
    traces: PathBuf,
    /// Where it listens.
    pub(crate) url: String,
}

/// Processes that are a shop together.
pub(crate) struct Shop {
    /// Everything but the door, in pairs of copies; empty when it is one process.
    pub(crate) services: Vec<Program>,
    pub(crate) door: Program,
    pub(crate) view: View,
    folder: tempfile::TempDir,
}

/// A shop as its callers see it.
#[derive(Clone)]
pub(crate) struct View {
    pub(crate) client: Client,
}

// === impl Program ===

impl Program {
    /// Starts it and waits until it says where it listens.
    fn start(arguments: Vec<String>, traces: &Path) -> Self {
        let log = File::options().create(true).append(true).open(traces).unwrap();
        let mut command = Command::new(PROGRAM);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SWITCHBOARD_")) {
            command.env_remove(name);
        }
        let mut child = command
            .args(&arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (said, url) = mpsc::channel();
        // It reads until the end, so that the program never waits for us.
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some(at) = line.find("http://") {
                    let _later_ones_matter_to_nobody = said.send(line[at..].trim().to_owned());
                }
            }
        });
        let url = url.recv_timeout(READY);
        let mut program = Self { child, arguments, traces: traces.to_owned(), url: String::new() };
        match url {
            Ok(url) => program.url = url,
            Err(_) => panic!("{:?} does not say where it is", program.arguments),
        }
        program
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again when it has ended, on the same port.
    pub(crate) fn again(&mut self) {
        let port = self.url.trim_start_matches("http://").to_owned();
        let at = self.arguments.iter().position(|it| it == "--listen").unwrap();
        self.arguments[at + 1] = port;
        let again = Self::start(self.arguments.clone(), &self.traces);
        *self = again;
    }

    /// Asks it to end as an operator would, and expects that it does.
    pub(crate) fn end(&mut self) {
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{:?} ended with {status}", self.arguments);
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _gone_already = self.child.wait();
        if std::thread::panicking() {
            let traces = std::fs::read_to_string(&self.traces).unwrap_or_default();
            let lines: Vec<_> = traces.lines().collect();
            let last = &lines[lines.len().saturating_sub(25)..];
            eprintln!("--- {:?} said last:\n{}", self.arguments, last.join("\n"));
        }
    }
}

// === impl Shop ===

impl Shop {
    /// Everything in one process.
    pub(crate) async fn up(broker: Engine) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let arguments = arguments(&["up"], folder.path(), broker, &namespace());
        let door = Program::start(arguments, &folder.path().join("up.traces"));
        Self::of(folder, Vec::new(), door).await
    }

    /// The same, beside what the test does meanwhile.
    pub(crate) fn begin(broker: Engine) -> tokio::task::JoinHandle<Self> {
        tokio::spawn(Self::up(broker))
    }

    /// Two copies of every service, and a gateway.
    pub(crate) async fn apart(broker: Engine) -> Self {
        let (folder, namespace) = (tempfile::tempdir().unwrap(), namespace());
        let (mut services, mut upstreams) = (Vec::new(), Vec::new());
        for service in topology::names() {
            for copy in ["a", "b"] {
                let arguments = arguments(&["serve", service], folder.path(), broker, &namespace);
                let traces = folder.path().join(format!("{service}-{copy}.traces"));
                services.push(Program::start(arguments, &traces));
            }
            let [.., a, b] = services.as_slice() else { unreachable!() };
            upstreams.extend(["--upstream".to_owned(), format!("{service}={},{}", a.url, b.url)]);
        }
        let mut arguments = arguments(&["serve", "gateway"], folder.path(), broker, &namespace);
        arguments.extend(upstreams);
        let door = Program::start(arguments, &folder.path().join("gateway.traces"));
        Self::of(folder, services, door).await
    }

    async fn of(folder: tempfile::TempDir, services: Vec<Program>, door: Program) -> Self {
        let view = View { client: Client::new(&door.url) };
        let shop = Self { services, door, view, folder };
        shop.view.ready().await;
        shop
    }

    /// Does this to both copies of a service.
    pub(crate) fn both(&mut self, service: &str, mut what: impl FnMut(&mut Program)) {
        let copies = self.services.iter_mut().filter(|it| it.arguments[1] == service);
        assert_eq!(copies.map(&mut what).count(), 2, "copies of {service}");
    }

    pub(crate) fn operator_token(&self) -> String {
        let file = self.data().join("operator-token");
        std::fs::read_to_string(file).unwrap().trim().to_owned()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Ends all processes in order.
    pub(crate) fn end(mut self) {
        self.door.end();
        self.services.iter_mut().for_each(Program::end);
    }
}

// === impl View ===

impl View {
    /// Waits until orders can be taken.
    pub(crate) async fn ready(&self) {
        self.wait_for_ready(true).await;
    }

    /// Waits until the shop says that it cannot take orders.
    pub(crate) async fn not_ready(&self) {
        self.wait_for_ready(false).await;
    }

    async fn wait_for_ready(&self, expected: bool) {
        let what = if expected { "a shop that takes orders" } else { "a 503 from /readyz" };
        eventually(what, READY, || async {
            let answer = self.client.call(http::Method::GET, "/readyz", &Call::default()).await;
            let is_ready = answer.is_ok_and(|answer| answer.status.is_success());
            (is_ready == expected).then_some(())
        })
        .await;
    }
}

fn arguments(what: &[&str], folder: &Path, broker: Engine, namespace: &str) -> Vec<String> {
    let data = folder.join("data");
    let (broker, store) = (broker.url(), Engine::Postgres.url());
    let common = [
        "--listen",
        "127.0.0.1:0",
        "--data",
        data.to_str().unwrap(),
        "--namespace",
        namespace,
        "--broker",
        &broker,
        "--store",
        &store,
    ];
    what.iter().chain(&common).map(|word| (*word).to_owned()).collect()
}
