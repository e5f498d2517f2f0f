//! The two commands that keep the project true: every test, and everything that CI checks.
//!
//! Cargo is always asked for the whole workspace. One package at a time would resolve other features
//! for the same dependencies, and so compile many of them again, librdkafka's C code among them.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::debian::{self, Need, Present};
use crate::engines::{self, session};
use crate::phases::Phases;
use crate::{browser, graphql, grpc, house, interface, process, storm, tidy};

/// Kills in the suite; any number by `cargo xtask storm --kills N`.
const KILLS: u32 = 20;
/// Packages with this feature have tests that need something real beside them. They are the test
/// target of the name [`ENGINE_TARGET`], so that all other tests need nothing.
const ENGINE_FEATURE: &str = "engine-tests";
const ENGINE_TARGET: &str = "engines";
/// The Python that has other people's clients.
const PYTHON: &str = "SWITCHBOARD_TEST_PYTHON";

/// Builds librdkafka.
const MAKE: Need = Need { present: Present::Program("make"), packages: &["make"] };
/// Builds librdkafka with TLS. Lints and documents cover that feature; the tests do without.
const OPENSSL: Need = Need {
    present: Present::Command("pkg-config --exists openssl 2>/dev/null"),
    packages: &["libssl-dev", "pkg-config"],
};

/// All tests. Without `embedded`, also those with real engines and in a real browser, which are
/// installed if missing.
pub(crate) fn test(embedded: bool) -> anyhow::Result<()> {
    let mut phases = Phases::default();
    let end = if embedded { embedded_tests(&mut phases) } else { all_tests(&mut phases) };
    println!("\n{phases}");
    end
}

/// What CI runs.
pub(crate) fn ci() -> anyhow::Result<()> {
    let mut phases = Phases::default();
    let end = checks(&mut phases).and_then(|()| all_tests(&mut phases));
    println!("\n{phases}");
    end
}

fn checks(phases: &mut Phases) -> anyhow::Result<()> {
    phases.run("format", || process::run("cargo", &["fmt", "--all", "--check"]))?;
    phases.run("house rules", tidy::run)?;
    phases.run("packages of Debian", || from_debian(&[OPENSSL]))?;
    let lints =
        ["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"];
    phases.run("lints", || process::run("cargo", &lints))?;
    phases.run("documents", || {
        let arguments = ["doc", "--workspace", "--no-deps", "--all-features"];
        process::run_with("cargo", &arguments, &[("RUSTDOCFLAGS", "-D warnings")])
    })
}

fn embedded_tests(phases: &mut Phases) -> anyhow::Result<()> {
    debian::ensure(&[MAKE])?;
    phases.run("tests", || process::run("cargo", &["test", "--workspace"]))?;
    let binary = tested_binary()?;
    phases.run("storm", || storm::run(&binary, KILLS, None))
}

fn all_tests(phases: &mut Phases) -> anyhow::Result<()> {
    let features = engine_features(&metadata()?)?.join(",");
    let real = ["test", "--workspace", "--features", &features, "--test", ENGINE_TARGET];
    phases.run("packages of Debian", || from_debian(&[]))?;
    let python = phases.run("compile, and install engines", || {
        let ours = session::ours()?;
        let theirs = std::env::var(PYTHON).ok();
        // The network and the compiler do not stand in each other's way.
        std::thread::scope(|scope| {
            let fetch = scope.spawn(|| engines::from_registries(&ours, theirs.is_none()));
            let compiled = process::run("cargo", &["test", "--workspace", "--no-run"])
                .and_then(|()| process::run("cargo", &[&real[..], &["--no-run"]].concat()));
            let fetched = fetch.join().unwrap_or_else(|_| bail!("the installation panicked"));
            compiled.and(fetched)
        })?;
        match theirs {
            Some(python) => Ok(python),
            None => Ok(engines::python()?.to_string_lossy().into_owned()),
        }
    })?;
    let plain = ["test", "--workspace"];
    phases.run("tests", || process::run_with("cargo", &plain, &[(PYTHON, &python)]))?;
    let session = phases.run("start engines", session::Session::start)?;
    let end = phases.run("tests with engines", || {
        let environment: Vec<_> =
            session.environment().chain([(PYTHON, python.as_str())]).collect();
        // All of them, also when one fails: engines were started for them.
        process::run_with("cargo", &[&real[..], &["--no-fail-fast"]].concat(), &environment)
    });
    end.map_err(|error| session.failed(error))?;
    phases.run("stop engines", || {
        drop(session);
        Ok(())
    })?;
    let binary = tested_binary()?;
    phases.run("storm", || storm::run(&binary, KILLS, None))?;
    phases.run("gRPC by a stranger", || grpc::stranger(&binary, &python))?;
    phases.run("buf", grpc::buf)?;
    phases.run("interface", || interface::run(&binary))?;
    phases.run("browser", || browser::run(&binary))?;
    phases.run("GraphQL audit", || graphql::run(&binary))
}

