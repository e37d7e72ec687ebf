//! What both static file servers share: reading a request's head and deciding the answer. No I/O but opening the file.
//!
//! HTTP/1.1: `GET` and `HEAD`, one range a request, keep-alive. No directory listings.

mod answer;
mod request;

pub(crate) use answer::answer;
pub(crate) use request::{HEAD_MAX, Head, HeadError, read_head};
