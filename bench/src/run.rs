//! A run: the chosen cases one after the other, on all brokers.

use std::collections::BTreeMap;
use std::fs::File;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use pagewire_lab::drive::{Target, wait_for_quiet};
use pagewire_lab::report::Records;
use pagewire_lab::{machine, report as lab_report};

use crate::Args;
use crate::broker::{self, Broker, FLOOR, Lot, OURS};
use crate::cases::{self, Case, Measured};
use crate::commit;
use crate::goals::{Asked, Goal};
use crate::kafka;
use crate::load::{self, Extent, Kept, LoadCase, Ran, Unjudged};
use crate::node::Recipe;
use crate::output::{Output, Run};
use crate::place::Place;
use crate::report::{self, Samples};
use crate::routes::{RouteBytes, SENDFILE};
use crate::table::{Column, SENDFILE_SHARE, Table};

/// Runs the cases that were named, or all.
pub(crate) fn run(args: &Args) -> Result<()> {
    if args.list {
        known().for_each(|(name, what)| println!("{name:<20} {what}"));
        return Ok(());
    }
    if let Some(unknown) = args.cases.iter().find(|name| known().all(|(one, _)| one != name.as_str())) {
        bail!("there is no case {unknown:?}; --list names them");
    }
    let mut place = Place::settle(args.dir.as_deref(), !args.rival.is_empty())?;
    if let Some(path) = &args.json {
        // Nobody waits to hear that it cannot be written.
        File::create(path).with_context(|| path.display().to_string())?;
    }
    let is_chosen = |name: &str| args.cases.is_empty() || args.cases.iter().any(|one| one == name);
    if let Some(why) = load::raise_limit() {
        eprintln!("{why}");
    }
    if let Some(paced) = &place.paced {
        eprintln!("{paced}");
    }
    let recipes = recipes(args)?;
    place.busy = wait_for_quiet(Duration::from_secs(args.wait), |what| eprintln!("{what}"));
    let commands = recipes.iter().map(|recipe| (recipe.name.clone(), recipe.command())).collect();
    let about = Run { commands, ..about(args, &place) };
    let apart = commit::apart(&about);
    let output = Output::begin(about, args.json.as_deref())?;
    let mut results = Results { output, place: &place, broken: Vec::new() };
    let mut lot = start_all(&recipes, &args.rival)?;
    lot.notes.extend(apart);
    std::mem::take(&mut lot.notes).into_iter().try_for_each(|note| results.output.note(note, None))?;
    let mut drive = Vec::new();
    for case in load::CASES.iter().filter(|case| is_chosen(case.name)) {
        let (table, ran) = loaded(case, &lot, args);
        ran.notes.into_iter().try_for_each(|note| results.output.note(note, Some(case.name)))?;
        ran.cells.iter().try_for_each(|cell| results.output.cell(cell))?;
        let asked = Asked::of_all(args.rounds_of(0));
        let came = Came { table, asked, ended: ran.ended, unjudged: ran.unjudged };
        results.case(case.name, came, case.goals)?;
        drive.extend(ran.cells);
    }
    for case in cases::CASES.iter().filter(|case| is_chosen(case.name)) {
        let (table, ended) = measured(case, &lot, args);
        let ours = args.rounds_of(case.rounds_min);
        let asked = Asked { ours, others: ours.min(case.rival_rounds_max) };
        results.case(case.name, Came { table, asked, ended, unjudged: Vec::new() }, case.goals)?;
    }
    if let Some(dir) = args.report.as_deref().filter(|_| !drive.is_empty()) {
        let page = lab_report::write(dir, &Records { drive, ..Records::default() })?;
        println!("plots: {}", page.display());
    }
    let broken = results.broken;
    ensure!(broken.is_empty(), "not measured whole: {}", broken.join(", "));
    Ok(())
}

/// What came of the cases so far.
struct Results<'p> {
    output: Output,
    place: &'p Place,
    /// Those in which a broker failed.
    broken: Vec<&'static str>,
}

impl Results<'_> {
    /// A case is over.
    fn case(&mut self, name: &'static str, came: Came, goals: &[Goal]) -> Result<()> {
        if let Err(Kept::Broke(_)) = came.ended {
            self.broken.push(name);
        }
        self.output.table(judged(came, goals, self.place))
    }
}

/// All cases, by name.
fn known() -> impl Iterator<Item = (&'static str, &'static str)> {
    let loads = load::CASES.iter().map(|case| (case.name, case.what));
    loads.chain(cases::CASES.iter().map(|case| (case.name, case.what)))
}

/// What will be measured, where and when.
fn about(args: &Args, place: &Place) -> Run {
    Run {
        began: machine::here(&tempfile::env::temp_dir()).began,
        commit: commit::own(),
        broker: broker::our_version().ok(),
        machine: report::machine(),
        own_network: place.own_network,
        paced: place.paced.clone(),
        busy: place.busy.clone(),
        arguments: std::env::args().skip(1).collect(),
        versions: versions(args),
        commands: BTreeMap::new(),
        rounds: args.rounds_of(0),
        warm_up: args.warm_up,
        seconds: args.seconds.get(),
        mib: args.mib,
    }
}

