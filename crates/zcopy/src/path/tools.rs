//! What routes keep from one transfer to the next.

use crate::pipes::PipePool;

/// Shared by all sendings of a [`Transfer`](crate::Transfer).
#[derive(Debug)]
pub(crate) struct Tools {
    /// For `splice`.
    pub(crate) pipes: PipePool,
}
