//! Facts about appends that come while their partition changes its directory.

use pagewire_disk::{Call, Held};
use pagewire_wire::{
    ErrorCode,
    messages::{fetch_request::FetchRequest, produce_request::ProduceRequest},
};
use tokio::task::block_in_place;

use super::tests::World;
use crate::coordinators::fake::Fake;
use crate::net::Reply;
use crate::testing::{FETCH, PRODUCE, batch_in_txn, fetch, finish, produce, produce_batch};

/// Partitions of another topic.
const OTHERS: i32 = 140;

/// One whose partition is about to lose its name in the directory that it leaves; where it goes is stored. Also the directories.
async fn held_in_its_switch() -> (World, Held, &'static str) {
    let world = World::new().await;
    let (first, second) = world.here_and_there();
    let held = world.disk.hold(&format!("{first}/t-0"), Call::Rename);
    assert_eq!(world.alter("t", 0, second).await, ErrorCode::None);
    assert!(block_in_place(|| held.is_reached()));
    (world, held, second)
}

fn started(world: &World, request: &ProduceRequest) -> Reply {
    let reply = world.bench.start(request, PRODUCE);
    assert!(matches!(reply, Reply::Later(_)), "it waits");
    reply
}

async fn told(reply: Reply) -> (i16, i64) {
    let response = finish::<ProduceRequest>(reply, PRODUCE).await.expect("an answer");
    let answer = &response.responses[0].partition_responses[0];
    (answer.error_code, answer.base_offset)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_appended_meanwhile_waits_and_is_appended_in_its_order_where_the_log_is_then() {
    let (world, held, second) = held_in_its_switch().await;
    let [first_reply, second_reply] = [1, -1].map(|acks| started(&world, &produce("t", 0, acks)));
    drop(held);
    assert_eq!(told(first_reply).await, (0, 0));
    assert_eq!(told(second_reply).await, (0, 1));
    assert!(world.is_in(second));
    assert!(matches!(world.bench.start(&produce("t", 0, 1), PRODUCE), Reply::Now(_)), "as before");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sent_without_an_answer_is_not_lost() {
    let (world, held, _) = held_in_its_switch().await;
    drop(started(&world, &produce("t", 0, 0)));
    drop(held);
    world.until("appended", async || world.partition().log.marks().log_end == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_coordinator_is_asked_again_for_the_log_that_the_transaction_begins_in() {
    let (world, held, second) = held_in_its_switch().await;
    let fake = Fake::of(&world.bench.broker);
    let batch = produce_batch("t", 0, -1, batch_in_txn(7, 0, 0));
    let reply = started(&world, &ProduceRequest { transactional_id: Some("tx".into()), ..batch });
    let replied = tokio::spawn(told(reply));
    world.until("asked", async || fake.times() == 1).await;
    drop(held);
    assert_eq!(replied.await.expect("no panic"), (0, 0));
    assert!(world.is_in(second) && fake.times() == 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_that_is_not_served_after_that_is_said_not_to_be() {
    let (world, held, _) = held_in_its_switch().await;
    let reply = started(&world, &produce("t", 0, 1));
    world.disk.fail(Call::Open, pagewire_disk::When::Always, pagewire_disk::Errno::IO);
    drop(held);
    let (code, offset) = told(reply).await;
    assert!(code != 0 && code != ErrorCode::NotLeaderOrFollower.code() && offset == -1, "{code}");
    assert!(world.hosted().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_fetched_meanwhile_from_a_file_that_is_not_open_comes_from_where_the_log_is_then() {
    let world = World::new().await;
    world.bench.topic("u", OTHERS as usize, &[]).await;
    let (first, second) = world.here_and_there();
    assert_eq!(world.bench.produce("t", 0, -1).await.expect("answered").error_code, 0);
    let held = world.disk.hold(&format!("{first}/t-0"), Call::Rename);
    assert_eq!(world.alter("t", 0, second).await, ErrorCode::None);
    assert!(block_in_place(|| held.is_reached()));
    // More files than are kept open.
    for index in 0..OTHERS {
        assert_eq!(world.bench.produce("u", index, -1).await.expect("answered").error_code, 0);
    }
    // Whoever waits for nothing is not told that there is nothing.
    let reply = world.bench.start(&fetch("t", 1, 0, 0), FETCH);
    assert!(matches!(reply, Reply::Later(_)), "it waits");
    drop(held);
    let answer = finish::<FetchRequest>(reply, FETCH).await.expect("an answer");
    let partition = &answer.responses[0].partitions[0];
    assert_eq!(
        (partition.error_code, partition.records.bytes().is_some_and(|all| !all.is_empty())),
        (0, true)
    );
    assert!(world.is_in(second));
}
