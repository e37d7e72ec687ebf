//! What is so whatever happened, once nothing fails any more.

use std::collections::HashSet;

use pagewire_coordinate::txn::{Outcome, TxnState};

use crate::world::client::Phase;
use crate::world::{ID, World};

impl World {
    /// Nothing fails any more, nobody asks any more: everything must come to rest, and be whole.
    pub(super) fn comes_to_rest_whole(&self) {
        let mut world = self.clone();
        world.sync();
        for _ in 0..64 {
            while let Some(sending) = world.sending.first() {
                let missing = sending.missing().next().unwrap();
                world.mark(0, missing);
            }
            let state = world.shard.snapshot(ID).map(|value| value.state);
            if state.is_none_or(TxnState::is_at_rest) && world.shard.waiting().is_empty() {
                break;
            }
            world.pass();
            world.sync();
        }
        let state = world.shard.snapshot(ID).map(|value| value.state);
        assert!(state.is_none_or(TxnState::is_at_rest), "{state:?} for ever");
        assert!(world.shard.waiting().is_empty(), "somebody waits for ever");
        for partition in &world.partitions {
            assert!(partition.is_at_rest(), "a transaction hangs");
        }
        for (at, client) in world.clients.iter().enumerate() {
            for transaction in 0..=client.transaction {
                let ends: HashSet<Outcome> = world
                    .partitions
                    .iter()
                    .filter_map(|partition| partition.ended.get(&(at, transaction)).copied())
                    .collect();
                assert!(ends.len() <= 1, "half a transaction");
                if let Some(told) = client.told.get(&transaction) {
                    let all_gone = world.partitions.iter().all(|partition| partition.is_gone);
                    let nothing_to_abort = *told == Outcome::Abort && ends.is_empty();
                    let is_so = all_gone || nothing_to_abort || ends.contains(told);
                    assert!(is_so, "{told} was told, {ends:?} came");
                }
            }
        }
    }

    /// Nothing fails any more: the producer that took over last comes to its end.
    pub(super) fn its_producer_goes_on(&self) {
        let Some(at) = self.last_init.filter(|_| !self.is_disturbed) else { return };
        let mut world = self.clone();
        for _ in 0..64 {
            if world.clients[at].phase == Phase::Stopped {
                return;
            }
            world.sync();
            world.hear_what_may_be_told();
            while let Some(missing) = world.sending.first().and_then(|sending| sending.missing().next()) {
                world.mark(0, missing);
            }
            if !world.awaits(at) {
                world.request(at);
            }
            world.sync();
            world.hear_what_may_be_told();
            // Not long enough for an open transaction.
            world.now_ms += 5;
            let effects = world.shard.on_time(world.now());
            world.act(effects);
        }
        panic!("a producer does not come on from {:?}", world.clients[at].phase);
    }
}
