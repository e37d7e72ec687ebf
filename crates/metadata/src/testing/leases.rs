//! Facts about leases.

use bytes::Bytes;

use super::{Harness, Outcome};
use crate::store::{Batch, Event, Expect, PutError};

fn holding(key: &str, lease: i64) -> Batch {
    Batch::new().put_leased(key, Bytes::from_static(b"alive"), Expect::Any, lease)
}

pub(super) async fn a_key_goes_with_its_lease(harness: &dyn Harness) -> Outcome {
    let (store, ttl_ms) = (harness.store(), harness.shortest_ttl_ms());
    let lease = store.grant(ttl_ms).await?;
    assert_ne!(lease, 0);
    let put = store.commit(holding("l/goes/key", lease)).await?;
    let mut watch = store.watch("l/goes/", put).await?;
    assert!(store.get("l/goes/key").await?.is_some());
    harness.advance(ttl_ms + 1).await;
    assert_eq!(store.get("l/goes/key").await?, None);
    assert!(store.list("l/goes/").await?.entries.is_empty());
    match watch.next().await {
        Some(Event::Delete { key, revision }) => {
            assert_eq!(key, "l/goes/key");
            assert!(revision > put);
        }
        other => return Err(format!("a delete was expected, not {other:?}").into()),
    }
    Ok(())
}

pub(super) async fn a_lease_kept_alive_keeps_its_keys(harness: &dyn Harness) -> Outcome {
    let (store, ttl_ms) = (harness.store(), harness.shortest_ttl_ms());
    let lease = store.grant(ttl_ms).await?;
    store.commit(holding("l/alive/key", lease)).await?;
    for _ in 0..4 {
        harness.advance(ttl_ms / 2).await;
        store.keep_alive(lease).await?;
    }
    assert!(store.get("l/alive/key").await?.is_some());
    store.revoke(lease).await?;
    Ok(())
}

pub(super) async fn revoking_removes_the_keys_in_one_revision(harness: &dyn Harness) -> Outcome {
    let store = harness.store();
    let lease = store.grant(harness.shortest_ttl_ms() * 100).await?;
    store.commit(holding("l/revoke/a", lease)).await?;
    let put = store.commit(holding("l/revoke/b", lease)).await?;
    let mut watch = store.watch("l/revoke/", put).await?;
    store.revoke(lease).await?;
    assert!(store.list("l/revoke/").await?.entries.is_empty());
    let mut gone = Vec::new();
    for _ in 0..2 {
        match watch.next().await {
            Some(Event::Delete { key, revision }) => gone.push((key, revision)),
            other => return Err(format!("a delete was expected, not {other:?}").into()),
        }
    }
    gone.sort();
    assert_eq!(gone.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["l/revoke/a", "l/revoke/b"]);
    assert_eq!(gone.first().map(|(_, revision)| *revision), gone.last().map(|(_, revision)| *revision));
    store.revoke(lease).await?;
    Ok(())
}

pub(super) async fn an_ended_lease_takes_no_keys_and_no_keep_alive(harness: &dyn Harness) -> Outcome {
    let (store, ttl_ms) = (harness.store(), harness.shortest_ttl_ms());
    let lease = store.grant(ttl_ms).await?;
    harness.advance(ttl_ms + 1).await;
    assert!(matches!(store.keep_alive(lease).await, Err(PutError::NoSuchLease(_))));
    assert!(matches!(store.commit(holding("l/ended/key", lease)).await, Err(PutError::NoSuchLease(_))));
    assert_eq!(store.get("l/ended/key").await?, None);
    Ok(())
}

pub(super) async fn a_put_without_the_lease_frees_the_key(harness: &dyn Harness) -> Outcome {
    let store = harness.store();
    let lease = store.grant(harness.shortest_ttl_ms() * 100).await?;
    store.commit(holding("l/free/key", lease)).await?;
    store.put_if("l/free/key", Bytes::from_static(b"mine"), Expect::Any).await?;
    store.revoke(lease).await?;
    assert_eq!(store.get("l/free/key").await?.ok_or("absent")?.value, "mine");
    Ok(())
}
