//! Programs in Python that know nothing of us: other people's clients and servers.
//!
//! `cargo xtask test` installs what they import and says where, by [`VARIABLE`].

use std::ffi::OsStr;
use std::process::Stdio;

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// The interpreter, with the packages that the tests' programs import.
pub const VARIABLE: &str = "SWITCHBOARD_TEST_PYTHON";

/// The interpreter that the environment names.
///
/// # Panics
/// When it names none.
pub fn interpreter() -> String {
    std::env::var(VARIABLE).unwrap_or_else(|_| {
        panic!("{VARIABLE} names no Python: run these tests by `cargo xtask test`")
    })
}

/// Runs a program to its end. Each value goes in as a line of JSON, each line that it prints comes
/// back as one.
///
/// # Panics
/// When it cannot be run, fails, or prints something else.
pub async fn lines(
    program: &str,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    input: &[Value],
) -> Vec<Value> {
    let mut child = Command::new(interpreter())
        .arg(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("a program that can be run");
    let text: String = input.iter().map(|line| format!("{line}\n")).collect();
    let mut stdin = child.stdin.take().expect("a pipe to it");
    stdin.write_all(text.as_bytes()).await.expect("a program that reads");
    drop(stdin);
    let output = child.wait_with_output().await.expect("a program that ends");
    assert!(output.status.success(), "{program} ended with {}", output.status);
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}
