//! `lab routes`: which way from a file to a socket is cheapest, here?
//!
//! [`matrix`](Matrix) says what is measured, [`run()`] measures it round by round, each cell gives one
//! [`RouteCell`](crate::record::RouteCell).

mod aliased;
pub(crate) mod cell;
mod cheapest;
mod matrix;
mod run;
mod skipped;
mod system;

pub use cheapest::{First, cheapest, is_own};
pub use matrix::{Amount, HEADER_BYTES, Matrix, Setting};
pub use run::run;
