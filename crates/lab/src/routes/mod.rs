//! `lab routes`: which way from a file to a socket is cheapest, here?
//!
//! [`matrix`](Matrix) says what is measured, [`run`] measures it round by round, each cell gives one
//! [`RouteCell`](crate::record::RouteCell).

pub(crate) mod cell;
mod matrix;
mod run;

pub use matrix::{HEADER_BYTES, Matrix, Setting};
pub use run::run;
