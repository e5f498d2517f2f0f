//! The interface as others see it: its document before their linters, a running shop before their fuzzer, collections before their reader.
//!
//! The tools are other people's, of exact versions, installed once into the cache. One that cannot be had is an error: a check that was
//! left out would look like one that was passed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;

use crate::debian::{self, Need};
use crate::documents::DOCUMENT;
use crate::engines::{Package, VENV};
use crate::{browser, house, process};

/// The linters of documents, and the reader of collections.
const MODULES: [&str; 3] =
    ["@stoplight/spectral-cli@6.16.3", "@redocly/cli@2.77.0", "postman-collection@5.3.1"];
/// What sends a shop all that its document allows, and all that it does not.
const FUZZER: &str = "schemathesis==4.32.5";
/// Rules and scripts of these checks.
const RULES: &str = "shop/platform/tests/interface";
/// How a shop's start is awaited.
const START: Duration = Duration::from_secs(60);
/// How long it may take to end.
const END: Duration = Duration::from_secs(5);

/// What the checks need from Debian.
pub(crate) fn needs() -> [Need; 2] {
    [browser::NPM, VENV]
}

/// Runs all of them on the committed document and on a shop that this program starts.
pub(crate) fn run(binary: &Path) -> anyhow::Result<()> {
    debian::ensure(&needs())?;
    let tools = Tools::install()?;
    let folder = tempfile::tempdir()?;
    tools.lint()?;
    tools.read_collections(binary, folder.path())?;
    let data = folder.path().join("data");
    let (platform, said) = process::Beside::start(
        binary,
        &["up", "--listen", "127.0.0.1:0", "--data", &data.to_string_lossy()],
        "ready",
        START,
    )?;
    let url = browser::address(&said).context("the platform printed no address")?;
    let operator = fs::read_to_string(data.join("operator-token"))?;
    let customer = process::output_with(
        "node",
        &[&rule("customer.mjs").to_string_lossy()],
        &[("SHOP_URL", &url)],
    )?;
    tools.fuzz("the operator", &url, operator.trim(), folder.path(), &[])?;
    // What a customer makes for somebody else is hidden from them: that is no resource that got lost.
    let hidden = ["--exclude-checks", "ensure_resource_availability"];
    tools.fuzz("a customer", &url, customer.trim(), folder.path(), &hidden)?;
    platform.stop(END)
}

fn rule(file: &str) -> PathBuf {
    house::root().join(RULES).join(file)
}

/// Where the tools lie.
struct Tools {
    /// The folder of the Node modules.
    modules: PathBuf,
    /// The Python of the fuzzer.
    python: PathBuf,
}

// === impl Tools ===

impl Tools {
    fn install() -> anyhow::Result<Self> {
        let modules = package("interface", &MODULES)?;
        modules.install(|folder| {
            let mut npm = Command::new("npm");
            npm.args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"]);
            process::logged(npm.arg(folder).args(MODULES), &folder.with_extension("log"))
        })?;
        let python = package("fuzzer", &[FUZZER])?;
        python.install(|folder| {
            let log = folder.with_extension("log");
            process::logged(Command::new("python3").args(["-m", "venv"]).arg(folder), &log)?;
            let mut pip = Command::new(folder.join("bin/python"));
            process::logged(pip.args(["-m", "pip", "install", "--quiet", FUZZER]), &log)
        })?;
        Ok(Self {
            modules: modules.folder().to_owned(),
            python: python.folder().join("bin/python"),
        })
    }

    fn module(&self, program: &str) -> String {
        self.modules.join("node_modules/.bin").join(program).to_string_lossy().into_owned()
    }