/// Of what is measured beside ours, and of the producer that is.
fn versions(args: &Args) -> BTreeMap<String, String> {
    let mut versions = if args.no_kafka { BTreeMap::new() } else { report::versions() };
    versions.extend(cases::librdkafka_version().ok().map(|version| ("librdkafka".to_owned(), version)));
    versions
}

/// Of the floor, ours, Kafka, and whoever was named with a command.
fn recipes(args: &Args) -> Result<Vec<Recipe>> {
    let mut recipes = vec![broker::the_floor()?, broker::ours(&args.set)?];
    if !args.no_kafka {
        recipes.push(kafka::recipe(&args.kafka_set).context("Apache Kafka; --no-kafka goes without it")?);
    }
    recipes.extend(args.start.iter().cloned());
    Ok(recipes)
}

/// Those, and whoever runs already.
fn start_all(recipes: &[Recipe], rivals: &[Target]) -> Result<Lot> {
    let brokers = recipes.iter().map(Broker::start).collect::<Result<Vec<_>>>()?;
    debug_assert_eq!(brokers.first().map(|first| first.name.as_str()), Some(FLOOR));
    let mut lot = Lot { brokers, unseen: Vec::new(), notes: Vec::new() };
    rivals.iter().try_for_each(|target| lot.add(target))?;
    Ok(lot)
}

/// A case under the drive, and by which route ours sent in it.
fn loaded(case: &LoadCase, lot: &Lot, args: &Args) -> (Table, Ran) {
    let extent = Extent {
        rounds: args.rounds_of(0),
        warm_up: args.warm_up,
        length: Duration::from_secs(args.seconds.get()),
        round_bytes: args.mib << 20,
    };
    let own = match own(case.ours, &lot.brokers) {
        Ok(own) => own,
        Err(why) => return (load::table(case, &[]), Ran::broke(format!("{why:#}"))),
    };
    let brokers = with_own(&lot.brokers, own.as_ref());
    let targets: Vec<_> =
        brokers.iter().map(|broker| broker.target()).chain(lot.unseen.iter().cloned()).collect();
    let before = routes(&brokers);
    let ran = load::run(case, &targets, extent);
    let mut table = load::table(case, &ran.cells);
    sent_since(&before, &mut table);
    let idle = load::idle_connections(&ran.cells);
    table.notes.extend(idle.map(|count| format!("{count} idle connections, to one broker at a time")));
    (table, ran)
}

/// A case that is measured here, and by which route ours sent in it, and those like ours that it started.
fn measured(case: &Case, lot: &Lot, args: &Args) -> (Table, Result<(), Kept>) {
    let own = match own(case.ours, &lot.brokers) {
        Ok(own) => own,
        Err(why) => {
            let table = Samples::new(case.columns).table(case.name, case.what);
            return (table, Err(Kept::Broke(format!("{why:#}"))));
        }
    };
    let brokers = with_own(&lot.brokers, own.as_ref());
    let before = routes(&brokers);
    let Measured { mut table, sent, ended } = cases::measured(case, &brokers, args);
    sent_since(&before, &mut table);
    note_sent(OURS, &sent, &mut table);
    (table, ended)
}

/// By which route each sent so far, of whom that is known.
fn routes<'b>(brokers: &[&'b Broker]) -> Vec<(&'b Broker, RouteBytes)> {
    brokers.iter().filter_map(|broker| Some((*broker, broker.routes()?))).collect()
}

/// By which route each sent since.
fn sent_since(before: &[(&Broker, RouteBytes)], table: &mut Table) {
    for (broker, before) in before {
        if let Some(after) = broker.routes() {
            note_sent(&broker.name, &after.since(before), table);
        }
    }
}

fn note_sent(broker: &str, sent: &RouteBytes, table: &mut Table) {
    table.notes.extend(sent.words().map(|words| format!("{broker}: bytes by route: {words}")));
    if let Some(share) = sent.share(SENDFILE) {
        table.add(broker, Column { key: SENDFILE_SHARE.into(), name: "by sendfile".into() }, share);
    }
}

/// The broker that stands in for ours, where a case wants one with these settings.
fn own(settings: &[&str], brokers: &[Broker]) -> Result<Option<Broker>> {
    let ours = brokers.iter().find(|broker| broker.name == OURS && !settings.is_empty());
    let Some(recipe) = ours.and_then(|ours| ours.recipe.clone()) else { return Ok(None) };
    let settings: Vec<_> = settings.iter().map(|&setting| setting.to_owned()).collect();
    Broker::start(&recipe.with(&settings)).map(Some)
}

/// All of them, with this one in the place of the one of its name.
fn with_own<'b>(brokers: &'b [Broker], own: Option<&'b Broker>) -> Vec<&'b Broker> {
    let stands_in = |broker: &&Broker| own.filter(|own| own.name == broker.name);
    brokers.iter().map(|broker| stands_in(&broker).unwrap_or(broker)).collect()
}

/// What came of a case.
struct Came {
    table: Table,
    asked: Asked,
    ended: Result<(), Kept>,
    /// What was measured and is not what goals are of.
    unjudged: Vec<Unjudged>,
}

