//! Bits flipped, files cut, grown, emptied and removed: every kind of file that a log directory has, hundreds of cases each
//! after an orderly stop and after a kill. What is damaged is found or rebuilt, never served as good, and never a panic.
//!
//! ```text
//!   lived     a directory that lived: codecs, transactions, epochs, deleted records, compaction; and what it answers
//!   answers   everything that can be asked of a log
//!   harm      the ways in which a file goes wrong
//!   derived   index files, snapshots, epochs: no answer changes
//!   forecast  what a check foretells is what the start does
//!   lookalike values of records that are batches: never taken for the log's own
//!   records   `.log`: cut, refused or as it was; and said
//!   every     each bit and each length of a small one of every kind: `cargo xtask damage`
//!   small     checkpoints and identities: no answer changes, or the directory is not taken
//! ```

mod answers;
mod derived;
mod every;
mod forecast;
mod harm;
mod lived;
mod lookalike;
mod records;
mod small;
