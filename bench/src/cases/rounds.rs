//! The rounds of a case that is measured here: all brokers in turn.

use pagewire_lab::drive::process;

use super::Case;
use crate::Args;
use crate::broker::{Broker, OURS};
use crate::load::Kept;
use crate::report::Samples;
use crate::table::Table;

/// A case that is measured here. A broker that fails in it is not asked again, and the others are.
pub(crate) fn measured(case: &Case, brokers: &[Broker], args: &Args) -> (Table, Result<(), Kept>) {
    let mut samples = Samples::new(case.columns);
    if let Err(why) = (case.can_be_had)() {
        return (samples.table(case.name, case.what), Err(Kept::Skipped(format!("{why:#}"))));
    }
    let mut fitting: Vec<_> = brokers.iter().filter(|broker| case.fits(broker)).collect();
    let (mut broke, warm_up) = (Vec::new(), args.warm_up.min(case.warm_up_max));
    for step in 0..warm_up + args.rounds {
        let round = step.checked_sub(warm_up);
        for broker in turned(&fitting, round.unwrap_or_default()) {
            if broker.name != OURS && round.is_some_and(|round| round >= case.rival_rounds_max) {
                continue;
            }
            let which = match round {
                Some(round) => format!("round {}/{}", round + 1, args.rounds),
                None => "warm-up".to_owned(),
            };
            eprintln!("{} {which}: {}", case.name, broker.name);
            if case.writes {
                process::settle(broker.pid);
            }
            match (case.run)(broker, args.mib) {
                Ok(values) if round.is_some() => samples.add(&broker.name, values),
                Ok(_) => {}
                Err(why) => {
                    broke.push(format!("{} in {which}: {why:#}", broker.name));
                    fitting.retain(|one| one.name != broker.name);
                }
            }
        }
    }
    let mut table = samples.table(case.name, case.what);
    if case.rival_rounds_max < args.rounds {
        let rounds = case.rival_rounds_max;
        table.notes.push(format!("{rounds} of {} rounds of all but {OURS}: each takes minutes", args.rounds));
    }
    let ended = if broke.is_empty() { Ok(()) } else { Err(Kept::Broke(broke.join("; "))) };
    (table, ended)
}

/// All of them, each round beginning with another one, so that none always comes after the same one.
fn turned<'b>(brokers: &[&'b Broker], round: usize) -> Vec<&'b Broker> {
    let mut turned = brokers.to_vec();
    turned.rotate_left(round % brokers.len().max(1));
    turned
}
