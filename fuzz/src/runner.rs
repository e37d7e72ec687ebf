//! Builds the engine with coverage and starts it. Nothing but the stable toolchain and a C++ compiler is needed:
//! `-C passes` and `-C llvm-args` are stable, only the sanitizers are not, and memory errors are not what is looked
//! for in code without `unsafe`.
//!
//! What it keeps lies under `target/fuzz/`: `build/` (a target directory of its own, since other flags would rebuild
//! everything), `seeds/`, `corpus/` (grows from run to run) and `found/` (inputs that broke a promise).

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::targets::Target;

/// Tells the engine which target to run.
pub const TARGET_VARIABLE: &str = "PAGEWIRE_FUZZ_TARGET";

/// Coverage as libFuzzer wants it: a counter per edge, the table of their places, and the operands of comparisons.
const COVERAGE: [&str; 5] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];
const CHECKS: [&str; 2] = ["-Cdebug-assertions", "-Coverflow-checks"];
/// One run that takes longer is a finding.
const RUN_SECONDS_MAX: u32 = 10;
/// More resident memory is a finding.
const MEMORY_MIB_MAX: u32 = 1024;
const INPUT_BYTES_MAX: u32 = 16_384;

/// When to stop.
#[derive(Debug, Clone, Copy)]
pub enum Effort {
    /// After this time.
    Seconds(u64),
    /// After this many runs.
    Runs(u64),
}

/// Fuzzes `target`. `Ok(false)`: it broke its promise, and the engine has said where the input lies.
pub fn fuzz(target: &Target, effort: Effort, seed: u32) -> Result<bool> {
    let home = root().join("target/fuzz");
    let engine = build(&home)?;
    let seeds = write_seeds(target, &home)?;
    let corpus = home.join("corpus").join(target.name);
    let found = home.join("found");
    std::fs::create_dir_all(&corpus)?;
    std::fs::create_dir_all(&found)?;
    let limit = match effort {
        Effort::Seconds(seconds) => format!("-max_total_time={seconds}"),
        Effort::Runs(runs) => format!("-runs={runs}"),
    };
    let status = Command::new(engine)
        .env(TARGET_VARIABLE, target.name)
        .arg(limit)
        .arg(format!("-seed={seed}"))
        .arg(format!("-timeout={RUN_SECONDS_MAX}"))
        .arg(format!("-rss_limit_mb={MEMORY_MIB_MAX}"))
        .arg(format!("-max_len={INPUT_BYTES_MAX}"))
        .arg(format!("-artifact_prefix={}/{}-", found.display(), target.name))
        .args(["-print_final_stats=1", "-use_value_profile=1"])
        .args([&corpus, &seeds])
        .status()
        .context("the engine does not start")?;
    Ok(status.success())
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// Builds the engine; its path. `--target` keeps the coverage flags away from build scripts.
fn build(home: &Path) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let host = host()?;
    let status = Command::new(cargo)
        .current_dir(root())
        .env("RUSTFLAGS", [&COVERAGE[..], &CHECKS].concat().join(" "))
        .args(["build", "--release", "--package", "pagewire-fuzz", "--features", "engine"])
        .args(["--bin", "pagewire-fuzz-engine", "--target", &host, "--target-dir"])
        .arg(home.join("build"))
        .status()
        .context("cargo does not start")?;
    if !status.success() {
        bail!("the engine does not build; libFuzzer needs a C++ compiler (Debian: g++)");
    }
    Ok(home.join("build").join(host).join("release/pagewire-fuzz-engine"))
}

fn host() -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("-vV").output().context("rustc does not start")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc does not say what it compiles for")
}

fn write_seeds(target: &Target, home: &Path) -> Result<PathBuf> {
    let folder = home.join("seeds").join(target.name);
    std::fs::create_dir_all(&folder)?;
    for (at, seed) in (target.seeds)().iter().enumerate() {
        std::fs::write(folder.join(format!("{at:04}")), seed)?;
    }
    Ok(folder)
}
