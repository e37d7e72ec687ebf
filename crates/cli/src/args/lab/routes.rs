//! Options of `lab routes`.

use std::path::PathBuf;

use clap::Args;
use pagewire_lab::measure::way::Way;
use pagewire_lab::record::{Link, Receiver, Residency};

use super::values;
use crate::args::OutputAs;

/// Options of `lab routes`.
#[derive(Debug, Args)]
#[command(
    about = "Measure every route: size, residency, receiver, link",
    after_help = "Every way from a file to a socket that this machine has is measured against every other: the library's routes, what it \
chooses by itself (auto), a bare sendfile loop, and the read-write loops that most programs have. Sender and receiver are \
two processes on one CPU; figures are CPU time of the sending one, so that a busy machine disturbs them little. All ways are \
measured in turn, round by round, and compared within each round.

Without restrictions everything is measured: ten sizes, hot and cold, a peer that discards and one that reads, over loopback \
and, as root and with the program ip, over a pair of virtual interfaces with scatter-gather on and off. Each measurement \
takes about 60 ms of the sender's CPU, or sends a cold file of 256 MiB once. That takes up to an hour.

How to read it: CPU s/GB are seconds of CPU that the sending process takes for 10^9 bytes, and less is \
better. x BARE compares with a bare sendfile loop in the same rounds: 2.00 is twice as dear. BOTH ENDS adds the receiver, WHOLE \
CPU is all that their CPU did meanwhile, whoever for, in ticks of the kernel's clock. First places are for routes that can be asked for, and open (~) where \
the rounds do not tell them apart. A route that the kernel lacks is named once and left out. Ctrl-C prints what there is.

Examples:
  pagewire lab routes --quick                           the answer in under a minute
  pagewire lab routes --size 4KiB,64KiB,1MiB --detail   three sizes, every figure
  pagewire lab routes --route copy,sendfile --residency cold --file-dir /var/lib/pagewire
  pagewire lab routes --quick --report routes           the same, and a page with plots: routes/index.html
  sudo pagewire lab routes --link veth,veth-nosg        what a card without scatter-gather costs
  pagewire lab routes --quick -o json | jq -r '[.route, .bytes, .cpu_s_per_gb.median] | @tsv'"
)]
pub(crate) struct RoutesArgs {
    /// Fewer sizes and rounds, hot, a peer that discards, over loopback: done in under a minute
    #[arg(long)]
    pub(crate) quick: bool,
    /// Only these ways [default: all]
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', value_parser = values::way())]
    pub(crate) route: Vec<Way>,
    /// Only responses of these sizes, such as 4096, 64KiB, 1MiB
    /// [default: 10 from 1KiB to 64MiB; quick: 6 from 1KiB to 1MiB]
    #[arg(long, value_name = "SIZE,...", value_delimiter = ',', value_parser = values::size)]
    pub(crate) size: Vec<u64>,
    /// Only with the file in the page cache, or only without [default: both; quick: hot]
    #[arg(long, value_name = "WHERE,...", value_delimiter = ',', value_parser = values::residency())]
    pub(crate) residency: Vec<Residency>,
    /// Only a peer that discards in the kernel, or only one that reads [default: both; quick: drain]
    #[arg(long, value_name = "WHAT,...", value_delimiter = ',', value_parser = values::receiver())]
    pub(crate) receiver: Vec<Receiver>,
    /// Only over these links; veth needs root and the program ip [default: all; quick: loopback]
    #[arg(long, value_name = "LINK,...", value_delimiter = ',', value_parser = values::link())]
    pub(crate) link: Vec<Link>,
    /// How often everything is measured [default: 9; quick: 5]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=values::ROUNDS_MAX))]
    pub(crate) rounds: Option<u64>,
    /// MiB that each measurement sends, instead of what takes about 60 ms of the sender's CPU
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..=values::MIB_MAX))]
    pub(crate) mib: Option<u64>,
    /// Bytes of memory in front of each response, as a server's header [default: 60]
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(0..=65_536))]
    pub(crate) header: Option<u64>,
    /// Where the file to send is made; it has no name and is gone afterwards [default: the current directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) file_dir: Option<PathBuf>,
    /// Every cell with its spread, not only the cheapest
    #[arg(long)]
    pub(crate) detail: bool,
    #[command(flatten)]
    pub(crate) report: super::report::ReportTo,
    #[command(flatten)]
    pub(crate) output: OutputAs,
}
