//! `docs/performance.md` out of the files that runs have left (`--json`): the goals first, one column for each run, then plots, then
//! every table.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Parser;

use crate::cases;
use crate::commit;
use crate::goals::Became;
use crate::load;
use crate::output::{Line, Note, Run};
use crate::plots;
use crate::table::{Table, short};

/// The first word of the command line that leads here.
pub(crate) const COMMAND: &str = "page";

/// Options that name a place on the machine of a run.
const PLACES: [&str; 3] = ["--json", "--report", "--dir"];

/// Print a page in Markdown of one or more runs of one commit: `cargo xtask bench page RUN.json RUN.json --plots docs/drawings/performance >
/// docs/performance.md`.
#[derive(Parser)]
#[command(bin_name = "cargo xtask bench page")]
struct Args {
    /// Files that runs have written with --json.
    #[arg(required = true, value_name = "RUN.json")]
    runs: Vec<PathBuf>,
    /// Also draw each case into this directory, as SVG, and show that. The page names the files as they are seen from docs/
    #[arg(long, value_name = "DIR")]
    plots: Option<PathBuf>,
}

/// A run and what came of it.
struct Told {
    run: Run,
    notes: Vec<Note>,
    tables: Vec<Table>,
}

pub(crate) fn run(words: impl Iterator<Item = String>) -> Result<()> {
    let args = Args::parse_from(std::iter::once(COMMAND.to_owned()).chain(words));
    let runs = args.runs.iter().map(|path| read(path)).collect::<Result<Vec<_>>>()?;
    let named: Vec<_> =
        args.runs.iter().map(PathBuf::as_path).zip(runs.iter().map(|told| &told.run)).collect();
    commit::ensure_one(&named)?;
    let tables: Vec<_> = runs.iter().map(|told| told.tables.as_slice()).collect();
    let plots = args.plots.as_deref().map(|dir| plots::draw(dir, &tables)).transpose()?;
    print!("{}", page(&runs, plots.as_deref())?);
    Ok(())
}

fn read(path: &Path) -> Result<Told> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let lines = text.lines().map(serde_json::from_str);
    let lines: Vec<Line> = lines.collect::<Result<_, _>>().with_context(|| path.display().to_string())?;
    let mut lines = lines.into_iter();
    let Some(Line::Run(run)) = lines.next() else { bail!("{} does not begin with a run", path.display()) };
    let mut told = Told { run: *run, notes: Vec::new(), tables: Vec::new() };
    for line in lines {
        match line {
            Line::Note(note) => told.notes.push(note),
            Line::Table(table) => told.tables.push(table),
            // Its table has what is shown.
            Line::Cell(_) => {}
            Line::Run(_) => bail!("{} has more than one run", path.display()),
        }
    }
    Ok(told)
}

const HEAD: &str = "# Performance

Made by `cargo xtask bench page` out of what `cargo xtask bench --json FILE` measured; not edited by hand. In each round the
brokers of a case take turns under the same client; where a case has other rounds than its run, its table says so. Figures are
least / **middle** / largest of the rounds, in brackets the ratio of the middle to that of the first line, in square ones to
Kafka's. A ratio to what is alone is taken in each round. A GB is 10^9 bytes. CPU is the broker process's own; the machine's is
what all CPUs did meanwhile, the client included. What is missed stands with what is met, and what was not measured with why.
What a miss comes from, as far as it was measured, and what was tried against it, is in
[decisions/0027](decisions/0027-goals-that-are-missed.md); what the cases mean, the floor, a closed loop and a delivery, is in
[benchmarks.md](benchmarks.md).
";

fn page(runs: &[Told], plots: Option<&str>) -> Result<String> {
    let mut page = HEAD.to_owned();
    for (at, told) in runs.iter().enumerate() {
        writeln!(page, "\n**Run {}**: {}", at + 1, about(&told.run))?;
        told.notes.iter().try_for_each(|note| writeln!(page, "\n- {note}"))?;
    }
    goals(&mut page, runs)?;
    page.push_str(plots.unwrap_or_default());
    for (at, told) in runs.iter().enumerate() {
        for table in &told.tables {
            writeln!(
                page,
                "\n## Run {}, {}: {}\n\n{}",
                at + 1,
                table.case,
                table.what,
                table.to_string().trim_end()
            )?;
        }
    }
    Ok(page)
}

