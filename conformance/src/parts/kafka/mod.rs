//! Apache Kafka as a witness: its classes, virtual machines that call them, and whole nodes.
//!
//! ```text
//!   servant.rs   one virtual machine that calls main methods, one after the other
//!   oracle.rs    as many of those as are busy at a time; Kafka's tools are called through it
//!   node.rs      a broker and controller in one process, on a directory that outlives it
//! ```

mod node;
mod oracle;
mod servant;

pub(super) use node::{Kafka, LOG_LAYER, free_port};
pub(super) use oracle::Oracle;
