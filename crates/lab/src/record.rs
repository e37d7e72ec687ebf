//! What the lab writes down: one JSON object a line, for programs and for the report. Names end in their unit.
//!
//! Fields may be added; those that are here keep their names and meaning.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::copies;
use crate::spread::Spread;

/// Whether the file's pages were in the page cache when a cell began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Residency {
    /// All of them.
    Hot,
    /// None of them.
    Cold,
}

/// What the peer does with the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Receiver {
    /// Discards them in the kernel, without a copy (`MSG_TRUNC`).
    Drain,
    /// Reads them into memory.
    Read,
}

/// Where the pages of a file in the page cache come from. Later sends of what was written in large pieces, or read
/// ahead, differ in cost, because the pages lie in blocks of other sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PagesFrom {
    /// From the program that wrote the file: on a file system that holds files in memory only.
    Written,
    /// From the disk, read ahead.
    ReadAhead,
}

/// How it is known that nothing of a file was in the page cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ColdHow {
    /// The kernel counted the pages of all that is sent, and there were none (`cachestat(2)`).
    Cachestat,
    /// A page here and there was looked at, and none was there.
    Looks,
}

/// How the kernel gives the CPU to sender and receiver, which share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheduling {
    /// As other programs: whichever wakes may interrupt the other.
    Default,
    /// `SCHED_BATCH`: it waits until the other waits, or its turn is over.
    Batch,
}

/// What lies between the two ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Link {
    /// The loopback interface.
    Loopback,
    /// A pair of virtual Ethernet interfaces between two network namespaces.
    Veth,
    /// The same with scatter-gather off.
    VethNosg,
}

/// Where and when a run took place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// `uname -r`.
    pub kernel: String,
    /// The CPU's name.
    pub cpu: String,
    /// How many of them this process may use.
    pub cpus: usize,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// The congestion control the measured sockets use.
    pub congestion_control: String,
    /// The system's default.
    pub congestion_control_default: String,
    /// Offloads of the link that matter, e.g. `scatter-gather` -> `on`.
    pub offloads: BTreeMap<String, String>,
    /// The file system of the measured file.
    pub file_system: String,
    /// How much may be dirty, where the kernel tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dirty: Option<DirtyLimits>,
    /// The load average over the last minute, at the beginning.
    pub load: f64,
    /// When the run began, RFC 3339.
    pub began: String,
}

/// How much may be written and not be on a disk yet, in MiB. Both follow the memory that is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirtyLimits {
    /// With more the kernel begins to write it back by itself.
    pub background_mib: u64,
    /// With more whoever writes waits.
    pub foreground_mib: u64,
}

/// The cost of one route in one setting: a line of `lab routes`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RouteCell {
    /// The route's name, or a way that is not one of the library's: `read-write-32k`, `sendfile-bare`.
    pub route: String,
    /// Bytes of one response.
    pub bytes: u64,
    /// Where the file's pages were.
    pub residency: Residency,
    /// What the peer did.
    pub receiver: Receiver,
    /// What lay between.
    pub link: Link,
    /// CPU seconds of the sending process per GB (10^9 bytes of the file; here and below without the headers).
    pub cpu_s_per_gb: Spread,
    /// CPU seconds of all that takes part per GB: see `system_how`.
    pub system_cpu_s_per_gb: Spread,
    /// What that is: `cpu-busy`, all that the processes' CPU did but idle, the kernel's interrupts and threads
    /// included, and other programs too (over blocks of rounds of at least a fifth of a second); or `processes`, the
    /// sum of sender and receiver, where the rounds are too short for that or the kernel does not tell.
    #[serde(default)]
    pub system_how: String,
    /// CPU seconds of sender and receiver together per GB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes_cpu_s_per_gb: Option<Spread>,
    /// MB (10^6 bytes) a second.
    pub mb_per_s: Spread,
    /// Microseconds of the sender's CPU per response.
    pub cpu_us_per_response: Spread,
    /// System calls of the sender per MiB (2^20 bytes).
    pub syscalls_per_mib: f64,
    /// Crossings of the border between program and kernel per MiB: two per system call and
    /// per page fault.
    pub crossings_per_mib: f64,
    /// Page faults of the sender, minor and major, per MiB.
    pub faults_per_mib: f64,
    /// Times the CPU copies each byte on the sending side.
    pub cpu_copies: u8,
    /// Whether `cpu_copies` was measured here; else it follows from the path.
    pub measured: bool,
    /// The response on which the aliasing test was made, in bytes; nothing where there was none, or where the kernel
    /// itself reported on the very sends. Less than `bytes` for what is too long to be queued whole: it is taken to go
    /// as the longest that could be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured_bytes: Option<u64>,
    /// Transfers by a device per byte: from the disk where the file was cold. Follows from the path.
    pub dma_copies: u8,
    /// The share of bytes that really went by `route`: less than 1 where the kernel refused it.
    pub by_route: f64,
    /// Of what chooses by itself, the share of bytes that each route took; empty for the others.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub took: BTreeMap<String, f64>,
    /// Why not all, where the kernel said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// `cpu_s_per_gb` in relation to that of the bare `sendfile` loop in the same setting and the same rounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x_bare: Option<f64>,
    /// Bytes of memory sent in front of each response's file bytes.
    #[serde(default)]
    pub header_bytes: u64,
    /// How system calls are known: `counted` by the kernel, or `reported` by the way itself.
    #[serde(default)]
    pub syscalls_how: String,
    /// Where the pages came from, where they were in the page cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages_from: Option<PagesFrom>,
    /// How it is known that they were not, where they were not to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cold_how: Option<ColdHow>,
    /// The CPU that both processes were kept on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned_cpu: Option<usize>,
    /// How both got that CPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduling: Option<Scheduling>,
    /// The receiver was woken for no less, in bytes (`SO_RCVLOWAT`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receive_low_water_bytes: Option<u32>,
    /// Rounds measured.
    pub rounds: usize,
    /// Responses in each.
    #[serde(default)]
    pub responses_per_round: u64,
    /// Where this was.
    pub machine: Machine,
}