/// What a run was, and where.
fn about(run: &Run) -> String {
    let Run { began, rounds, warm_up, seconds, mib, .. } = run;
    let (commit, machine, words) = (commit::of(run), run.place(), asked(&run.arguments));
    let versions: Vec<_> = run.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    let network = match &run.paced {
        Some(paced) => paced,
        None if run.own_network => "In a network of its own, in which nobody is paced",
        None => "Nobody is paced",
    };
    format!(
        "{began}, {commit}, `cargo xtask bench {words}`: {rounds} rounds of {seconds} s or {mib} MiB after {warm_up} to warm \
         up. {machine}. {network}. Beside ours: {}.",
        if versions.is_empty() { "nothing".to_owned() } else { versions.join(", ") }
    )
}

/// What was asked for, without where it was to be put.
fn asked(arguments: &[String]) -> String {
    let mut words = arguments.iter();
    let mut asked = Vec::new();
    while let Some(word) = words.next() {
        let (name, value) =
            word.split_once('=').map_or((word.as_str(), None), |(name, value)| (name, Some(value)));
        if !PLACES.contains(&name) {
            asked.push(word.as_str());
        } else if value.is_none() {
            words.next();
        }
    }
    asked.join(" ")
}

/// Every goal there is, and those of older runs, and what each run came to.
fn goals(page: &mut String, runs: &[Told]) -> Result<()> {
    let mut goals: Vec<(&str, String)> = known().collect();
    for table in runs.iter().flat_map(|told| &told.tables) {
        for verdict in &table.goals {
            let goal = (table.case.as_str(), verdict.goal.clone());
            if !goals.contains(&goal) {
                goals.push(goal);
            }
        }
    }
    let heads: Vec<_> = (1..=runs.len()).map(|at| format!("run {at}")).collect();
    write!(
        page,
        "\n## Goals\n\n| case | goal | {} |\n|-|-|{}\n",
        heads.join(" | "),
        "-|".repeat(runs.len())
    )?;
    for (case, goal) in goals {
        let cells: Vec<_> = runs.iter().map(|told| became(told, case, &goal)).collect();
        writeln!(page, "| {case} | {goal} | {} |", cells.join(" | "))?;
    }
    Ok(())
}

/// The goals of all cases, in words.
fn known() -> impl Iterator<Item = (&'static str, String)> {
    let loads = load::CASES.iter().map(|case| (case.name, case.goals));
    let all = loads.chain(cases::CASES.iter().map(|case| (case.name, case.goals)));
    all.flat_map(|(case, goals)| goals.iter().map(move |goal| (case, goal.words())))
}

fn became(told: &Told, case: &str, goal: &str) -> String {
    let Some(table) = told.tables.iter().find(|table| table.case == case) else {
        return "not measured: the case was not run".to_owned();
    };
    match table.goals.iter().find(|verdict| verdict.goal == goal).map(|verdict| &verdict.became) {
        Some(Became::Measured { reached, met }) => {
            format!("{} {}", short(*reached), if *met { "met" } else { "**missed**" })
        }
        Some(Became::Unmeasured { not_measured }) => format!("not measured: {}", cell(not_measured)),
        None => "not measured: no goal then".to_owned(),
    }
}