/// With its goals, and with what kept it from being measured.
fn judged(Came { mut table, asked, ended, unjudged }: Came, goals: &[Goal], place: &Place) -> Table {
    let why = ended.err().map(|(Kept::Skipped(why) | Kept::Broke(why))| why);
    let unlike = |goal: &Goal| {
        let found = unjudged.iter().find(|unjudged| goal.is_of(&unjudged.broker));
        found.map(|Unjudged { broker, why }| format!("{broker}: {why}"))
    };
    let verdict = |goal: &Goal| match place.unjudged(goal).map(str::to_owned).or_else(|| unlike(goal)) {
        Some(why) => goal.not_judged(&why),
        None => goal.verdict(&table, asked, why.as_deref()),
    };
    table.goals = goals.iter().map(verdict).collect();
    table.notes.extend(why.map(|why| format!("not measured, or not whole: {why}")));
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::goals::{Became, To, at_most};
    use crate::table::testing::table;

    fn came(ours: &[f64], ended: Result<(), Kept>) -> Came {
        let asked = Asked::of_all(1);
        Came { table: table(&["cpu"], &[("pagewire", ours)]), asked, ended, unjudged: Vec::new() }
    }

    #[test]
    fn what_was_not_measured_as_the_goal_wants_it_is_neither_met_nor_missed() {
        let of = |broker: &str| {
            let unjudged = vec![Unjudged { broker: broker.to_owned(), why: "not hot".to_owned() }];
            let all = table(&["cpu"], &[("floor", &[1.0]), ("pagewire", &[1.0]), ("kafka", &[1.0])]);
            let came = Came { table: all, unjudged, ..came(&[], Ok(())) };
            let goals = [To::Itself, To::Floor, To::Kafka].map(|to| at_most("cpu", to, 2.0));
            let judged = judged(came, &goals, &Place::default());
            assert_eq!(judged.median("pagewire", "cpu"), Some(1.0), "the figure stands all the same");
            judged.goals.into_iter().map(|verdict| verdict.became).collect::<Vec<_>>()
        };
        let met = Became::Measured { reached: 1.0, met: true };
        let because = |why: &str| Became::Unmeasured { not_measured: why.to_owned() };
        assert_eq!(of("pagewire"), vec![because("pagewire: not hot"); 3], "ours is a side of each");
        assert_eq!(of("kafka"), [met.clone(), met.clone(), because("kafka: not hot")]);
        assert_eq!(of("a rival"), vec![met; 3]);
    }

    #[test]
    fn what_was_sent_by_which_route_is_a_note_and_a_column_of_whoever_sent() {
        let mut told = table(&["cpu"], &[("pagewire", &[1.0]), ("kafka", &[2.0])]);
        note_sent("pagewire", &RouteBytes::default(), &mut told);
        assert_eq!((told.columns.len(), told.notes.len()), (1, 0), "nothing was sent");
        let sent = RouteBytes::of(&[(SENDFILE, 3), ("copy", 1)]);
        note_sent("pagewire", &sent, &mut told);
        assert_eq!(told.median("pagewire", SENDFILE_SHARE), Some(0.75));
        assert_eq!(told.median("kafka", SENDFILE_SHARE), None);
        assert!(told.notes[0].starts_with("pagewire: bytes by route: copy 25.00 %"), "{:?}", told.notes);
    }

    #[test]
    fn whoever_broke_on_the_way_is_not_judged_by_the_rounds_before() {
        let ended = Err(Kept::Broke("produce of broker pagewire: it is gone".to_owned()));
        let broke = Came { asked: Asked::of_all(3), ..came(&[1.0], ended) };
        let judged = judged(broke, &[at_most("cpu", To::Itself, 2.0)], &Place::default());
        let not_measured = "pagewire has 1 of 3 rounds: produce of broker pagewire: it is gone".to_owned();
        assert_eq!(judged.goals[0].became, Became::Unmeasured { not_measured });
    }

    #[test]
    fn what_is_in_memory_has_no_goals_of_a_disk() {
        let goals = [at_most("cpu", To::Itself, 2.0), at_most("cpu", To::Itself, 2.0).on_disk()];
        let judged = judged(came(&[1.0], Ok(())), &goals, &Place::in_memory("in memory"));
        let became: Vec<_> = judged.goals.into_iter().map(|verdict| verdict.became).collect();
        let not_measured = "in memory".to_owned();
        assert_eq!(
            became,
            [Became::Measured { reached: 1.0, met: true }, Became::Unmeasured { not_measured }]
        );
    }

    #[test]
    fn what_kept_a_case_from_being_measured_stands_in_its_table_and_behind_its_goals() {
        let goals = [at_most("cpu", To::Itself, 2.0)];
        let skipped = Err(Kept::Skipped("no disk".to_owned()));
        let judged =
            judged(Came { table: table(&["cpu"], &[]), ..came(&[], skipped) }, &goals, &Place::default());
        assert_eq!(judged.notes, ["not measured, or not whole: no disk"]);
        assert_eq!(judged.goals[0].became, Became::Unmeasured { not_measured: "no disk".to_owned() });
    }
}
