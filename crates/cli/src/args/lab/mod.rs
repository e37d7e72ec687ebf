//! Options of `lab`, one file per subcommand.

pub(crate) mod calibrate;
pub(crate) mod drive;
pub(crate) mod proof;
pub(crate) mod report;
pub(crate) mod routes;
pub(crate) mod values;

use clap::{Args, Subcommand};

/// Options of `lab`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pagewire lab routes --quick          which way from a file to a socket is cheapest, here
  pagewire lab proof                   which of them copies, and how that is known")]
pub(crate) struct LabArgs {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: LabCommand,
}

/// What the lab can do.
#[derive(Debug, Subcommand)]
pub(crate) enum LabCommand {
    /// Measure every route: size, residency, receiver, link
    Routes(routes::RoutesArgs),
    /// Prove which routes copy, and try what people say about them
    Proof(proof::ProofArgs),
    /// Find this machine's thresholds and write them where `serve` reads them
    Calibrate(calibrate::CalibrateArgs),
    /// Load Kafka brokers, several of them interleaved
    Drive(Box<drive::DriveArgs>),
    /// Make a page with plots out of recorded lines
    Report(report::ReportArgs),
}
