//! `pagewire lab routes`.

use crate::args::lab::routes::RoutesArgs;

/// Runs it.
pub(crate) fn run(args: &RoutesArgs) -> anyhow::Result<()> {
    anyhow::bail!("not built yet: {args:?}")
}
