//! Facts about reading and conditional writing.

use bytes::Bytes;

use super::{Harness, Outcome, conflict};
use crate::store::{Batch, Expect, MAX_BATCH_BYTES, MAX_BATCH_OPS, MAX_KEY_BYTES, MAX_VALUE_BYTES, PutError};

pub(super) async fn a_key_that_was_never_written_is_absent(harness: &dyn Harness) -> Outcome {
    assert_eq!(harness.store().get("t/absent/key").await?, None);
    Ok(())
}

pub(super) async fn a_put_is_read_back_with_its_revision_as_version(harness: &dyn Harness) -> Outcome {
    let store = harness.store();
    let revision = store.put_if("t/back/key", Bytes::from_static(b"one"), Expect::Any).await?;
    assert!(revision > 0);
    let found = store.get("t/back/key").await?.ok_or("absent")?;
    assert_eq!((found.value.as_ref(), found.version), (b"one".as_ref(), revision));
    let empty = store.put_if("t/back/empty", Bytes::new(), Expect::Absent).await?;
    assert!(empty > revision);
    assert!(store.get("t/back/empty").await?.ok_or("an empty value is a value")?.value.is_empty());
    Ok(())
}

pub(super) async fn absent_is_refused_for_a_key_that_exists(harness: &dyn Harness) -> Outcome {
    let store = harness.store();
    let first = store.put_if("t/taken/key", Bytes::from_static(b"one"), Expect::Absent).await?;
    let second = store.put_if("t/taken/key", Bytes::from_static(b"two"), Expect::Absent).await;
    assert_eq!(conflict(second)?, Some(first));
    assert_eq!(store.get("t/taken/key").await?.ok_or("absent")?.value, "one");
    Ok(())
}

pub(super) async fn a_version_guards_against_a_rival_write(harness: &dyn Harness) -> Outcome {
    let store = harness.store();
    let first = store.put_if("t/guard/key", Bytes::from_static(b"one"), Expect::Absent).await?;
    let rival = store.put_if("t/guard/key", Bytes::from_static(b"rival"), Expect::Version(first)).await?;
    let late = store.put_if("t/guard/key", Bytes::from_static(b"late"), Expect::Version(first)).await;
    assert_eq!(conflict(late)?, Some(rival));
    assert_eq!(store.get("t/guard/key").await?.ok_or("absent")?.value, "rival");
    Ok(())
}

pub(super) async fn a_version_never_comes_back(harness: &dyn Harness) -> Outcome {
    let store = harness.store();
    let first = store.put_if("t/again/key", Bytes::from_static(b"one"), Expect::Absent).await?;
    store.delete_if("t/again/key", Expect::Version(first)).await?;
    let second = store.put_if("t/again/key", Bytes::from_static(b"one"), Expect::Absent).await?;
    assert!(second > first);
    assert_eq!(conflict(store.delete_if("t/again/key", Expect::Version(first)).await)?, Some(second));
    Ok(())
}

pub(super) async fn a_delete_needs_the_version_it_names(harness: &dyn Harness) -> Outcome {
    let store = harness.store();
    let version = store.put_if("t/delete/key", Bytes::from_static(b"one"), Expect::Any).await?;
    assert_eq!(conflict(store.delete_if("t/delete/key", Expect::Version(version + 1)).await)?, Some(version));
    let removed = store.delete_if("t/delete/key", Expect::Version(version)).await?;
    assert!(removed > version);
    assert_eq!(store.get("t/delete/key").await?, None);
    assert_eq!(conflict(store.delete_if("t/delete/key", Expect::Version(version)).await)?, None);
    Ok(())
}

pub(super) async fn deleting_nothing_changes_nothing(harness: &dyn Harness) -> Outcome {
    let store = harness.store();
    store.delete_if("t/nothing/key", Expect::Any).await?;
    store.delete_if("t/nothing/key", Expect::Absent).await?;
    assert_eq!(store.get("t/nothing/key").await?, None);
    Ok(())
}

pub(super) async fn a_batch_happens_as_one_revision_or_not_at_all(harness: &dyn Harness) -> Outcome {
    let store = harness.store();
    let batch = Batch::new().put("t/batch/a", Bytes::from_static(b"1"), Expect::Absent).put(
        "t/batch/b",
        Bytes::from_static(b"2"),
        Expect::Absent,
    );
    let revision = store.commit(batch).await?;
    let (a, b) =
        (store.get("t/batch/a").await?.ok_or("absent")?, store.get("t/batch/b").await?.ok_or("absent")?);
    assert_eq!((a.version, b.version), (revision, revision));

    let broken = Batch::new()
        .put("t/batch/a", Bytes::from_static(b"changed"), Expect::Version(revision))
        .delete("t/batch/b", Expect::Version(revision))
        .put("t/batch/c", Bytes::from_static(b"3"), Expect::Version(revision));
    assert_eq!(conflict(store.commit(broken).await)?, None);
    assert_eq!(store.get("t/batch/a").await?, Some(a));
    assert_eq!(store.get("t/batch/b").await?, Some(b));
    assert_eq!(store.get("t/batch/c").await?, None);
    Ok(())
}

