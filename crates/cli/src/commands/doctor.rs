//! `pagewire doctor`.

use crate::args::doctor::DoctorArgs;

/// Runs it.
pub(crate) fn run(args: &DoctorArgs) -> anyhow::Result<()> {
    anyhow::bail!("not built yet: {args:?}")
}
