//! What the process may take of the machine.

pub(crate) mod descriptors;
pub(crate) mod locked;
pub(crate) mod maps;
pub(crate) mod whose;
