//! Apache Kafka as one node, broker and controller in one, from the jars that Maven keeps.
//!
//! Three things make it start in a second: the storage is formatted once and copied, a class-data
//! archive is kept beside the jars, and the compiler stops at its first tier.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use super::daemon;
use super::install::{self, Package};
use super::state::Instance;
use crate::process;

/// The version of everything here.
const VERSION: &str = "4.3.1";
/// A fixed identity lets one formatted storage serve all instances: 16 bytes in URL-safe base64.
const CLUSTER: &str = "c3dpdGNoYm9hcmQtZGV2ZQ";
/// The line that the node logs when it serves.
pub(crate) const READY: &str = "Kafka Server started";
/// What it takes to run a short-lived broker.
const JVM: &[&str] = &[
    "-Xmx512m",
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-Xshare:auto",
    "-Xlog:disable",
    "-Xlog:all=error:stderr",
    "-Djava.awt.headless=true",
    "-Dlog4j2.disable.jmx=true",
];
const LOGGING: &str = "\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %c{1}: %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
# Says when the node is ready.
logger.raft.name = kafka.server.KafkaRaftServer
logger.raft.level = info
";

/// The jars: kept whole in one folder of the cache, with what was made from them.
pub(crate) fn package() -> anyhow::Result<Package> {
    Package::named("kafka", VERSION)
}

/// Resolves the jars, formats a storage to copy, and records the class-data archive.
pub(crate) fn install() -> anyhow::Result<()> {
    let package = package()?;
    package.install(|folder| {
        fs::write(folder.join("pom.xml"), pom())?;
        let libs = folder.join("libs").to_string_lossy().into_owned();
        let output = format!("-DoutputDirectory={libs}");
        install::maven(folder, &["copy-dependencies", "-DincludeScope=runtime", &output])?;
        fs::write(folder.join("log4j2.properties"), LOGGING)?;
        format_template(folder)
    })?;
    let archive = package.folder().join("classes.jsa");
    if !archive.exists() {
        record_classes(&archive)?;
    }
    Ok(())
}

/// Writes what the broker needs, and says how it is started.
pub(crate) fn prepare(instance: &Instance) -> anyhow::Result<Command> {
    let data = instance.folder.join("data");
    if !data.exists() {
        // Complete under its own name first: half a storage would look like a damaged one.
        let copy = instance.folder.join("data.new");
        process::copy(&package()?.folder().join("template"), &copy)?;
        fs::rename(copy, &data)?;
    }
    let (port, controller) = ports(instance)?;
    fs::write(settings(instance), properties(port, controller, &data))?;
    command(instance)
}

fn command(instance: &Instance) -> anyhow::Result<Command> {
    let folder = package()?.folder().to_owned();
    let mut command = java(&folder)?;
    command.arg(format!("-XX:SharedArchiveFile={}", folder.join("classes.jsa").display()));
    command.arg("kafka.Kafka").arg(settings(instance));
    Ok(command)
}

fn settings(instance: &Instance) -> PathBuf {
    instance.folder.join("server.properties")
}

fn ports(instance: &Instance) -> anyhow::Result<(u16, u16)> {
    match instance.ports[..] {
        [port, controller] => Ok((port, controller)),
        _ => bail!("{} must name two ports", instance.file().display()),
    }
}

/// Java with our flags and the jars as its class path. The order is fixed, as the class-data archive
/// belongs to one exact path.
fn java(folder: &Path) -> anyhow::Result<Command> {
    let program = match std::env::var_os("JAVA_HOME") {
        Some(home) => PathBuf::from(home).join("bin/java"),
        None => PathBuf::from("java"),
    };
    let logging = folder.join("log4j2.properties");
    let mut command = Command::new(program);
    command.args(JVM);
    command.arg(format!("-Dlog4j2.configurationFile={}", logging.display()));
    command.arg("-cp").arg(install::class_path(folder)?);
    command.current_dir(folder);
    Ok(command)
}

/// Formats a storage once. Its metadata hold no ports, so that every instance starts from a copy.
fn format_template(folder: &Path) -> anyhow::Result<()> {
    let template = folder.join("template");
    let settings = folder.join("format.properties");
    fs::write(&settings, properties(9092, 9093, &template))?;
    let mut command = java(folder)?;
    command.args(["kafka.tools.StorageTool", "format", "--cluster-id", CLUSTER, "--config"]);
    let output = command.arg(settings).output().context("cannot start `java`")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        bail!("Kafka's storage could not be formatted: {said}{}", process::text(&output.stderr));
    }
    Ok(())
}

