//! The data directory itself. It may be a running broker's: everything here only looks.

pub(crate) mod contents;
pub(crate) mod directory;
pub(crate) mod identity;
pub(crate) mod lock;
pub(crate) mod metadata;
pub(crate) mod recovery;