/// As text may stand in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "/").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::goals::{Asked, To, at_most};
    use crate::table::testing::table;
    use crate::{output, report};

    fn told(ours: f64) -> Told {
        let mut table = table(&["cpu"], &[("floor", &[1.0]), ("pagewire", &[ours])]);
        let goals = [at_most("cpu", To::Floor, 1.5), at_most("cpu", To::Kafka, 0.5)];
        table.goals = goals.map(|goal| goal.verdict(&table, Asked::of_all(1), None)).into();
        let note = Note { text: "the system paces".into(), case: Some("produce".into()) };
        Told { run: output::testing::run(), notes: vec![note], tables: vec![table] }
    }

    #[test]
    fn runs_stand_beside_each_other_and_a_miss_is_told_as_what_is_met() {
        let page = page(&[told(1.0), told(2.0)], Some("\n## Plots\n")).unwrap();
        assert!(
            page.contains("| case | cpu at most 1.50 of the floor's | 1.00 met | 2.00 **missed** |"),
            "{page}"
        );
        let kafka = "not measured: there is no cpu of kafka in this run";
        assert!(
            page.contains(&format!("| case | cpu at most 0.50 of kafka's | {kafka} | {kafka} |")),
            "{page}"
        );
        assert!(
            page.contains("**Run 2**: 2026-01-02T03:04:05Z, commit abc, `cargo xtask bench produce`:"),
            "{page}"
        );
        assert!(
            page.contains("In a network of its own, in which nobody is paced. Beside ours: java 21."),
            "{page}"
        );
        assert!(page.contains("\n- the system paces (first seen in produce)\n"), "{page}");
        let (goals, plots) = (page.find("## Goals"), page.find("## Plots"));
        assert!(goals < plots && plots < page.find("## Run 1"), "{page}");
        assert!(page.contains("## Run 2, case: what is done\n\n| broker | cpu |"), "{page}");
    }

    #[test]
    fn what_the_head_leads_to_is_there() {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
        let links: Vec<_> = HEAD.split("](").skip(1).filter_map(|rest| rest.split_once(')')).collect();
        assert!(!links.is_empty());
        for (link, _) in links {
            assert!(docs.join(link).is_file(), "{link}");
        }
    }

    #[test]
    fn a_goal_of_a_case_that_was_not_run_is_on_the_page() {
        let page = page(&[told(1.0)], None).unwrap();
        for (case, goal) in known() {
            let row = format!("| {case} | {goal} | not measured: the case was not run |");
            assert!(page.contains(&row), "{row}");
        }
    }

    #[test]
    fn what_a_run_wrote_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.json");
        let Told { run, notes, tables } = told(1.0);
        let mut output = output::Output::begin(run.clone(), Some(&path)).unwrap();
        for case in ["produce", "fetch"] {
            output.note(notes[0].text.clone(), Some(case)).unwrap();
        }
        let cell = output::testing::cell(&run.machine);
        output.cell(&cell).unwrap();
        output.table(tables[0].clone()).unwrap();
        let again = read(&path).unwrap();
        assert_eq!((again.run, again.notes, again.tables), (run, notes, tables), "a note is told once");
        let text = fs::read_to_string(&path).unwrap();
        let kept = text.lines().filter_map(|line| match serde_json::from_str(line).unwrap() {
            Line::Cell(cell) => Some(*cell),
            _ => None,
        });
        assert_eq!(kept.collect::<Vec<_>>(), [cell], "what no table shows is for programs");
        fs::write(&path, "{}").unwrap();
        assert!(read(&path).is_err());
    }

    #[test]
    fn a_page_tells_what_was_asked_for_and_no_place_of_the_machine() {
        let words =
            ["produce", "--json", "/some/run.json", "--seconds", "3", "--report=/some", "--dir", "/other"];
        assert_eq!(asked(&words.map(str::to_owned)), "produce --seconds 3");
    }

    #[test]
    fn a_run_on_a_machine_that_did_something_else_says_so_where_it_tells_the_machine() {
        let mut told = told(1.0);
        assert!(!about(&told.run).contains("busy"));
        told.run.busy = Some("It was busy".to_owned());
        let said = about(&told.run);
        assert!(said.contains(&format!("{}. It was busy. ", report::on(&told.run.machine))), "{said}");
    }

    #[test]
    fn a_run_that_does_not_tell_its_broker_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.json");
        let older = output::testing::run();
        drop(output::Output::begin(older.clone(), Some(&path)).unwrap());
        assert!(!fs::read_to_string(&path).unwrap().contains("broker"));
        assert_eq!(read(&path).unwrap().run, older);
    }
}
