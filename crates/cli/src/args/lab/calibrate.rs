//! Options of `lab calibrate`.

use clap::Args;

use crate::output::Format;

/// Options of `lab calibrate`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pagewire lab calibrate -o json")]
pub(crate) struct CalibrateArgs {
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
