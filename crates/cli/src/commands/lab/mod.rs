//! `pagewire lab`, one file per subcommand.

mod calibrate;
mod drive;
mod looking;
mod place;
mod proof;
mod report;
mod routes;

use crate::args::lab::{LabArgs, LabCommand};

/// Does what the subcommand says.
pub(crate) fn run(args: &LabArgs) -> anyhow::Result<()> {
    match &args.command {
        LabCommand::Routes(args) => routes::run(args),
        LabCommand::Proof(args) => proof::run(args),
        LabCommand::Calibrate(args) => calibrate::run(args),
        LabCommand::Drive(args) => drive::run(args),
        LabCommand::Report(args) => report::run(args),
    }
}