/// All that the suite needs from Debian, in one run of apt-get.
fn from_debian(more: &[Need]) -> anyhow::Result<()> {
    let mut needs = vec![MAKE];
    needs.extend(browser::NEEDS);
    needs.extend(interface::needs());
    needs.extend_from_slice(more);
    let python = std::env::var_os(PYTHON).is_none();
    engines::from_debian(&session::ours()?, python, &needs)
}

/// The packages whose tests need something real, as features of the workspace.
fn engine_features(metadata: &Value) -> anyhow::Result<Vec<String>> {
    let mut features = Vec::new();
    for package in metadata["packages"].as_array().context("cargo metadata has no packages")? {
        let name = package["name"].as_str().unwrap_or_default();
        let has_feature = package["features"].get(ENGINE_FEATURE).is_some();
        let has_target = package["targets"]
            .as_array()
            .into_iter()
            .flatten()
            .any(|target| target["name"] == ENGINE_TARGET && target["kind"][0] == "test");
        match (has_feature, has_target) {
            (true, true) => features.push(format!("{name}/{ENGINE_FEATURE}")),
            (false, false) => {}
            // One without the other would be left out, and nobody would notice.
            _ => bail!(
                "`{name}` needs both or neither: the feature `{ENGINE_FEATURE}` and the test \
                 target `{ENGINE_TARGET}`"
            ),
        }
    }
    Ok(features)
}

/// The platform as the tests have just built it. A build of that package alone would compile its
/// dependencies once more.
fn tested_binary() -> anyhow::Result<PathBuf> {
    let binary = binary("debug")?;
    if Path::new(&binary).exists() { Ok(binary) } else { platform_binary() }
}

/// Builds the platform and says where it is.
pub(crate) fn platform_binary() -> anyhow::Result<PathBuf> {
    process::run("cargo", &["build", "--package", "shop-platform"])?;
    binary("debug")
}

/// Where a profile's build of the platform lies.
pub(crate) fn binary(profile: &str) -> anyhow::Result<PathBuf> {
    let target = metadata()?["target_directory"]
        .as_str()
        .map_or_else(|| house::root().join("target"), PathBuf::from);
    Ok(target.join(profile).join("switchboard"))
}

fn metadata() -> anyhow::Result<Value> {
    let text = process::output("cargo", &["metadata", "--format-version=1", "--no-deps"])?;
    Ok(serde_json::from_str(&text)?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn package(name: &str, feature: bool, target: &str) -> Value {
        let features = if feature { json!({ENGINE_FEATURE: []}) } else { json!({}) };
        json!({"name": name, "features": features,
               "targets": [{"name": target, "kind": ["test"]}]})
    }

    #[test]
    fn packages_with_feature_and_target_are_found() {
        let metadata =
            json!({"packages": [package("a", true, "engines"), package("b", false, "it")]});
        assert_eq!(engine_features(&metadata).unwrap(), ["a/engine-tests"]);
    }

    #[test]
    fn tests_that_would_never_run_are_refused() {
        for lone in [package("a", true, "it"), package("a", false, "engines")] {
            let error = engine_features(&json!({"packages": [lone]})).unwrap_err();
            assert!(error.to_string().contains("`a` needs both"), "{error}");
        }
    }
}
