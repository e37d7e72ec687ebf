//! How results reach people and programs: tables or JSON on standard output, words and progress on standard error.

pub(crate) mod out;
pub(crate) mod progress;
pub(crate) mod table;
pub(crate) mod units;

pub(crate) use out::{ClosedPipe, Out, complain};
pub(crate) use table::Table;

/// What results look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// For programs: one JSON document, or one per line where results arrive one by one.
    Json,
}
