//! A broker that nobody asks anything, and a plan that is over at once.

use std::time::Duration;

use pagewire_record::Codec;

use super::broker::Broker;
use super::client::{Acks, Dial};
use super::plan::{Case, Plan};

/// Of which neither process nor machine is known.
pub(super) fn broker(name: &str) -> Broker {
    Broker {
        name: name.to_owned(),
        address: ([127, 0, 0, 1], 1).into(),
        process: Err("remote".to_owned()),
        forgets_peak: false,
        congestion_control: String::new(),
        has_transactions: false,
        dial: Dial::default(),
    }
}

/// One round to warm up, and one that counts.
pub(super) fn plan(case: Case) -> Plan {
    Plan {
        targets: Vec::new(),
        cases: vec![case],
        rounds: 1,
        warm_up: 1,
        length: Duration::from_secs(1),
        round_bytes: 1,
        record_bytes: 16,
        batch_bytes: 64,
        acks: Acks::Leader,
        codec: Codec::None,
        connections: 1,
        in_flight: 1,
        partitions: 1,
        replication_factor: 1,
        fetch_bytes: 64,
        committed: false,
        together: false,
        hot_bytes: 1,
        cold_bytes: 1,
        drop_caches: false,
        rate: 1.0,
        burst: 1,
        consumers: 1,
        busy: 1,
        idle: 0,
        congestion_control: None,
    }
}
