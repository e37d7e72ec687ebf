//! The tests every store must pass, as functions: an implementation elsewhere runs them with its own [`Harness`].
//!
//! ```ignore
//! pagewire_metadata::testing::run_all(&MyHarness::start().await?).await?;
//! ```
//!
//! The suite uses keys under a prefix of its own per test, so that one live server can serve all of it.

mod leases;
mod values;
mod watches;

use std::error::Error;
use std::sync::Arc;

use async_trait::async_trait;

use crate::store::{PutError, Store};

/// What a failed test says.
pub type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

/// How the suite gets at a store and its time.
#[async_trait]
pub trait Harness: Send + Sync {
    /// The store under test.
    fn store(&self) -> Arc<dyn Store>;

    /// Lets `ms` pass for leases: moves a manual clock, or waits.
    async fn advance(&self, ms: i64);

    /// The shortest lease the store keeps exactly, in milliseconds (etcd: 5000).
    fn shortest_ttl_ms(&self) -> i64 {
        1_000
    }
}

/// Runs the whole suite, one fact after the other.
pub async fn run_all(harness: &dyn Harness) -> Outcome {
    values::a_key_that_was_never_written_is_absent(harness).await?;
    values::a_put_is_read_back_with_its_revision_as_version(harness).await?;
    values::absent_is_refused_for_a_key_that_exists(harness).await?;
    values::a_version_guards_against_a_rival_write(harness).await?;
    values::a_version_never_comes_back(harness).await?;
    values::a_delete_needs_the_version_it_names(harness).await?;
    values::deleting_nothing_changes_nothing(harness).await?;
    values::a_batch_happens_as_one_revision_or_not_at_all(harness).await?;
    values::a_batch_may_only_check(harness).await?;
    values::a_list_holds_exactly_its_prefix_in_key_order(harness).await?;
    values::what_exceeds_a_limit_is_refused_and_written_nowhere(harness).await?;
    values::of_many_rivals_one_wins(harness).await?;
    values::counters_lose_no_increment(harness).await?;
    watches::a_watch_tells_what_came_after_its_revision_in_order(harness).await?;
    watches::a_watch_hears_only_its_prefix(harness).await?;
    watches::a_watch_waits_for_what_comes(harness).await?;
    watches::a_watch_started_at_a_listing_misses_nothing(harness).await?;
    watches::a_watcher_that_lags_is_told_to_list_again(harness).await?;
    leases::a_key_goes_with_its_lease(harness).await?;
    leases::a_lease_kept_alive_keeps_its_keys(harness).await?;
    leases::revoking_removes_the_keys_in_one_revision(harness).await?;
    leases::an_ended_lease_takes_no_keys_and_no_keep_alive(harness).await?;
    leases::a_put_without_the_lease_frees_the_key(harness).await
}

/// The conflict a write must have met.
fn conflict<T: std::fmt::Debug>(
    outcome: Result<T, PutError>,
) -> Result<Option<i64>, Box<dyn Error + Send + Sync>> {
    match outcome {
        Err(PutError::Conflict { found, .. }) => Ok(found),
        other => Err(format!("a conflict was expected, not {other:?}").into()),
    }
}
