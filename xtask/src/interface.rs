//! The interface as others see it: its document before their linters, a running shop before their fuzzer, collections before their reader.
//!
//! The tools are other people's, of exact versions, installed once into the cache. One that cannot be had is an error: a check that was
//! left out would look like one that was passed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use serde_json::Value;

use crate::debian::{self, Need};
use crate::documents::DOCUMENT;
use crate::engines::{Package, VENV};
use crate::shop::Shop;
use crate::{house, npm, process};

/// The linters of documents, and the reader of collections.
const MODULES: [&str; 3] =
    ["@stoplight/spectral-cli@6.16.3", "@redocly/cli@2.77.0", "postman-collection@5.3.1"];
/// What sends a shop all that its document allows, and all that it does not.
const FUZZER: &str = "schemathesis==4.32.5";
/// Rules and scripts of these checks.
const RULES: &str = "shop/platform/tests/interface";
/// What the checks need from Debian.
pub(crate) fn needs() -> [Need; 2] {
    [npm::NEED, VENV]
}

/// Runs all of them on the committed document and on a shop that this program starts.
pub(crate) fn run(binary: &Path) -> anyhow::Result<()> {
    debian::ensure(&needs())?;
    let tools = Tools::install()?;
    let folder = tempfile::tempdir()?;
    tools.lint()?;
    tools.read_collections(binary, folder.path())?;
    let shop = Shop::start(binary)?;
    let (url, operator) = (shop.url.clone(), shop.operator_token()?);
    let customer = process::output_with(
        "node",
        &[&rule("customer.mjs").to_string_lossy()],
        &[("SHOP_URL", &url)],
    )?;
    tools.fuzz("the operator", &url, &operator, folder.path(), &[])?;
    // What a customer makes for somebody else is hidden from them: that is no resource that got lost.
    let hidden = ["--exclude-checks", "ensure_resource_availability"];
    tools.fuzz("a customer", &url, customer.trim(), folder.path(), &hidden)?;
    shop.stop()
}

fn rule(file: &str) -> PathBuf {
    house::root().join(RULES).join(file)
}

/// Where the tools lie.
struct Tools {
    /// The Node modules.
    modules: PathBuf,
    /// The Python of the fuzzer.
    python: PathBuf,
}

// === impl Tools ===

impl Tools {
    fn install() -> anyhow::Result<Self> {
        let modules = npm::installed("interface", &MODULES)?;
        let python = fuzzer()?;
        python.install(|folder| {
            let log = folder.with_extension("log");
            process::logged(Command::new("python3").args(["-m", "venv"]).arg(folder), &log)?;
            let mut pip = Command::new(folder.join("bin/python"));
            process::logged(pip.args(["-m", "pip", "install", "--quiet", FUZZER]), &log)
        })?;
        Ok(Self { modules, python: python.folder().join("bin/python") })
    }

    fn module(&self, program: &str) -> String {
        self.modules.join(".bin").join(program).to_string_lossy().into_owned()
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

/// A folder of the cache for the fuzzer, named after its version.
fn fuzzer() -> anyhow::Result<Package> {
    let (name, version) = FUZZER.split_once("==").context("of one exact version")?;
    Package::named(name, version)
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
    fn a_folder_is_named_after_the_version_that_is_in_it() {
        assert!(fuzzer().unwrap().folder().ends_with("engines/schemathesis-4.32.5"));
    }
}
