//! Connections that do nothing: what making each cost, and what each takes of the broker's memory.

use std::time::{Duration, Instant};

use crate::drive::broker::Broker;
use crate::drive::client::{Connection, Error, Result};
use crate::drive::meter::Figures;
use crate::drive::process;

/// The broker's memory is looked at so long after the last connection was made.
const SETTLE: Duration = Duration::from_millis(300);

/// They stay open as long as this is kept.
#[derive(Debug)]
pub(super) struct Idle {
    _open: Vec<Connection>,
    /// Of opening them, once.
    pub(super) figures: Figures,
}

/// What opening them took.
#[derive(Debug)]
struct Took {
    seconds: f64,
    broker_cpu: Option<Duration>,
    client_cpu: Duration,
    /// The broker's memory grew by so much.
    grew_mib: Option<f64>,
}

impl Idle {
    /// Opens so many, one after another.
    pub(super) fn open(count: usize, broker: &Broker) -> Result<Self> {
        let resident = || Some(process::memory(broker.pid()?).ok()?.resident_mib);
        let broker_cpu = || broker.pid().map(process::cpu).transpose().map_err(|error| gone(&error));
        let before = (resident(), broker_cpu()?, process::own_cpu(), Instant::now());
        let open = (0..count).map(|_| broker.dial.open(broker.address)).collect::<Result<Vec<_>>>()?;
        let seconds = before.3.elapsed().as_secs_f64();
        let client_cpu = process::own_cpu().saturating_sub(before.2);
        let broker_cpu = broker_cpu()?.zip(before.1).map(|(after, before)| after.saturating_sub(before));
        if open.is_empty() {
            return Ok(Self { _open: open, figures: Figures::new() });
        }
        std::thread::sleep(SETTLE);
        let grew_mib = resident().zip(before.0).map(|(after, before)| after - before);
        let figures = figures(open.len(), &Took { seconds, broker_cpu, client_cpu, grew_mib });
        Ok(Self { _open: open, figures })
    }
}

fn figures(count: usize, took: &Took) -> Figures {
    let count = count as f64;
    let each = |cpu: Duration| cpu.as_secs_f64() * 1e6 / count;
    let always =
        [("connects_per_s", count / took.seconds), ("client_cpu_us_per_connect", each(took.client_cpu))];
    let seen = [
        took.broker_cpu.map(|cpu| ("cpu_us_per_connect", each(cpu))),
        took.grew_mib.map(|mib| ("idle_kib_per_connection", mib * 1024.0 / count)),
    ];
    always.into_iter().chain(seen.into_iter().flatten()).filter(|(_, value)| value.is_finite()).collect()
}

fn gone(error: &anyhow::Error) -> Error {
    Error::Local { what: "the broker's CPU cannot be measured".to_owned(), advice: format!("{error:#}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_fast_connections_are_made_stands_beside_what_each_cost() {
        let took = Took {
            seconds: 0.5,
            broker_cpu: Some(Duration::from_millis(20)),
            client_cpu: Duration::from_millis(10),
            grew_mib: Some(1.0),
        };
        let expected = [
            ("client_cpu_us_per_connect", 100.0),
            ("connects_per_s", 200.0),
            ("cpu_us_per_connect", 200.0),
            ("idle_kib_per_connection", 10.24),
        ];
        assert_eq!(figures(100, &took), Figures::from(expected));
        let unseen = figures(100, &Took { broker_cpu: None, grew_mib: None, ..took });
        assert_eq!(unseen.into_keys().collect::<Vec<_>>(), ["client_cpu_us_per_connect", "connects_per_s"]);
    }
}
