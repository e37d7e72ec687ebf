//! Options of `doctor`.

use clap::Args;

use crate::output::Format;

/// Options of `doctor`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pagewire doctor                      what this machine can do, and what to change
  pagewire doctor -o json | jq 'select(.state != \"ok\")'")]
pub(crate) struct DoctorArgs {
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