/// What the kernel itself says about sends of which it reports whether it copied after all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelWord {
    /// Sends that it was asked to carry out without a copy.
    pub sends: u64,
    /// Of these, sends that it has spoken of.
    pub completions: u64,
    /// Of these, sends that it says it copied after all.
    pub copied: u64,
}

impl KernelWord {
    /// Of the sends that it has spoken of, the share that was copied. `None` where it has not spoken.
    pub fn copied_share(self) -> Option<f64> {
        (self.completions > 0).then(|| self.copied as f64 / self.completions as f64)
    }

    /// What was said since `earlier`.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            sends: self.sends.saturating_sub(earlier.sends),
            completions: self.completions.saturating_sub(earlier.completions),
            copied: self.copied.saturating_sub(earlier.copied),
        }
    }
}

impl std::iter::Sum for KernelWord {
    fn sum<I: Iterator<Item = Self>>(words: I) -> Self {
        let add = |sum: Self, word: Self| Self {
            sends: sum.sends + word.sends,
            completions: sum.completions + word.completions,
            copied: sum.copied + word.copied,
        };
        words.fold(Self { sends: 0, completions: 0, copied: 0 }, add)
    }
}

/// Whether a route copies: a line of `lab proof`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProofLine {
    /// The route's name.
    pub route: String,
    /// Whether this kernel has it.
    pub available: bool,
    /// Why not. Of one that is there: why it could not be tried, or which witness was not believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Share of the bytes that changed with the file after they had been sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aliased: Option<f64>,
    /// The same share for the copying control in the same run: 0, or the test proves nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<f64>,
    /// Times the CPU copied each byte on the sending side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_copies: Option<u8>,
    /// How that is known: `aliasing`, `kernel-report`, `page-allocations`, several joined by `+`; `path` first where a
    /// part of the number follows from the path alone (the copy into a buffer, which nobody sees), and `path` where all
    /// does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub how: Option<String>,
    /// Bytes of pages allocated per byte sent, where tracepoints may be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocated: Option<f64>,
    /// Of completions that the kernel reported, the share that it had copied after all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported_copied: Option<f64>,
    /// The counts behind that share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel_word: Option<KernelWord>,
    /// Where this was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<Machine>,
}

impl ProofLine {
    /// Whether all copies were measured, rather than follow from the path.
    pub(crate) fn is_measured(&self) -> bool {
        self.how.as_deref().is_some_and(|how| how.split('+').all(|witness| witness != copies::BY_PATH))
    }
}

/// Something people say, and what this machine says to it: a line of `lab proof`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// What is said.
    pub claim: String,
    /// Whether it holds here; `None`: open, since it could not be tried or the figures do not decide. `evidence` says
    /// why.
    pub holds: Option<bool>,
    /// What was measured, in words with figures.
    pub evidence: String,
    /// The figures by name; names end in their unit.
    pub figures: BTreeMap<String, f64>,
    /// Where this was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<Machine>,
}

/// Load on one broker in one case: a line of `lab drive`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DriveCell {
    /// What the broker was called on the command line.
    pub broker: String,
    /// The case: `produce`, `fetch-hot`, `fetch-cold`, `end-to-end`, `connections`.
    pub case: String,
    /// The case's settings by name.
    pub settings: BTreeMap<String, String>,
    /// Figures by name, each with its spread over the rounds; names end in their unit.
    pub figures: BTreeMap<String, Spread>,
    /// Latencies in microseconds by percentile (`p50`, `p99`, `p99.9`, `max`), spread over the rounds.
    pub latency_us: BTreeMap<String, Spread>,
    /// Latency distribution of all rounds together: percentile (0 to 100) and microseconds.
    pub distribution: Vec<(f64, f64)>,
    /// Over time, all rounds one after another: seconds since the case began, MB a second up to then since the point
    /// before (a quarter of a second).
    pub timeline: Vec<(f64, f64)>,
    /// Rounds measured.
    pub rounds: usize,
    /// What each of them came to, in their order: figures and latencies (`p50_us` and so on). Of what only some rounds have,
    /// those.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub samples: BTreeMap<String, Vec<f64>>,
    /// Figures and latencies (`p50_us` and so on) divided by the first broker's of the same round; empty for itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ratio_to_first: BTreeMap<String, Spread>,
    /// The broker's process, whose CPU and memory are among the figures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<u32>,
    /// What must be known to read the figures: why CPU is unknown, what was not as asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Those of the notes by which these are not, or not known to be, figures of the case: hot records that came from the disk, a
    /// machine that was another's. Nothing is to be judged by such.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unlike: Vec<String>,
    /// Where this was.
    pub machine: Machine,
}
