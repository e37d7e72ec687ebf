//! Options of `lab report`, and the option by which other subcommands write a report of what they recorded.

use std::path::PathBuf;

use clap::Args;

/// Options of `lab report`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pagewire lab routes -o json > routes.jsonl; pagewire lab report routes.jsonl --dir report
  pagewire lab report routes.jsonl proof.jsonl drive.jsonl --dir report
  pagewire lab proof -o json | pagewire lab report --dir report")]
pub(crate) struct ReportArgs {
    /// Records of the lab, one JSON object a line; `-`, or no file at all, is standard input
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Write index.html and the records into this directory
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,
}

/// The option of `lab routes`, `lab proof` and `lab drive`: flatten it into their options.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ReportTo {
    /// Also write a page with plots into this directory: index.html, and the records beside it
    #[arg(long, value_name = "DIR")]
    pub(crate) report: Option<PathBuf>,
}
