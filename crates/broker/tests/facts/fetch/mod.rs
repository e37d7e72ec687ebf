//! Fetch: what was produced comes back, within the limits that were asked for, as soon as there is enough of it.

mod committed;
mod limits;
mod records;
mod refused;
mod routes;
mod waiting;

/// Versions on both sides of every change of the layout.
const VERSIONS: [i16; 9] = [4, 5, 7, 9, 11, 12, 13, 16, 18];
