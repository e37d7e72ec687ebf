//! A broker that nobody asks anything, and a plan that is over at once.

use std::time::Duration;

use super::broker::Broker;
use super::client::Dial;
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

/// One round to warm up, and one that counts; none in which calls are counted.
pub(super) fn plan(case: Case) -> Plan {
    Plan {
        cases: vec![case],
        warm_up: 1,
        count_rounds: 0,
        length: Duration::from_secs(1),
        round_bytes: 1,
        record_bytes: 16,
        batch_bytes: 64,
        in_flight: 1,
        fetch_bytes: 64,
        hot_bytes: 1,
        cold_bytes: 1,
        rate: 1.0,
        busy: 1,
        ..Plan::default()
    }
}
