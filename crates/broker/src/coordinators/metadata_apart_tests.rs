//! Members of groups are answered without the metadata store: neither its disk nor its threads are in their way.

use std::{convert::Infallible, path::Path, sync::Arc, task::Poll};

use pagewire_disk::{Call, Disk, Errno, FailingDisk, MemoryDisk, When};
use pagewire_metadata::{EmbeddedStore, SystemClock, model::ConfigScope};
use pagewire_wire::{
    Request,
    messages::{
        consumer_group_heartbeat_request::ConsumerGroupHeartbeatRequest,
        join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol},
        leave_group_request::{LeaveGroupRequest, MemberIdentity},
    },
};
use pagewire_zcopy::IoPool;
use tokio::runtime::Builder;

use super::consumer_group_tests::{join, joining, served, set_heartbeat_interval};
use crate::{
    net::Reply,
    testing::{Bench, finish, hold},
};

const HEARTBEAT: i16 = 1;
const JOIN: i16 = 5;
const LEAVE: i16 = 3;

/// A broker whose metadata is in a file on a disk of its own.
async fn with_metadata_on(disk: Arc<dyn Disk>) -> Bench {
    disk.create_dir_all(Path::new("/metadata")).expect("a directory");
    let store = EmbeddedStore::open_on(disk, Path::new("/metadata/store"), Arc::new(SystemClock));
    let store = Arc::new(store.expect("a store"));
    served(Bench::over(Arc::new(MemoryDisk::new()), IoPool::new(4, 64), store)).await
}

/// What its connection does with a request that came: it lets it begin.
async fn begun(reply: Reply) -> Reply {
    let Reply::Later(mut waiting) = reply else { return reply };
    match futures_util::poll!(waiting.as_mut()) {
        Poll::Ready(outcome) => Reply::Now(outcome),
        Poll::Pending => Reply::Later(waiting),
    }
}

fn classic_join() -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol { name: "range".into(), ..Default::default() };
    JoinGroupRequest {
        group_id: "classic".into(),
        session_timeout_ms: 30_000,
        rebalance_timeout_ms: 30_000,
        group_instance_id: Some("i".into()),
        protocol_type: "consumer".into(),
        protocols: vec![protocol],
        ..Default::default()
    }
}

#[tokio::test]
async fn members_are_answered_while_the_metadata_store_is_lost() {
    let disk = FailingDisk::new(Arc::new(MemoryDisk::new()));
    let bench = with_metadata_on(Arc::new(disk.clone())).await;
    assert_eq!(set_heartbeat_interval(&bench, "6000").await, 0);
    let epoch = join(&bench, "m").await.member_epoch;
    disk.fail(Call::SyncData, When::Always, Errno::IO);
    assert_ne!(set_heartbeat_interval(&bench, "7000").await, 0, "the sync fails");
    let scope = ConfigScope::Group("g".to_owned());
    assert!(bench.broker.cluster().own_configs(&scope).await.is_err(), "nothing is read any more");

    let beat = ConsumerGroupHeartbeatRequest { member_epoch: epoch, ..joining("m") };
    let beaten = bench.ask(&beat, HEARTBEAT).await.expect("an answer");
    assert_eq!((beaten.error_code, beaten.heartbeat_interval_ms), (0, 6_000), "as the group was told before");
    assert_eq!(join(&bench, "n").await.error_code, 0);
    bench.set("group.initial.rebalance.delay.ms", "0");
    assert_eq!(bench.ask(&classic_join(), JOIN).await.expect("an answer").error_code, 0);
}

/// What a connection does with two requests that came at once, while the metadata store is slow: both begin.
async fn begun_while_the_store_is_slow<A: Request, B: Request>(
    bench: &Bench,
    (first, first_version): (&A, i16),
    (second, second_version): (&B, i16),
) -> (Reply, Reply) {
    // The one thread that reads the store.
    let taken = hold(|job| {
        tokio::task::spawn_blocking(job);
        Ok::<_, Infallible>(())
    });
    let first = begun(bench.start(first, first_version)).await;
    let second = begun(bench.start(second, second_version)).await;
    drop(taken);
    (first, second)
}

fn with_one_thread_for_the_store(fact: impl Future<Output = ()>) {
    let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(1).build();
    runtime.expect("a runtime").block_on(fact);
}

#[test]
fn a_join_and_a_leave_behind_it_act_in_the_order_in_which_they_came() {
    with_one_thread_for_the_store(async {
        let bench = with_metadata_on(Arc::new(MemoryDisk::new())).await;
        let leaving = ConsumerGroupHeartbeatRequest { member_epoch: -1, ..joining("m") };
        let (join, leave) =
            begun_while_the_store_is_slow(&bench, (&joining("m"), HEARTBEAT), (&leaving, HEARTBEAT)).await;
        // Whichever is waited for first.
        let left = finish::<ConsumerGroupHeartbeatRequest>(leave, HEARTBEAT).await.expect("an answer");
        assert_eq!((left.error_code, left.member_epoch), (0, -1));
        let joined = finish::<ConsumerGroupHeartbeatRequest>(join, HEARTBEAT).await.expect("an answer");
        assert_eq!(joined.error_code, 0);
    });
}

#[test]
fn so_they_do_in_a_classic_group() {
    with_one_thread_for_the_store(async {
        let bench = with_metadata_on(Arc::new(MemoryDisk::new())).await;
        let member = MemberIdentity { group_instance_id: Some("i".into()), ..Default::default() };
        let leaving =
            LeaveGroupRequest { group_id: "classic".into(), members: vec![member], ..Default::default() };
        let (_join, leave) =
            begun_while_the_store_is_slow(&bench, (&classic_join(), JOIN), (&leaving, LEAVE)).await;
        let left = finish::<LeaveGroupRequest>(leave, LEAVE).await.expect("an answer");
        assert_eq!((left.error_code, left.members[0].error_code), (0, 0));
    });
}
