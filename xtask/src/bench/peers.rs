//! NATS and Redis, from Debian, for the comparison of brokers: private, on loopback, for as long as a bench runs.

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::debian::{self, Need, Present};

const NEEDS: &[Need] = &[
    Need { present: Present::Program("nats-server"), packages: &["nats-server"] },
    Need { present: Present::Program("redis-server"), packages: &["redis-server"] },
];

/// Running peers; stopped when this is dropped.
#[derive(Debug)]
pub(super) struct Peers {
    children: Vec<Child>,
    environment: Vec<(&'static str, String)>,
    folder: PathBuf,
}

// === impl Peers ===

impl Peers {
    pub(super) fn start() -> anyhow::Result<Self> {
        debian::ensure(NEEDS)?;
        let folder = tempfile::Builder::new().prefix("switchboard-peers-").tempdir()?.keep();
        let mut peers = Self { children: Vec::new(), environment: Vec::new(), folder };
        let folder = peers.folder.to_string_lossy().into_owned();
        let port = free_port()?.to_string();
        peers.add(
            "SWITCHBOARD_BENCH_NATS",
            &port,
            "nats-server",
            &["--addr", "127.0.0.1", "--port", &port, "--jetstream", "--store_dir", &folder],
        )?;
        let port = free_port()?.to_string();
        peers.add(
            "SWITCHBOARD_BENCH_REDIS",
            &port,
            "redis-server",
            &[
                "--bind",
                "127.0.0.1",
                "--port",
                &port,
                "--dir",
                &folder,
                "--appendonly",
                "yes",
                "--appendfsync",
                "always",
                "--save",
                "",
            ],
        )?;
        Ok(peers)
    }

    fn add(
        &mut self,
        variable: &'static str,
        port: &str,
        program: &str,
        arguments: &[&str],
    ) -> anyhow::Result<()> {
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start `{program}`"))?;
        self.children.push(child);
        let address = format!("127.0.0.1:{port}");
        let begun = Instant::now();
        while TcpStream::connect(&address).is_err() {
            if begun.elapsed() > Duration::from_secs(10) {
                bail!("`{program}` does not listen on {address}");
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
        self.environment.push((variable, address));
        Ok(())
    }

    pub(super) fn environment(&self) -> impl Iterator<Item = (&str, &str)> {
        self.environment.iter().map(|(name, value)| (*name, value.as_str()))
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _gone_already = child.kill();
            let _gone_already = child.wait();
        }
        let _kept_at_worst = std::fs::remove_dir_all(&self.folder);
    }
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
