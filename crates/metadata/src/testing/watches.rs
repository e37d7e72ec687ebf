//! Facts about watching.

use bytes::Bytes;

use super::{Harness, Outcome};
use crate::store::{Batch, Event, Expect, Watch};

/// One line an event, for comparisons.
fn line(event: &Event) -> String {
    match event {
        Event::Put(entry) => format!("put {} {}", entry.key, String::from_utf8_lossy(&entry.value.value)),
        Event::Delete { key, .. } => format!("delete {key}"),
        Event::Resync { .. } => "resync".to_owned(),
    }
}

async fn lines(watch: &mut Watch, count: usize) -> Result<Vec<String>, &'static str> {
    let mut lines = Vec::new();
    for _ in 0..count {
        lines.push(line(&watch.next().await.ok_or("the watch ended")?));
    }
    Ok(lines)
}

pub(super) async fn a_watch_tells_what_came_after_its_revision_in_order(harness: &dyn Harness) -> Outcome {
    let store = harness.store();
    let before = store.put_if("w/order/a", Bytes::from_static(b"0"), Expect::Any).await?;
    store.put_if("w/order/a", Bytes::from_static(b"1"), Expect::Any).await?;
    store.put_if("w/order/b", Bytes::from_static(b"2"), Expect::Any).await?;
    store.delete_if("w/order/a", Expect::Any).await?;
    let mut watch = store.watch("w/order/", before).await?;
    assert_eq!(lines(&mut watch, 3).await?, ["put w/order/a 1", "put w/order/b 2", "delete w/order/a"]);
    Ok(())
}

pub(super) async fn a_watch_hears_only_its_prefix(harness: &dyn Harness) -> Outcome {
    let store = harness.store();
    let before = store.put_if("w/prefix-other", Bytes::from_static(b"0"), Expect::Any).await?;
    let mut watch = store.watch("w/prefix/", before).await?;
    let batch = Batch::new().put("w/prefix-other", Bytes::from_static(b"1"), Expect::Any).put(
        "w/prefix/mine",
        Bytes::from_static(b"2"),
        Expect::Any,
    );
    store.commit(batch).await?;
    store.put_if("w/prefix", Bytes::from_static(b"3"), Expect::Any).await?;
    store.put_if("w/prefix/mine", Bytes::from_static(b"4"), Expect::Any).await?;
    assert_eq!(lines(&mut watch, 2).await?, ["put w/prefix/mine 2", "put w/prefix/mine 4"]);
    Ok(())
}

pub(super) async fn a_watch_waits_for_what_comes(harness: &dyn Harness) -> Outcome {
    let store = harness.store();
    let now = store.list("w/wait/").await?.revision;
    let mut watch = store.watch("w/wait/", now).await?;
    let waiting = tokio::spawn(async move { watch.next().await.map(|event| line(&event)) });
    tokio::task::yield_now().await;
    store.put_if("w/wait/key", Bytes::from_static(b"here"), Expect::Any).await?;
    assert_eq!(waiting.await?.as_deref(), Some("put w/wait/key here"));
    Ok(())
}

pub(super) async fn a_watch_started_at_a_listing_misses_nothing(harness: &dyn Harness) -> Outcome {
    let store = harness.store();
    let writer = tokio::spawn({
        let store = harness.store();
        async move {
            for count in 0..20u8 {
                store.put_if("w/list/key", Bytes::from(vec![count]), Expect::Any).await?;
            }
            Ok::<(), crate::store::PutError>(())
        }
    });
    let listing = store.list("w/list/").await?;
    let mut last = listing.entries.first().and_then(|entry| entry.value.value.first().copied());
    let mut watch = store.watch("w/list/", listing.revision).await?;
    while last != Some(19) {
        let Some(Event::Put(entry)) = watch.next().await else { return Err("a put was expected".into()) };
        let count = entry.value.value.first().copied();
        assert_eq!(count, Some(last.map_or(0, |last| last + 1)), "no gap, nothing twice");
        last = count;
    }
    writer.await??;
    Ok(())
}

pub(super) async fn a_watcher_that_lags_is_told_to_list_again(harness: &dyn Harness) -> Outcome {
    let store = harness.store();
    let first = store.put_if("w/lag/key", Bytes::from_static(b"0"), Expect::Any).await?;
    let mut watch = store.watch("w/lag/", first).await?;
    let mut last = first;
    // Large values, so that every store drops its history long before it has kept all of this.
    for _ in 0..16 {
        last = store.put_if("w/lag/key", Bytes::from(vec![0; 256 * 1024]), Expect::Any).await?;
    }
    // A store may keep more history than that; then the watcher must see every change.
    let mut seen = 0;
    loop {
        match watch.next().await.ok_or("the watch ended without a word")? {
            Event::Resync { revision } => {
                assert!(revision >= last);
                assert!(watch.next().await.is_none(), "nothing follows a resync");
                break;
            }
            Event::Put(entry) => {
                seen += 1;
                assert!(entry.value.version > first);
                if entry.value.version == last {
                    assert_eq!(seen, 16, "neither told nor complete");
                    break;
                }
            }
            Event::Delete { .. } => return Err("nothing was deleted".into()),
        }
    }
    store.delete_if("w/lag/key", Expect::Any).await?;
    Ok(())
}
