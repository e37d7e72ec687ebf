//! Stacks that `perf record` took: folded, drawn, and the functions in which the time was spent.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, ensure};
use inferno::collapse::Collapse;
use inferno::collapse::perf::{Folder, Options};
use inferno::flamegraph;

/// So many functions are told.
const TOLD: usize = 25;

/// Each stack as `frame;frame;frame COUNT`, the outermost first.
pub(super) fn fold(data: &Path) -> Result<Vec<String>> {
    let mut script = Command::new("perf")
        .args(["script", "-i"])
        .arg(data)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("perf cannot be run")?;
    let stacks = script.stdout.take().context("perf says nothing")?;
    let mut folded = Vec::new();
    Folder::from(Options::default()).collapse(BufReader::new(stacks), &mut folded)?;
    let status = script.wait()?;
    ensure!(status.success(), "perf script ended with {status}");
    Ok(String::from_utf8_lossy(&folded).lines().map(str::to_owned).collect())
}

/// As a picture.
pub(super) fn draw(stacks: &[String], to: &Path, title: &str) -> Result<()> {
    let mut options = flamegraph::Options::default();
    title.clone_into(&mut options.title);
    let file = File::create(to).with_context(|| to.display().to_string())?;
    let lines = stacks.iter().map(String::as_str);
    flamegraph::from_lines(&mut options, lines, BufWriter::new(file)).map_err(|error| anyhow!("{error}"))
}

/// The innermost frames by their share of the samples, in percent.
pub(super) fn hottest(stacks: &[String]) -> Vec<(f64, String)> {
    let mut by_name: BTreeMap<&str, u64> = BTreeMap::new();
    for (frames, count) in stacks.iter().filter_map(|line| line.rsplit_once(' ')) {
        let innermost = frames.rsplit(';').next().unwrap_or(frames);
        *by_name.entry(innermost).or_default() += count.parse::<u64>().unwrap_or(0);
    }
    let total = by_name.values().sum::<u64>().max(1) as f64;
    let mut shares: Vec<_> =
        by_name.into_iter().map(|(name, count)| (count as f64 / total * 100.0, name.to_owned())).collect();
    shares.sort_by(|one, other| other.0.total_cmp(&one.0));
    shares.truncate(TOLD);
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_that_of_the_innermost_function() {
        let stacks = ["main;serve;send 3", "main;serve 1", "main;other;send 4"].map(str::to_owned);
        assert_eq!(hottest(&stacks), [(87.5, "send".to_owned()), (12.5, "serve".to_owned())]);
    }

    #[test]
    fn stacks_are_drawn() {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("x.svg");
        draw(&["main;serve;send 3".to_owned()], &to, "floor: produce").unwrap();
        assert!(std::fs::read_to_string(to).unwrap().contains("floor: produce"));
    }
}
