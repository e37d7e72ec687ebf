//! Says what this machine can do for a log, what it cannot, and what to change: one file per check, a folder per group.
//!
//! ```text
//!   run ── for each check of the table, on a thread of its own, within a time limit:
//!            probe()  acts: reads /proc and /sys, sends through a loopback pair, writes a temporary file  ─▶ facts
//!            judge()  decides, purely, from the facts alone                                           ─▶ findings
//! ```
//!
//! A check probes; it never guesses by version. It changes nothing on the machine and needs no privilege, and where a
//! privilege would tell more it says so. A probe that fails or takes too long is itself a finding.
//!
//! ```no_run
//! use pagewire_doctor::{Plan, examine};
//!
//! let plan = Plan { data_dir: "/var/lib/log".into(), ..Plan::default() };
//! examine(&plan, |group, finding| println!("{group}: {} {}", finding.check, finding.found));
//! ```

mod bounded;
mod data;
mod disk;
mod durability;
mod finding;
mod limits;
mod machine;
mod network;
mod place;
mod plan;
mod privilege;
mod read;
mod run;
mod transfer;
pub mod words;

pub use bounded::within;
pub use finding::{Finding, Group, State};
pub use plan::{Origin, Plan};
pub use run::examine;
