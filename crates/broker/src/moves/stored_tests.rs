//! Facts about what is stored of a move, and about moves of which it cannot be.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use pagewire_disk::{Call, Errno, Fault, When};
use pagewire_metadata::{Store as _, model::TopicRecord};
use pagewire_wire::ErrorCode;
use tokio::task::block_in_place;
use uuid::Uuid;

use super::refusing::Refusing;
use super::switch_tests::{dir, produced};
use super::tests::World;
use crate::cluster::change;
use crate::testing::{ROOT, SECOND};

async fn replace(world: &World, alter: impl FnOnce(&mut TopicRecord)) -> TopicRecord {
    let catalog = world.bench.broker.cluster().catalog();
    let (mut record, version) = catalog.topic("t").await.expect("a store").expect("stored");
    alter(&mut record);
    catalog.replace_topic(&record, version).await.expect("stored");
    record
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_record_names_the_directory_that_is_left_until_its_name_is_gone_there() {
    let world = World::on(&[ROOT, SECOND]).with_a_topic_in(SECOND).await;
    assert_eq!(produced(&world).await, 0);
    let held = world.disk.hold(&format!("{SECOND}/t-0"), Call::Rename);
    assert_eq!(world.alter("t", 0, ROOT).await, ErrorCode::None);
    assert!(block_in_place(|| held.is_reached()));
    let stored = world.stored().await;
    assert_eq!((stored.directory, stored.left), (None, dir(&world, SECOND).directory_id()));
    drop(held);
    world.until("moved", async || world.hosted().is_some() && world.is_in(ROOT)).await;
    world.until_nothing_moves().await;
    assert_eq!(world.stored().await.left, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_behind_in_the_directory_that_a_partition_moves_to() {
    let world = World::on(&[ROOT, SECOND]).with_a_topic_in(ROOT).await;
    let (second, away) = (dir(&world, SECOND).directory_id().expect("has one"), Uuid::from_u128(77));
    replace(&world, |record| record.partitions[0].behind = vec![second, away]).await;
    assert_eq!(world.alter("t", 0, SECOND).await, ErrorCode::None);
    world.until("moved", async || world.is_in(SECOND)).await;
    world.until_nothing_moves().await;
    assert_eq!(world.stored().await.behind, [away]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_is_tried_again_until_it_can_be_stored_where_it_is() {
    let store = Arc::new(Refusing::default());
    let world = World::over(&[ROOT, SECOND], Arc::clone(&store) as _).with_a_topic_in(SECOND).await;
    let record = replace(&world, |record| record.partitions[0].directory = None).await;
    let (broker, hidden) = (&world.bench.broker, HashSet::from([("t".to_owned(), 0)]));
    assert!(broker.cluster().load(&[record], (&[], &hidden), &broker.config()), "it is tried again");
    store.refuse_after(0);
    let make = || change(broker, |change| async move { change.make_missing().await });
    assert_eq!(make().await.expect("a turn"), (0, true));
    assert!(world.hosted().is_none());
    store.refuse_nothing();
    assert_eq!(make().await.expect("a turn"), (1, false));
    assert_eq!(world.stored_directory().await, dir(&world, SECOND).directory_id());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_stays_and_of_which_that_cannot_be_stored_leaves_a_wish_for_when_it_is_opened_anew() {
    let store = Arc::new(Refusing::default());
    let world = World::over(&[ROOT, SECOND], Arc::clone(&store) as _).with_a_topic_in(SECOND).await;
    assert_eq!(produced(&world).await, 0);
    world.disk.fail_on(&format!("{SECOND}/t-0"), Call::Rename, When::Always, Fault::Error(Errno::ACCESS));
    // That its topic is made is stored behind the answer.
    world
        .until("made", async || store.list("unmade/").await.is_ok_and(|unmade| unmade.entries.is_empty()))
        .await;
    // Where it goes is stored, and nothing after that.
    store.refuse_after(1);
    assert_eq!(world.alter("t", 0, ROOT).await, ErrorCode::None);
    world.until_nothing_moves().await;
    assert_ne!(produced(&world).await, 0, "nobody knows where it is");
    let put_off = world.bench.broker.moves().take_put_off();
    assert_eq!(put_off.iter().map(|(to, _)| &**to).collect::<Vec<_>>(), [Path::new(ROOT)]);
    assert_eq!(dir(&world, ROOT).futures().expect("listed").len(), 1, "its copy is kept");
}
