//! `pagewire lab drive`.

use crate::args::lab::drive::DriveArgs;

/// Runs it.
pub(crate) fn run(args: &DriveArgs) -> anyhow::Result<()> {
    anyhow::bail!("not built yet: {args:?}")
}
