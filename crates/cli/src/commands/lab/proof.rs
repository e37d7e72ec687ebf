//! `pagewire lab proof`.

use crate::args::lab::proof::ProofArgs;

/// Runs it.
pub(crate) fn run(args: &ProofArgs) -> anyhow::Result<()> {
    anyhow::bail!("not built yet: {args:?}")
}
