//! The rounds of a case that is measured here: all brokers in turn.

use std::cell::RefCell;
use std::collections::BTreeMap;

use pagewire_lab::drive::{Steal, late_words, process};

use super::{Case, Turn};
use crate::Args;
use crate::broker::{Broker, OURS};
use crate::load::Kept;
use crate::report::Samples;
use crate::routes::RouteBytes;
use crate::table::Table;

/// What came of a case.
pub(crate) struct Measured {
    pub(crate) table: Table,
    /// By which route those like ours sent that the case started.
    pub(crate) sent: RouteBytes,
    pub(crate) ended: Result<(), Kept>,
}

/// A case that is measured here. A broker that fails in it is not asked again, and the others are.
pub(crate) fn measured(case: &Case, brokers: &[&Broker], args: &Args) -> Measured {
    let (mut samples, sent) = (Samples::new(case.columns), RefCell::default());
    if let Err(why) = (case.can_be_had)() {
        let table = samples.table(case.name, case.what);
        return Measured { table, sent: sent.into_inner(), ended: Err(Kept::Skipped(format!("{why:#}"))) };
    }
    let mut fitting: Vec<_> = brokers.iter().copied().filter(|broker| case.fits(broker)).collect();
    let pids: Vec<_> = brokers.iter().map(|broker| broker.pid).collect();
    let (rounds, warm_up) = (args.rounds_of(case.rounds_min), args.warm_up.min(case.warm_up_max));
    let (mut broke, mut notes, mut late) = (Vec::new(), Vec::new(), BTreeMap::<_, f64>::new());
    for step in 0..warm_up + rounds {
        let round = step.checked_sub(warm_up);
        for broker in turned(&fitting, round.unwrap_or_default()) {
            if broker.name != OURS && round.is_some_and(|round| round >= case.rival_rounds_max) {
                continue;
            }
            let which = match round {
                Some(round) => format!("round {}/{rounds}", round + 1),
                None => "warm-up".to_owned(),
            };
            eprintln!("{} {which}: {}", case.name, broker.name);
            if case.writes {
                process::settle(broker.pid);
            }
            let (known, steal) = (RefCell::default(), Steal::start());
            let turn = Turn { broker, mib: args.mib, pids: &pids, sent: &sent, known: &known };
            match (case.run)(&turn) {
                Ok(values) if round.is_some() => {
                    samples.add(&broker.name, values);
                    let known = known.into_inner();
                    let most = late.entry(&broker.name).or_default();
                    *most = most.max(known.late_ms);
                    let said = known.notes.into_iter().chain(steal.words());
                    notes.extend(said.map(|note| format!("{} in {which}: {note}", broker.name)));
                }
                Ok(_) => {}
                Err(why) => {
                    broke.push(format!("{} in {which}: {why:#}", broker.name));
                    fitting.retain(|one| one.name != broker.name);
                }
            }
        }
    }
    let mut table = samples.table(case.name, case.what);
    table.notes.extend(notes);
    let late = late.iter().filter_map(|(name, ms)| Some(format!("{name}: {}", late_words(*ms)?)));
    table.notes.extend(late);
    if rounds > args.rounds_of(0) {
        table.notes.push(format!("{rounds} rounds: --rounds was not given"));
    }
    if case.rival_rounds_max < rounds {
        let fewer = case.rival_rounds_max;
        table.notes.push(format!("{fewer} of {rounds} rounds of all but {OURS}: each takes minutes"));
    }
    let ended = if broke.is_empty() { Ok(()) } else { Err(Kept::Broke(broke.join("; "))) };
    Measured { table, sent: sent.into_inner(), ended }
}

/// All of them, each round beginning with another one, so that none always comes after the same one.
fn turned<'b>(brokers: &[&'b Broker], round: usize) -> Vec<&'b Broker> {
    let mut turned = brokers.to_vec();
    turned.rotate_left(round % brokers.len().max(1));
    turned
}
