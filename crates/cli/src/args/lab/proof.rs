//! Options of `lab proof`.

use std::path::PathBuf;

use clap::Args;

use crate::args::OutputAs;

/// Options of `lab proof`.
#[derive(Debug, Args)]
#[command(
    about = "Prove which routes copy, and try what people say about them",
    after_help = "For each route: whether the CPU copies, and how that is known. A file is sent to a peer that does not read yet, then \
overwritten in place, then read: what was sent by reference arrives new, what was copied arrives old. Beside it the same by \
a way that surely copies, the kernel's own report where there is one (MSG_ZEROCOPY), and, as root, the pages that the kernel \
allocated. Then other things that people say, each tried on this machine.

How to read it: ALIASED is the share of the bytes that changed after they had been sent; 100 % means that \
no CPU copied them. CONTROL is the same of the copying way and must be 0 %. PAGES/BYTE is memory that the kernel took for \
each byte sent: about 1 for a copy, 0 for none. REPORTED is what the kernel itself says of sends that it was to carry out \
without a copy. HOW names the witnesses that decided; `path` stands there where COPIES, or a part of it (into a buffer of the \
program, which nobody sees), follows from the path. Witnesses that contradict each other decide nothing. A claim is OPEN \
where it could not be tried, or where the rounds do not agree. Ctrl-C ends it within a moment and prints what there is.

Examples:
  pagewire lab proof
  sudo pagewire lab proof                               with page allocations and scatter-gather (by the program `ip`)
  pagewire lab proof --report proof                     and a page that shows it: proof/index.html
  pagewire lab proof -o json | jq 'select(.aliased == 1)'
  pagewire lab proof -o json | jq -r 'select(.holds == false) | .claim'"
)]
pub(crate) struct ProofArgs {
    /// Where the files to send are made; they have no name and are gone afterwards [default: the current directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) file_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) report: super::report::ReportTo,
    #[command(flatten)]
    pub(crate) output: OutputAs,
}