pub(super) async fn a_batch_may_only_check(harness: &dyn Harness) -> Outcome {
    let store = harness.store();
    let version = store.put_if("t/check/leader", Bytes::from_static(b"1"), Expect::Absent).await?;
    let guarded = |expect| {
        Batch::new().check("t/check/leader", expect).put(
            "t/check/data",
            Bytes::from_static(b"x"),
            Expect::Any,
        )
    };
    assert_eq!(conflict(store.commit(guarded(Expect::Version(version + 7))).await)?, Some(version));
    assert_eq!(store.get("t/check/data").await?, None);
    store.commit(guarded(Expect::Version(version))).await?;
    assert_eq!(store.get("t/check/leader").await?.ok_or("absent")?.version, version);
    assert!(store.get("t/check/data").await?.is_some());
    Ok(())
}

pub(super) async fn a_list_holds_exactly_its_prefix_in_key_order(harness: &dyn Harness) -> Outcome {
    let store = harness.store();
    for key in ["t/list/b", "t/list/a", "t/list/a/deep", "t/list", "t/lisu", "t/list0"] {
        store.put_if(key, Bytes::copy_from_slice(key.as_bytes()), Expect::Any).await?;
    }
    let listing = store.list("t/list/").await?;
    let keys: Vec<&str> = listing.entries.iter().map(|entry| entry.key.as_str()).collect();
    assert_eq!(keys, ["t/list/a", "t/list/a/deep", "t/list/b"]);
    for entry in &listing.entries {
        assert_eq!(entry.value.value, entry.key);
        assert!(entry.value.version <= listing.revision);
    }
    assert!(store.list("t/no-such-prefix/").await?.entries.is_empty());
    Ok(())
}

pub(super) async fn what_exceeds_a_limit_is_refused_and_written_nowhere(harness: &dyn Harness) -> Outcome {
    let store = harness.store();
    let small = || Bytes::from_static(b"x");
    let half = || vec![0; MAX_BATCH_BYTES / 2];
    let mut many = Batch::new();
    for index in 0..=MAX_BATCH_OPS {
        many = many.put(format!("t/limits/{index}"), small(), Expect::Any);
    }
    let refused = [
        Batch::new().put("", small(), Expect::Any),
        Batch::new().put(format!("t/limits/{}", "k".repeat(MAX_KEY_BYTES)), small(), Expect::Any),
        Batch::new().put("t/limits/value", vec![0; MAX_VALUE_BYTES + 1], Expect::Any),
        Batch::new().put("t/limits/twice", small(), Expect::Any).delete("t/limits/twice", Expect::Any),
        Batch::new().put("t/limits/one", half(), Expect::Any).put("t/limits/two", half(), Expect::Any),
        many,
    ];
    for batch in refused {
        assert!(matches!(store.commit(batch).await, Err(PutError::Store(_))));
    }
    assert!(store.list("t/limits/").await?.entries.is_empty());
    store.put_if("t/limits/value", Bytes::from(vec![7; MAX_VALUE_BYTES]), Expect::Any).await?;
    assert_eq!(store.get("t/limits/value").await?.ok_or("absent")?.value.len(), MAX_VALUE_BYTES);
    store.delete_if("t/limits/value", Expect::Any).await?;
    let (first, second) = ("t/limits/first", "t/limits/second");
    let rest = MAX_BATCH_BYTES - 2 * (first.len() + second.len()) - MAX_VALUE_BYTES;
    let largest = |more: usize| {
        let large = vec![1; MAX_VALUE_BYTES];
        Batch::new().put(first, large, Expect::Any).put(second, vec![2; rest + more], Expect::Any)
    };
    assert!(matches!(store.commit(largest(1)).await, Err(PutError::Store(_))));
    store.commit(largest(0)).await?;
    store.commit(Batch::new().delete(first, Expect::Any).delete(second, Expect::Any)).await?;
    Ok(())
}

pub(super) async fn of_many_rivals_one_wins(harness: &dyn Harness) -> Outcome {
    let mut rivals = tokio::task::JoinSet::new();
    for rival in 0..16u8 {
        let store = harness.store();
        rivals.spawn(async move {
            store
                .put_if("t/rivals/key", Bytes::from(vec![rival]), Expect::Absent)
                .await
                .is_ok()
                .then_some(rival)
        });
    }
    let winners: Vec<u8> = rivals.join_all().await.into_iter().flatten().collect();
    let kept = harness.store().get("t/rivals/key").await?.ok_or("absent")?;
    assert_eq!(winners, kept.value.to_vec());
    Ok(())
}

pub(super) async fn counters_lose_no_increment(harness: &dyn Harness) -> Outcome {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let store = harness.store();
        tasks.spawn(async move {
            let mut done = 0;
            for _ in 0..1_000 {
                if done == 5 {
                    break;
                }
                let (count, expect) = match store.get("t/counter").await.ok().flatten() {
                    Some(found) => {
                        (found.value.first().copied().unwrap_or(0), Expect::Version(found.version))
                    }
                    None => (0, Expect::Absent),
                };
                if store.put_if("t/counter", Bytes::from(vec![count + 1]), expect).await.is_ok() {
                    done += 1;
                }
            }
            done
        });
    }
    let done: u8 = tasks.join_all().await.into_iter().sum();
    assert_eq!(done, 20, "every task makes progress");
    assert_eq!(harness.store().get("t/counter").await?.ok_or("absent")?.value.to_vec(), vec![20]);
    Ok(())
}
