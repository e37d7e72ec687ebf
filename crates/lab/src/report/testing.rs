//! Records for the tests, made up: figures of no machine.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Records;
use crate::record::{Claim, DriveCell, Link, Machine, ProofLine, Receiver, Residency, RouteCell};
use crate::spread::Spread;

/// An eighth around this: numbers with few digits, which JSON keeps exactly.
fn around(median: f64) -> Spread {
    Spread { min: median * 0.875, median, max: median * 1.125 }
}

pub(super) fn machine() -> Machine {
    Machine {
        kernel: "6.1.0".into(),
        cpu: "A CPU".into(),
        cpus: 2,
        memory_mib: 4096,
        congestion_control: "cubic".into(),
        congestion_control_default: "bbr".into(),
        offloads: BTreeMap::from([("scatter-gather".into(), "on".into())]),
        file_system: "ext4".into(),
        dirty: None,
        load: 0.5,
        began: "2026-01-02T03:04:05Z".into(),
    }
}

/// A cell of the plainest setting.
pub(crate) fn route(route: &str, bytes: u64, cpu_s_per_gb: f64) -> RouteCell {
    RouteCell {
        route: route.into(),
        bytes,
        residency: Residency::Hot,
        receiver: Receiver::Drain,
        link: Link::Loopback,
        cpu_s_per_gb: around(cpu_s_per_gb),
        system_cpu_s_per_gb: around(cpu_s_per_gb * 1.25),
        system_how: "processes".into(),
        processes_cpu_s_per_gb: None,
        mb_per_s: around(900.0 / cpu_s_per_gb),
        cpu_us_per_response: around(cpu_s_per_gb * bytes as f64 / 1024.0),
        syscalls_per_mib: 2.0,
        crossings_per_mib: 4.0,
        faults_per_mib: 0.0,
        cpu_copies: 1,
        measured: false,
        measured_bytes: None,
        dma_copies: 1,
        by_route: 1.0,
        took: BTreeMap::new(),
        why: None,
        x_bare: None,
        header_bytes: 60,
        syscalls_how: "counted".into(),
        pages_from: None,
        cold_how: None,
        pinned_cpu: None,
        scheduling: None,
        receive_low_water_bytes: None,
        rounds: 5,
        responses_per_round: 8,
        machine: machine(),
    }
}

pub(super) fn proof(route: &str, aliased: f64) -> ProofLine {
    ProofLine {
        route: route.into(),
        available: true,
        why: None,
        aliased: Some(aliased),
        control: Some(0.0),
        cpu_copies: Some(u8::from(aliased < 0.5)),
        how: Some("aliasing".into()),
        allocated: None,
        reported_copied: None,
        kernel_word: None,
        machine: Some(machine()),
    }
}

pub(super) fn missing(route: &str, why: &str) -> ProofLine {
    ProofLine {
        available: false,
        why: Some(why.into()),
        aliased: None,
        control: None,
        cpu_copies: None,
        how: None,
        ..proof(route, 0.0)
    }
}

pub(super) fn claim(claim: &str, holds: Option<bool>) -> Claim {
    let figures = BTreeMap::from([("blocked_ms".into(), 3.5)]);
    Claim {
        claim: claim.into(),
        holds,
        evidence: "It took 3.5 ms.".into(),
        figures,
        machine: Some(machine()),
    }
}

pub(super) fn drive(broker: &str, case: &str, cpu_s_per_gb: f64) -> DriveCell {
    let latency = ["p50", "p99", "p99.9", "max"].into_iter().zip([300.0, 900.0, 2500.0, 8000.0]);
    DriveCell {
        broker: broker.into(),
        case: case.into(),
        settings: BTreeMap::from([("record_bytes".into(), "1024".into())]),
        figures: BTreeMap::from([
            ("mb_per_s".into(), around(90.0 / cpu_s_per_gb)),
            ("cpu_s_per_gb".into(), around(cpu_s_per_gb)),
            ("client_cpu_cores".into(), around(0.5)),
        ]),
        latency_us: latency.map(|(name, us)| (name.into(), around(us * cpu_s_per_gb))).collect(),
        distribution: [(0.0, 90.0), (50.0, 300.0), (99.0, 900.0), (99.9, 2500.0), (100.0, 8000.0)].into(),
        timeline: (0..30).map(|second| (f64::from(second), 400.0 + f64::from(second % 7))).collect(),
        rounds: 3,
        samples: BTreeMap::new(),
        ratio_to_first: BTreeMap::new(),
        process: None,
        notes: Vec::new(),
        unlike: Vec::new(),
        machine: machine(),
    }
}

/// Some of every kind.
pub(super) fn records() -> Records {
    Records {
        routes: vec![
            route("sendfile-bare", 1024, 3.9),
            route("copy", 1024, 2.7),
            route("copy", 1 << 20, 0.3),
        ],
        proof: vec![proof("sendfile", 1.0), proof("copy", 0.0), missing("ktls", "no module")],
        claims: vec![claim("Mapping is always faster.", Some(false))],
        drive: vec![drive("one", "produce", 0.5), drive("other", "produce", 1.5)],
    }
}

fn json<T: Serialize>(records: &[T]) -> impl Iterator<Item = String> {
    records.iter().map(|record| serde_json::to_string(record).unwrap())
}

/// As the lab writes them.
pub(super) fn lines(records: &Records) -> Vec<String> {
    let written = json(&records.routes).chain(json(&records.proof));
    written.chain(json(&records.claims)).chain(json(&records.drive)).collect()
}
