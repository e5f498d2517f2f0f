//! The `switchboard` program: reads the command line, runs one command, says in one sentence what went wrong.

use std::process::ExitCode;

use clap::Parser;
use shop_platform::cli::Cli;

/// Messages are many small values that one thread makes and another drops: the C library's malloc
/// took a third of the time that handlers had.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {}", switchboard_core::chain(&*error));
            ExitCode::FAILURE
        }
    }
}
