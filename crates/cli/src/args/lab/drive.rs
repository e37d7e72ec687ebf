//! Options of `lab drive`.

use clap::Args;

use crate::output::Format;

/// Options of `lab drive`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pagewire lab drive -o json")]
pub(crate) struct DriveArgs {
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
