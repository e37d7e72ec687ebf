//! `pagewire lab calibrate`.

use crate::args::lab::calibrate::CalibrateArgs;

/// Runs it.
pub(crate) fn run(args: &CalibrateArgs) -> anyhow::Result<()> {
    anyhow::bail!("not built yet: {args:?}")
}
