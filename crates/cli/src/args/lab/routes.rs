//! Options of `lab routes`.

use clap::Args;

use crate::output::Format;

/// Options of `lab routes`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pagewire lab routes -o json")]
pub(crate) struct RoutesArgs {
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
