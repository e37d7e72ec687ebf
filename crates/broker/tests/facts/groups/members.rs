//! Members: they meet, share the work, come back and part.

use bytes::Bytes;
use pagewire_wire::{
    Str,
    messages::{
        heartbeat_request::HeartbeatRequest,
        join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol},
        sync_group_request::SyncGroupRequest,
    },
};

use super::{
    MEMBER_ID_REQUIRED, coordinator, describe, heartbeat, join, join_request, leave, once_loaded, sync,
};
use crate::harness::Broker;

const REBALANCE_IN_PROGRESS: i16 = 27;

/// Versions of JoinGroup, SyncGroup, Heartbeat, LeaveGroup.
struct Versions {
    join: i16,
    sync: i16,
    heartbeat: i16,
    leave: i16,
}

const OLDEST: Versions = Versions { join: 0, sync: 0, heartbeat: 0, leave: 0 };
const NEWEST: Versions = Versions { join: 9, sync: 5, heartbeat: 4, leave: 5 };

/// Two members meet, share the work, part.
fn life_of_two(versions: &Versions) {
    let broker = Broker::start();
    let (mut a, mut b) = (broker.client(), broker.client());
    coordinator(&mut a);
    let alone = once_loaded(|| {
        let joined = join(&mut a, &Str::new(), None, versions.join);
        (joined.error_code, joined)
    });
    assert_eq!((alone.generation_id, &alone.leader), (1, &alone.member_id));
    assert_eq!(
        sync(&mut a, &alone, &[(&alone.member_id, b"all")], versions.sync),
        (0, Bytes::from_static(b"all"))
    );
    assert_eq!(heartbeat(&mut a, 1, &alone.member_id, versions.heartbeat), 0);
    assert_eq!(describe(&mut a), ("Stable".into(), 1));

    // The second one knocks; the first hears of it by its heartbeat and joins again.
    let mut id = Str::new();
    if versions.join >= 4 {
        let told = b.call(&join_request(&id, None), versions.join);
        assert_eq!(told.error_code, MEMBER_ID_REQUIRED);
        id = told.member_id;
    }
    let asked = b.send(&join_request(&id, None), versions.join);
    let heard = (0..1_000_000)
        .find(|_| heartbeat(&mut a, 1, &alone.member_id, versions.heartbeat) == REBALANCE_IN_PROGRESS);
    assert!(heard.is_some());
    let first = join(&mut a, &alone.member_id, None, versions.join);
    let second = b.receive::<JoinGroupRequest>(asked, versions.join);
    assert_eq!((first.error_code, second.error_code), (0, 0));
    assert_eq!((first.generation_id, second.generation_id), (2, 2));
    assert_eq!((&first.leader, &second.leader), (&first.member_id, &first.member_id));
    assert_eq!((first.members.len(), second.members.len()), (2, 0), "the leader alone sees all");
    assert!(first.members.iter().all(|member| member.metadata == "topics"));

    // Who follows waits for the leader's assignment.
    let waiting = {
        let named = versions.sync >= 5;
        let request = SyncGroupRequest {
            group_id: "g".into(),
            generation_id: 2,
            member_id: second.member_id.clone(),
            protocol_type: named.then(|| "consumer".into()),
            protocol_name: named.then(|| "range".into()),
            ..Default::default()
        };
        b.send(&request, versions.sync)
    };
    let shares: [(&Str, &'static [u8]); 2] = [(&first.member_id, b"left"), (&second.member_id, b"right")];
    assert_eq!(sync(&mut a, &first, &shares, versions.sync), (0, Bytes::from_static(b"left")));
    assert_eq!(b.receive::<SyncGroupRequest>(waiting, versions.sync).assignment, "right");
    assert_eq!(describe(&mut a), ("Stable".into(), 2));

    assert_eq!(heartbeat(&mut b, 1, &second.member_id, versions.heartbeat), 22, "an old generation");
    assert_eq!(heartbeat(&mut b, 2, &"stranger".into(), versions.heartbeat), 25);
    assert_eq!(leave(&mut b, &second.member_id, versions.leave), 0);
    assert_eq!(leave(&mut b, &second.member_id, versions.leave), 25);
    assert_eq!(heartbeat(&mut a, 2, &first.member_id, versions.heartbeat), REBALANCE_IN_PROGRESS);
    assert_eq!(leave(&mut a, &first.member_id, versions.leave), 0);
    assert_eq!(describe(&mut a), ("Empty".into(), 0));
}

#[test]
fn two_members_share_and_part_in_the_oldest_versions() {
    life_of_two(&OLDEST);
}

#[test]
fn two_members_share_and_part_in_the_newest_versions() {
    life_of_two(&NEWEST);
}

#[test]
fn two_members_share_and_part_in_every_version_between() {
    for join in 1..9 {
        let at_most = |max: i16| join.min(max);
        life_of_two(&Versions { join, sync: at_most(5), heartbeat: at_most(4), leave: at_most(5) });
    }
}

#[test]
fn a_static_member_comes_back_without_a_rebalance_and_fences_its_former_self() {
    let broker = Broker::start();
    let mut client = broker.client();
    coordinator(&mut client);
    let first = once_loaded(|| {
        let joined = join(&mut client, &Str::new(), Some("i"), 9);
        (joined.error_code, joined)
    });
    assert_eq!(sync(&mut client, &first, &[(&first.member_id, b"all")], 5).0, 0);
    let mut again = broker.client();
    let second = join(&mut again, &Str::new(), Some("i"), 9);
    assert_eq!((second.error_code, second.generation_id), (0, first.generation_id));
    assert_ne!(second.member_id, first.member_id);
    let request = HeartbeatRequest {
        group_id: "g".into(),
        generation_id: first.generation_id,
        member_id: first.member_id.clone(),
        group_instance_id: Some("i".into()),
        ..Default::default()
    };
    assert_eq!(client.call(&request, 4).error_code, 82);
}

#[test]
fn what_cannot_join_is_told_why() {
    let broker = Broker::start();
    let mut client = broker.client();
    coordinator(&mut client);
    let joined = once_loaded(|| {
        let joined = join(&mut client, &Str::new(), None, 9);
        (joined.error_code, joined)
    });
    let request = join_request(&Str::new(), None);
    let mut error = |request: &JoinGroupRequest| client.call(request, 3).error_code;
    // A group without a name would live in another shard, which may still load.
    let nameless = JoinGroupRequest { group_id: "".into(), ..request.clone() };
    once_loaded(|| match error(&nameless) {
        0 => panic!("joined"),
        24 => (0, ()),
        other => (other, ()),
    });
    assert_eq!(error(&JoinGroupRequest { session_timeout_ms: 1, ..request.clone() }), 26);
    assert_eq!(error(&JoinGroupRequest { member_id: "who".into(), ..request.clone() }), 25);
    assert_eq!(error(&JoinGroupRequest { protocol_type: "connect".into(), ..request.clone() }), 23);
    let other = JoinGroupRequestProtocol { name: "sticky".into(), ..Default::default() };
    assert_eq!(error(&JoinGroupRequest { protocols: vec![other], ..request }), 23);
    let named = SyncGroupRequest {
        group_id: "g".into(),
        generation_id: joined.generation_id,
        member_id: joined.member_id.clone(),
        ..Default::default()
    };
    assert_eq!(client.call(&named, 5).error_code, 23, "version 5 names the protocol");
}
