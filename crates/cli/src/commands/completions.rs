//! `pagewire completions`.

use clap::CommandFactory;

use crate::args::{Cli, CompletionsArgs};
use crate::output::Out;

/// Prints the script.
pub(crate) fn run(args: &CompletionsArgs) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "pagewire", &mut script);
    let mut out = Out::new();
    out.write(&script)?;
    out.flush()
}
