//! The table of targets, one file each.

mod batch;
mod checkpoint;
mod control;
mod decoded;
mod directory;
mod frames;
mod group_record;
mod index;
mod kraft;
mod manifest;
mod metadata;
mod partition_files;
mod produced;
mod recovery;
mod request;
mod response;
mod settings;
mod store_file;
mod thresholds;
mod txn_record;

/// An entry point and the promise it has to keep.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What it promises.
    pub promise: &'static str,
    /// Runs it once.
    pub run: fn(&[u8]),
    /// Well-formed inputs to start from.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Seeded mutations in a bounded run.
    pub bounded_runs: u32,
}

/// All targets.
pub static TARGETS: &[Target] = &[
    Target {
        name: "request",
        promise: "a request of any key and version is read or refused; what was read can be written and read again",
        run: request::run,
        seeds: request::seeds,
        bounded_runs: 40_000,
    },
    Target {
        name: "response",
        promise: "so is a response, for our own client",
        run: response::run,
        seeds: response::seeds,
        bounded_runs: 40_000,
    },
    Target {
        name: "frames",
        promise: "a stream is cut into the same frames however it arrives in pieces",
        run: frames::run,
        seeds: frames::seeds,
        bounded_runs: 5_000,
    },
    Target {
        name: "batch",
        promise: "record batches are read or refused within the decompression limit",
        run: batch::run,
        seeds: batch::seeds,
        bounded_runs: 20_000,
    },
    Target {
        name: "produced",
        promise: "what the leader accepts from a producer is a valid batch with the records that were sent",
        run: produced::run,
        seeds: produced::seeds,
        bounded_runs: 20_000,
    },
    Target {
        name: "recovery",
        promise: "a log opens over any files, serves only whole valid batches, takes appends, and opens again the same",
        run: recovery::run,
        seeds: recovery::seeds,
        bounded_runs: 2_000,
    },
    Target {
        name: "index",
        promise: "damaged index files change no answer",
        run: index::run,
        seeds: index::seeds,
        bounded_runs: 1_000,
    },
    Target {
        name: "group-record",
        promise: "a record of the offsets topic is read or refused; what was read can be written and read again",
        run: group_record::run,
        seeds: group_record::seeds,
        bounded_runs: 20_000,
    },
    Target {
        name: "txn-record",
        promise: "a record of __transaction_state is read or refused; what was decided in it is done, what was read can be written and read again",
        run: txn_record::run,
        seeds: txn_record::seeds,
        bounded_runs: 20_000,
    },
    Target {
        name: "checkpoint",
        promise: "a checkpoint file is read or refused; what was read renders and reads back the same",
        run: checkpoint::run,
        seeds: checkpoint::seeds,
        bounded_runs: 20_000,
    },
    Target {
        name: "partition-files",
        promise: "a file of a partition is read entry by entry to its end, whatever is in it",
        run: partition_files::run,
        seeds: partition_files::seeds,
        bounded_runs: 10_000,
    },
    Target {
        name: "directory",
        promise: "a log directory of any files is checked, opened, read, scrubbed, compacted and closed, or refused",
        run: directory::run,
        seeds: directory::seeds,
        bounded_runs: 800,
    },
    Target {
        name: "kraft",
        promise: "a metadata log of Kafka's is read or refused, the same each time, with the file named",
        run: kraft::run,
        seeds: kraft::seeds,
        bounded_runs: 10_000,
    },
    Target {
        name: "manifest",
        promise: "a backup's manifest is read or refused; what was read can be written and read again",
        run: manifest::run,
        seeds: manifest::seeds,
        bounded_runs: 20_000,
    },
    Target {
        name: "control",
        promise: "a request on the control socket is answered by one line of bounded length, however it comes in pieces",
        run: control::run,
        seeds: control::seeds,
        bounded_runs: 10_000,
    },
    Target {
        name: "decoded",
        promise: "a record of an internal topic is shown in words or as JSON, in memory bounded by its bytes",
        run: decoded::run,
        seeds: decoded::seeds,
        bounded_runs: 40_000,
    },
    Target {
        name: "metadata",
        promise: "a row of the metadata store is read or refused, whatever kind it is of; what was read reads back the same",
        run: metadata::run,
        seeds: metadata::seeds,
        bounded_runs: 40_000,
    },
    Target {
        name: "store-file",
        promise: "a metadata file with bytes changed answers as before, or is refused with its name",
        run: store_file::run,
        seeds: store_file::seeds,
        bounded_runs: 2_000,
    },
    Target {
        name: "settings",
        promise: "a properties file is read, or everything wrong with it is told; what was read reads back the same",
        run: settings::run,
        seeds: settings::seeds,
        bounded_runs: 10_000,
    },
    Target {
        name: "thresholds",
        promise: "a file of thresholds is a ladder for pieces of any length, or refused; it reads back the same",
        run: thresholds::run,
        seeds: thresholds::seeds,
        bounded_runs: 40_000,
    },
];
