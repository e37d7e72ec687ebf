//! A panic in the middle of one log costs this log its cleaning, not the others theirs.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::clean::CleanError;

/// Runs `work`; a panic in it is an error like another. What `work` had in its hands is not used afterwards, or whole
/// at any moment: the list of segments, and locks that are free again.
pub(super) fn caught<T>(work: impl FnOnce() -> Result<T, CleanError>) -> Result<T, CleanError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(CleanError::Panicked(words(&*panic))))
}

fn words(panic: &(dyn Any + Send)) -> String {
    let told = panic.downcast_ref::<&str>().copied();
    let told = told.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    told.unwrap_or("it did not say why").to_owned()
}
