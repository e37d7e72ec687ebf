//! One page out of what the lab recorded: plots, tables with the same figures, and what they say, computed.
//!
//! ```text
//!   JSON lines ── lines ──► Records ── page ──► index.html, and the records beside it
//!                                       │
//!               section/<what it shows>  ├─ say/<what it says>   sentences, computed from the records
//!                                        └─ plot/                SVG, in colours that follow the reader's theme
//! ```
//!
//! The page needs nothing but itself: no network, no script. What comes from outside (names of brokers, of routes, of a
//! kernel) is text in it, never markup: the templates escape, and so does the drawing. A section without records is
//! left out. Figures keep their spread, and losses are shown like wins.

mod files;
mod group;
mod lines;
mod looks;
mod number;
mod page;
mod picture;
mod place;
mod plot;
mod rate;
mod records;
mod say;
mod section;
mod setting;
#[cfg(test)]
pub(crate) mod testing;
mod theme;
mod thin;

use std::path::{Path, PathBuf};

pub use lines::LineError;
pub use picture::{Picture, picture};
pub use records::Records;

/// Writes the page and the records it shows into `dir`, which is made if missing; answers the page's path. Each file is
/// whole or as it was before.
pub fn write(dir: &Path, records: &Records) -> anyhow::Result<PathBuf> {
    let page = page::page(records)?;
    files::write(dir, records, &page)
}
