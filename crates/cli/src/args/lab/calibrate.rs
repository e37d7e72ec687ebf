//! Options of `lab calibrate`.

use std::path::PathBuf;

use clap::Args;

use crate::args::OutputAs;

/// Options of `lab calibrate`.
///
/// Measures for pieces of 1 KiB to 1 MiB what each route costs that may be chosen by itself, and writes down from which
/// length on which is cheapest. `serve` reads it at its next start from the same data directory; the setting
/// pagewire.transfer.thresholds wins over it. The default route stays wherever no other is at least 10 % cheaper.
#[derive(Debug, Args)]
#[command(
    about = "Find this machine's thresholds and write them where `serve` reads them",
    after_help = "Examples:
  pagewire lab calibrate --print                        measure and show, change nothing
  pagewire lab calibrate                                for a broker whose data is in ./pagewire-data
  pagewire lab calibrate --data-dir /var/lib/pagewire
  pagewire lab calibrate --print -o json | jq -r .thresholds"
)]
pub(crate) struct CalibrateArgs {
    /// The broker's data directory; root does not make it, since what root made its broker could not write to
    #[arg(long, env = "PAGEWIRE_DATA_DIR", default_value = "./pagewire-data", value_name = "DIR")]
    pub(crate) data_dir: PathBuf,
    /// Only show what would be written
    #[arg(long)]
    pub(crate) print: bool,
    /// Where the file to send is made; it has no name and is gone afterwards [default: the data directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) file_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputAs,
}
