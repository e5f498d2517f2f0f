//! The `switchboard` program: reads the command line, runs one command, says in one sentence what went wrong.

use std::process::ExitCode;

use clap::Parser;
use shop_platform::cli::Cli;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {}", switchboard_core::chain(&*error));
            ExitCode::FAILURE
        }
    }
}
