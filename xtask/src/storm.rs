//! Kills the shop at random moments under load, starts it again, and in the end does the sums.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::bail;

use crate::shop;

/// Kills the platform so often, then checks that nothing was lost and nothing happened twice.
pub(crate) fn run(binary: &Path, kills: u32, seed: Option<u64>) -> anyhow::Result<()> {
    let mut chance = seed.unwrap_or_else(random_seed);
    println!("storm: {kills} kills, seed {chance}");
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let start = |listen: &str| shop::begin(binary, listen, &data);
    let (mut platform, url) = start("127.0.0.1:0")?;
    let listen = url.trim_start_matches("http://").to_owned();
    let mut load = Command::new(binary)
        .args([
            "storm-load",
            "--url",
            &url,
            "--data",
            &data.to_string_lossy(),
            "--seed",
            &chance.to_string(),
        ])
        .args(["--seconds", "600"])
        .stdin(std::process::Stdio::piped())
        .spawn()?;
    for kill in 1..=kills {
        let calm = Duration::from_millis(300 + next(&mut chance) % 1_500);
        std::thread::park_timeout(calm);
        platform.kill()?;
        if let Some(status) = load.try_wait()? {
            bail!("the load ended early, at kill {kill}: {status}");
        }
        let begun = Instant::now();
        (platform, _) = start(&listen)?;
        println!("storm: kill {kill} of {kills}, ready again after {:?}", begun.elapsed());
    }
    // Closing its input tells the load to stop placing orders, wait for their ends and do the sums.
    drop(load.stdin.take());
    let begun = Instant::now();
    let status = loop {
        match load.try_wait()? {
            Some(status) => break status,
            None if begun.elapsed() > Duration::from_secs(120) => {
                let _ = load.kill();
                bail!("orders were not final two minutes after the last kill");
            }
            None => std::thread::park_timeout(Duration::from_millis(50)),
        }
    };
    if !status.success() {
        bail!("the sums are off after {kills} kills");
    }
    shop::end(platform)?;
    println!("storm: the sums agree after {kills} kills");
    Ok(())
}

/// A small generator (SplitMix64) that a printed seed repeats.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn random_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}
