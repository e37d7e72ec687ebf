//! Administrative questions, each to the node that answers it. Errors inside an answer become [`super::Error`].

pub(crate) mod configs;
pub(crate) mod groups;
pub(crate) mod topics;
