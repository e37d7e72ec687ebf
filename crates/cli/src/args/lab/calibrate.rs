//! Options of `lab calibrate`.

use std::path::PathBuf;

use clap::Args;

use super::values;
use crate::args::OutputAs;

/// Options of `lab calibrate`.
#[derive(Debug, Args)]
#[command(
    about = "Find this machine's thresholds and write them where `serve` reads them",
    after_help = "Measures for pieces of 1 KiB to 1 MiB what each route costs that may be chosen by itself, and writes down from which length \
on which is cheapest. serve reads it at its next start from the same data directory, unless the setting \
pagewire.transfer.thresholds is there, which wins over it; the settings are found as serve finds them, and that is said \
then. The default route stays wherever no other is at least 10 % cheaper, by the middle of the ratios within the rounds. \
Ctrl-C shows the figures so far and changes nothing.

Examples:
  pagewire lab calibrate --print                        measure and show, change nothing
  pagewire lab calibrate                                for a broker whose data is in ./pagewire-data
  pagewire lab calibrate --data-dir /var/lib/pagewire
  pagewire lab calibrate --config server.properties     for a broker with these settings
  pagewire lab calibrate --print -o json | jq -r .thresholds"
)]
pub(crate) struct CalibrateArgs {
    /// A properties file, such as the broker's [env: PAGEWIRE_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The broker's data directory; root does not make it, since what root made its broker could not write to [default:
    /// ./pagewire-data] [env: PAGEWIRE_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Only show what would be written
    #[arg(long)]
    pub(crate) print: bool,
    /// How often everything is measured [default: 15]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=values::ROUNDS_MAX))]
    pub(crate) rounds: Option<u64>,
    /// Where the file to send is made; it has no name and is gone afterwards [default: the data directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) file_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputAs,
}
