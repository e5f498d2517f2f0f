//! Debian's packages: installed when we are root, named exactly when we are not.
//!
//! All that is missing is asked for at once, because each run of apt-get costs seconds.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::{house, process};

/// Tells package scripts whether they may start services; 101 means that they may not.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Something that a step needs: how it is recognised, and the package that brings it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Need {
    /// Recognises it.
    pub(crate) present: Present,
    /// Debian's packages that bring it.
    pub(crate) packages: &'static [&'static str],
}

/// How a need is recognised.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Present {
    /// A program in the path.
    Program(&'static str),
    /// A file or folder.
    Path(&'static str),
    /// A command that succeeds.
    Command(&'static str),
}

/// Makes sure that all of them are there.
///
/// Nothing that a package would start is started: an engine of the system beside our private ones
/// would take ports, memory and, for RabbitMQ, the name service.
pub(crate) fn ensure(needs: &[Need]) -> anyhow::Result<()> {
    let missing: Vec<_> = needs.iter().filter(|need| !need.present.holds()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<_> = missing.iter().flat_map(|need| need.packages).copied().collect();
    let names = packages.join(" ");
    if !process::exists("apt-get") {
        bail!("missing here: {}; Debian has it in: {names}", list(&missing));
    }
    if !is_root() {
        bail!("missing here: {}; as root run `apt-get install {names}`", list(&missing));
    }
    let _policy = Policy::forbid_starting()?;
    eprintln!("installing {names}");
    let log = house::cache()?.join("debian.log");
    // Somebody else's apt-get may be at work: wait for its lock instead of failing.
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(["-qq", "-o", "DPkg::Lock::Timeout=300"]).args(arguments);
        process::logged(command.env("DEBIAN_FRONTEND", "noninteractive"), &log)
    };
    apt(&["update"])?;
    let install = ["install", "-y", "--no-install-recommends"];
    apt(&[&install[..], &packages].concat())
        .with_context(|| format!("could not install {names}"))?;
    match missing.iter().find(|need| !need.present.holds()) {
        None => Ok(()),
        Some(need) => bail!("installed {names}, yet {} is missing", need.present.name()),
    }
}

/// Whether this process may change the system.
pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

fn list(missing: &[&Need]) -> String {
    let names: Vec<_> = missing.iter().map(|need| need.present.name()).collect();
    names.join(", ")
}

// === impl Present ===

impl Present {
    fn holds(self) -> bool {
        match self {
            Self::Program(name) => process::exists(name),
            Self::Path(path) => Path::new(path).exists(),
            Self::Command(command) => process::succeeds(command),
        }
    }

    fn name(self) -> String {
        match self {
            Self::Program(name) => format!("the program `{name}`"),
            Self::Path(path) => path.to_owned(),
            Self::Command(command) => format!("what `{command}` needs"),
        }
    }
}

/// Forbids package scripts to start services until it is dropped.
struct Policy {
    /// The file, if it is ours to remove.
    made: Option<PathBuf>,
}

// === impl Policy ===

impl Policy {
    fn forbid_starting() -> anyhow::Result<Self> {
        let file = PathBuf::from(POLICY);
        if file.exists() {
            return Ok(Self { made: None }); // The machine's owner has a policy already: keep it.
        }
        fs::write(&file, "#!/bin/sh\nexit 101\n").with_context(|| format!("writing {POLICY}"))?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?;
        Ok(Self { made: Some(file) })
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        if let Some(file) = &self.made {
            let _ = fs::remove_file(file);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_needs_no_installation() {
        let shell = Need { present: Present::Program("sh"), packages: &["no-such-package"] };
        let proc = Need { present: Present::Path("/proc/self"), packages: &["no-such-package"] };
        let truth = Need { present: Present::Command("true"), packages: &["no-such-package"] };
        ensure(&[shell, proc, truth]).unwrap();
        assert!(!Present::Program("no-such-program-anywhere").holds());
        assert!(!Present::Command("false").holds());
    }

    #[test]
    fn what_is_missing_is_named() {
        let need = Need { present: Present::Program("frobnicate"), packages: &["frob"] };
        assert_eq!(list(&[&need]), "the program `frobnicate`");
    }
}
