//! Measuring one thing at a time: a stream of responses from one process to another, by one way, over one link.

pub(crate) mod gauge;
pub(crate) mod link;
mod pair;
pub(crate) mod sizing;
#[cfg(test)]
pub(crate) mod testing;
pub mod way;
pub mod worker;

pub(crate) use pair::{Aliasing, Pair, Run, Sample, Terms};
