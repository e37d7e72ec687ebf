//! `pagewire man`: the pages are made from the same definition as the help.

use std::fs;

use anyhow::Context;
use clap::CommandFactory;

use crate::args::{Cli, ManArgs};
use crate::output::Out;

/// Prints the page of `pagewire`, or writes one per command.
pub(crate) fn run(args: &ManArgs) -> anyhow::Result<()> {
    let mut out = Out::new();
    if let Some(dir) = &args.dir {
        fs::create_dir_all(dir).with_context(|| format!("{} cannot be made", dir.display()))?;
        clap_mangen::generate_to(Cli::command(), dir)
            .with_context(|| format!("the pages cannot be written to {}", dir.display()))?;
        out.line(format_args!("pages written to {}", dir.display()))?;
    } else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command()).render(&mut page)?;
        out.write(&page)?;
    }
    out.flush()
}
