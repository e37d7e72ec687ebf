//! Options of `lab proof`.

use clap::Args;

use crate::output::Format;

/// Options of `lab proof`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pagewire lab proof -o json")]
pub(crate) struct ProofArgs {
    /// Tables for people, JSON for programs
    #[arg(
        short = 'o',
        long,
        env = "PAGEWIRE_OUTPUT",
        value_enum,
        default_value = "table",
        value_name = "FORMAT"
    )]
    pub(crate) output: Format,
}
