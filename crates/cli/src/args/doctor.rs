//! Options of `doctor`.

use std::path::PathBuf;

use clap::Args;

use crate::args::OutputAs;

/// Options of `doctor`.
///
/// The data directory and the settings are found as `serve` finds them, so that what is judged is what would be served.
#[derive(Debug, Args)]
#[command(
    after_help = "Every line is ok, could be better, or broken: it says what was found, and what to do about it. What can be \
tried is tried (a file is sent each way over the loopback, small writes are synced in the data directory), nothing is \
changed, nothing is left behind, and no root is needed. It takes a second or two, and is safe beside a running broker. \
Run it as the broker's user: permissions are those of whoever asks. Limits are those of the broker while it runs, else of \
this shell; a unit or container may set others.

Exit code: 0, or 1 when something is broken.

Examples:
  pagewire doctor                              what this machine can do, and what to change
  pagewire doctor --data-dir /var/lib/pagewire the disk and the data under that directory
  pagewire doctor --config server.properties   with the settings of that broker
  pagewire doctor --set log.segment.bytes=104857600   and with one that it does not have yet
  pagewire doctor -o json | jq 'select(.state != \"ok\")'"
)]
pub(crate) struct DoctorArgs {
    /// A properties file, such as the broker's [env: PAGEWIRE_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where data is or will be kept [default: ./pagewire-data] [env: PAGEWIRE_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// A setting, as `serve` takes it; may be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = super::serve::setting)]
    pub(crate) set: Vec<String>,
    #[command(flatten)]
    pub(crate) output: OutputAs,
}