/// Starts a broker once to learn which classes it loads. Only an orderly end writes the archive.
fn record_classes(archive: &Path) -> anyhow::Result<()> {
    let root = tempfile::tempdir()?;
    let instance = Instance::create(super::Engine::Kafka, root.path())?;
    prepare(&instance)?;
    let fresh = archive.with_extension("new");
    let mut command = java(package()?.folder())?;
    command.arg(format!("-XX:ArchiveClassesAtExit={}", fresh.display()));
    command.arg("kafka.Kafka").arg(settings(&instance));
    let ready = daemon::Ready { line: READY, port: instance.port() };
    daemon::start(command, &instance.pid_file(), &instance.log(), ready)?;
    let broker = instance.process().context("the broker ended by itself")?;
    broker.stop("TERM")?;
    // Without it the broker starts more slowly, and that is all.
    if fresh.exists() {
        fs::rename(fresh, archive)?;
    }
    Ok(())
}

/// What Maven resolves. Kafka brings no binding for its logging: without one every line is lost,
/// also the one that says it is ready. scala-reflect is not needed at run time.
fn pom() -> String {
    let dependency = |group: &str, artifact: &str, version: &str, without: (&str, &str)| {
        format!(
            "<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>\
             <version>{version}</version><exclusions><exclusion><groupId>{}</groupId>\
             <artifactId>{}</artifactId></exclusion></exclusions></dependency>",
            without.0, without.1
        )
    };
    let kafka =
        dependency("org.apache.kafka", "kafka_2.13", VERSION, ("org.scala-lang", "scala-reflect"));
    let binding = dependency("org.apache.logging.log4j", "log4j-slf4j-impl", "2.25.4", ("*", "*"));
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\
         <groupId>switchboard</groupId><artifactId>engine-kafka</artifactId><version>1</version>\
         <packaging>pom</packaging><dependencies>{kafka}{binding}</dependencies></project>\n"
    )
}

/// The broker's settings: one node, so every replication factor is 1; few partitions of its own
/// topics, because fifty take seconds; no waiting for more members when a group begins; and a short
/// session, because a broker that crashed is let in again only when its old session is over.
fn properties(port: u16, controller: u16, data: &Path) -> String {
    let mut text = format!(
        "process.roles=broker,controller\n\
         node.id=1\n\
         controller.quorum.voters=1@127.0.0.1:{controller}\n\
         controller.listener.names=CONTROLLER\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
         listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
         inter.broker.listener.name=PLAINTEXT\n\
         log.dirs={}\n\
         auto.create.topics.enable=false\n\
         group.initial.rebalance.delay.ms=0\n\
         broker.heartbeat.interval.ms=500\n\
         broker.session.timeout.ms=3000\n\
         default.replication.factor=1\n\
         min.insync.replicas=1\n\
         num.network.threads=2\n\
         num.io.threads=4\n\
         log.cleaner.dedupe.buffer.size=16777216\n",
        data.display()
    );
    for topic in ["offsets.topic", "transaction.state.log", "share.coordinator.state.topic"] {
        let _ = write!(text, "{topic}.replication.factor=1\n{topic}.num.partitions=2\n");
    }
    text.push_str("transaction.state.log.min.isr=1\nshare.coordinator.state.topic.min.isr=1\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_node_waits_for_no_other() {
        let text = properties(1, 2, Path::new("/data"));
        let factors: Vec<_> =
            text.lines().filter(|line| line.contains("replication.factor")).collect();
        assert_eq!(factors.len(), 4);
        assert!(factors.iter().all(|line| line.ends_with("=1")), "{factors:?}");
        assert!(text.contains("\ngroup.initial.rebalance.delay.ms=0\n"));
        assert!(text.contains("\nauto.create.topics.enable=false\n"));
    }

    #[test]
    fn every_listener_is_on_loopback() {
        let text = properties(2_001, 2_002, Path::new("/data"));
        assert!(text.contains("\nadvertised.listeners=PLAINTEXT://127.0.0.1:2001\n"));
        assert_eq!(text.matches("://").count(), text.matches("://127.0.0.1:").count());
    }

    #[test]
    fn the_pom_names_kafka_and_the_binding_of_its_logging() {
        let text = pom();
        assert!(text.contains("<artifactId>kafka_2.13</artifactId><version>4.3.1</version>"));
        assert!(text.contains("log4j-slf4j-impl"));
        assert_eq!(text.matches("<dependency>").count(), text.matches("</dependency>").count());
    }
}
