//! Load on any Kafka brokers, side by side, with what it costs them.
//!
//! ```text
//!   Plan (targets, cases, sizes, rounds) -> run -> Watch       what it does now, what must be known to read the figures
//!                                            |     Audience    record::DriveCell, one for each broker and case
//!                                            v
//!   Broker -> Topic -> Load (produce, afresh, hot, cold, end_to_end, connections) -> race (threads, clock) -> Meter -> Tally
//!                       '-> Alone       one of them on one broker, for who measures something else beside it
//! ```
//!
//! * All brokers take turns in every round, so that what disturbs the machine disturbs all; ratios are of one round,
//!   and a round that one of them cannot be measured in counts for none.
//! * A broker that fails is left out of the rest of its case, and tried again in the next: it takes nobody down.
//! * System calls are counted in rounds behind those, of which nothing else is taken.
//! * CPU is the broker process's own, from its clock; the client's stands beside it, to see when that is the
//!   bottleneck.
//! * `end-to-end` and `connections` follow a schedule fixed in advance: no coordinated omission.
//! * Every topic is the drive's own and is removed, however the run ends.
//!
//! # Figures
//!
//! | key | what | where |
//! |-|-|-|
//! | `cpu_s_per_gb`, `cpu_us_per_record`, `cpu_us_per_request`, `cpu_cores` | the broker process's CPU by byte, record, request, second | where its process is known |
//! | `client_cpu_s_per_gb` and so on | the same of the drive itself | always |
//! | `machine_cpu_s_per_gb` and so on | what all CPUs of this machine did meanwhile, the client, the kernel's own work and other programs included, the other brokers' own CPU (`others_cpu_cores`) left out, in ticks of 10 ms | where `/proc/stat` can be read |
//! | `elsewhere_cpu_cores` | of the machine's CPU what neither the broker, the client, the other brokers nor the kernel's threads used: other programs, and interrupts of idle CPUs; what the clock of all CPUs cannot tell is taken off, and it is absent where nothing is left | where both can be read |
//! | `stolen_cpu_share` | what a hypervisor gave to others of all CPUs; absent where it was nothing | where `/proc/stat` can be read |
//! | `synced_cpu_s_per_gb`, `synced_cpu_us_per_record` | the same until all that was written is on the disk: who leaves that to the kernel pays here too | cases that write |
//! | `syscalls_per_record`, `syscalls_per_request` | the broker's system calls, counted in rounds of their own behind the others, since that slows the whole machine down; where they cannot be, a note says why | where its process is known, with the right to read tracepoints |
//! | `rss_mib`, `peak_rss_mib` | the broker's memory after a round, and at most in it; where that cannot be had, at most since the process began, and a note says so | where its process is known |
//! | `disk_bytes_per_byte` | bytes that its process read from a disk for each byte it sent | the same, and its user or root |
//! | `mb_per_s`, `records_per_s`, `requests_per_s` | what was moved | always |
//! | `round_s`, `round_requests` | how long a round was and what was asked in it: one that ends after so many bytes is shorter the faster a broker is | always |
//! | `behind_ms` | the most that a send was late by the drive's own fault: no answer kept it | `end-to-end`, `connections` |
//! | `missing_records` | records that were due and never came, or were not answered before the round was over | the same |
//! | `cpu_us_per_connect`, `client_cpu_us_per_connect`, `connects_per_s`, `idle_kib_per_connection` | of the idle ones, once: what making each cost the broker and the client, how fast that went, what each takes of the broker's resident memory, without the kernel's for its socket | `connections` |
//!
//! `latency_us` is from request to answer in `produce`, `produce-afresh`, `fetch-hot` and `fetch-cold`, where the next request
//! waits for the answer; in the other two from when a record was due. MB and GB are 10^6 and 10^9 bytes of record batches, as
//! they are on the wire. A record counts in `end-to-end` for each consumer that gets it.

mod alone;
mod broker;
mod busy;
mod calls;
pub mod client;
mod congestion;
mod latency;
mod load;
mod meter;
mod notes;
mod plan;
pub mod process;
mod quiet;
mod rounds;
mod run;
mod schedule;
mod steal;
mod tally;
mod target;
#[cfg(test)]
mod testing;
mod topic;
pub mod words;

pub use alone::{Alone, Known};
pub use busy::{Busy, WasBusy};
pub use congestion::{into_network_without_pacing, pacing, without_pacing};
pub use latency::Latencies;
pub use notes::late_words;
pub use plan::{Case, Plan};
pub use quiet::wait_for_quiet;
pub use run::{Audience, run, was_stopped};
pub use steal::Steal;
pub use target::Target;
