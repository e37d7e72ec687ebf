//! Warming a broker that was just started: a virtual machine takes more CPU as long as it compiles what it runs.

use std::time::Duration;

use anyhow::Result;
use pagewire_lab::drive::process;

/// So many passes are enough, steady or not.
const PASSES_MAX: usize = 6;
/// A pass that takes at least so much of the one before is as good as it: the least gain that is waited for is a tenth.
const STEADY: f64 = 0.9;

/// Runs a load until it takes no less CPU than before, and says how often that was.
pub(super) fn warm(name: &str, pid: u32, mut load: impl FnMut() -> Result<()>) -> Result<()> {
    let (passes, is_steady) = until_steady(|| {
        let before = process::cpu(pid)?;
        load()?;
        Ok(process::cpu(pid)?.saturating_sub(before))
    })?;
    let steady = if is_steady { "its CPU is steady" } else { "its CPU still falls" };
    eprintln!("  {name} is warm after {passes} passes: {steady}");
    Ok(())
}

/// How many passes it took, and whether the last one was no cheaper than the one before.
fn until_steady(mut pass: impl FnMut() -> Result<Duration>) -> Result<(usize, bool)> {
    let mut before = pass()?;
    for passes in 2..=PASSES_MAX {
        let now = pass()?;
        if now >= before.mul_f64(STEADY) {
            return Ok((passes, true));
        }
        before = now;
    }
    Ok((PASSES_MAX, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(took_ms: &[u64]) -> (usize, bool) {
        let mut took = took_ms.iter();
        until_steady(|| Ok(Duration::from_millis(*took.next().unwrap()))).unwrap()
    }

    #[test]
    fn passes_end_when_one_is_no_cheaper_and_never_go_on_for_ever() {
        assert_eq!(passes(&[10, 10]), (2, true));
        assert_eq!(passes(&[10, 95]), (2, true), "one that was disturbed is not waited for");
        assert_eq!(passes(&[1000, 500, 300, 280]), (4, true));
        assert_eq!(passes(&[1000, 800, 600, 400, 200, 100]), (6, false));
    }
}