    /// Spectral and Redocly, for which a warning is an error too.
    fn lint(&self) -> anyhow::Result<()> {
        let rules = rule("spectral.yaml");
        let rules = rules.to_string_lossy();
        process::run(
            &self.module("spectral"),
            &["lint", "--quiet", "--fail-severity=hint", "--ruleset", &rules, DOCUMENT],
        )?;
        let rules = rule("redocly.yaml");
        let found = Command::new(self.module("redocly"))
            .args(["lint", "--format=json", "--max-problems=1000", "--config"])
            .arg(rules)
            .arg(DOCUMENT)
            .env("REDOCLY_TELEMETRY", "off")
            .env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true")
            .current_dir(house::root())
            .output()
            .context("cannot start `redocly`")?;
        judge(&String::from_utf8_lossy(&found.stdout))
            .with_context(|| process::text(&found.stderr))?;
        println!("spectral and redocly have nothing to say about {DOCUMENT}");
        Ok(())
    }

    /// Both collections, out of the program that the tests have built.
    fn read_collections(&self, binary: &Path, folder: &Path) -> anyhow::Result<()> {
        let binary = binary.to_string_lossy();
        let mut files = Vec::new();
        for format in ["postman", "insomnia"] {
            let file = folder.join(format!("{format}.json")).to_string_lossy().into_owned();
            process::quietly(&binary, &["collection", "--format", format, "--out", &file])?;
            files.push(file);
        }
        let script = rule("collections.mjs");
        let modules = self.modules.to_string_lossy();
        process::run("node", &[&script.to_string_lossy(), &files[0], &files[1], &modules])
    }

    /// Sends the shop what its document allows and what it does not, as somebody.
    fn fuzz(
        &self,
        who: &str,
        url: &str,
        token: &str,
        folder: &Path,
        more: &[&str],
    ) -> anyhow::Result<()> {
        let log = house::cache()?.join(format!("fuzzer-{}.log", who.replace(' ', "-")));
        fs::write(&log, "")?;
        println!("schemathesis, as {who}: its log is {}", log.display());
        let mut fuzzer = Command::new(&self.python);
        fuzzer
            .args(["-m", "schemathesis.cli", "--config-file"])
            .arg(rule("schemathesis.toml"))
            .args(["run", "--no-color", &format!("{url}/openapi.json")])
            .args(more)
            .env("SHOP_TOKEN", token)
            .current_dir(folder);
        process::logged(&mut fuzzer, &log).with_context(|| format!("schemathesis, as {who}"))
    }
}

/// A folder of the cache for these, named after their versions.
fn package(name: &str, tools: &[&str]) -> anyhow::Result<Package> {
    let versions: Vec<_> =
        tools.iter().map(|tool| tool.rsplit(['@', '=']).next().unwrap_or_default()).collect();
    Package::named(name, &versions.join("-"))
}

/// What Redocly found, as an error that names all of it.
fn judge(found: &str) -> anyhow::Result<()> {
    let found: Value = serde_json::from_str(found).context("redocly did not answer in JSON")?;
    let problems = found["problems"].as_array().context("redocly's answer has no problems")?;
    let lines: Vec<_> = problems
        .iter()
        .map(|problem| {
            let place = problem["location"][0]["pointer"].as_str().unwrap_or("?");
            let (rule, message) = (problem["ruleId"].as_str(), problem["message"].as_str());
            format!("{place}: {} ({})", message.unwrap_or("?"), rule.unwrap_or("?"))
        })
        .collect();
    if lines.is_empty() {
        return Ok(());
    }
    bail!("redocly found {}:\n{}", lines.len(), lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_redocly_finds_is_an_error_that_names_it() {
        judge(r#"{"totals": {"errors": 0}, "problems": []}"#).unwrap();
        let one = r##"{"problems": [{"ruleId": "no-x", "severity": "warn", "message": "x is there",
            "location": [{"pointer": "#/paths"}]}]}"##;
        let error = judge(one).unwrap_err().to_string();
        assert!(error.contains("#/paths: x is there (no-x)"), "{error}");
        assert!(judge("no JSON").is_err() && judge("{}").is_err(), "silence is no praise");
    }

    #[test]
    fn a_folder_is_named_after_the_versions_that_are_in_it() {
        let folder = package("interface", &MODULES).unwrap();
        assert!(folder.folder().ends_with("engines/interface-6.16.3-2.77.0-5.3.1"));
        assert!(package("fuzzer", &[FUZZER]).unwrap().folder().ends_with("fuzzer-4.32.5"));
    }
}
