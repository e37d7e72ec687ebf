//! Plots of the page: for each case what a broker's CPU came to, and the slowest hundredth, in every run. All are drawn by the same
//! rule, whoever is ahead: one axis from zero, a mark at the middle of the rounds, a bar from the least to the largest.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use pagewire_lab::report::{Picture, picture};
use pagewire_lab::spread::Spread;

use crate::table::{Table, short};

/// Where pages lie.
const DOCS: &str = "docs";

/// What is drawn of a case: the first of its figures that there is. The name of its file ends in this.
const DRAWN: [(&str, &[&str]); 3] = [
    ("cpu", &["cpu_s_per_gb", "CPU s/GB", "cpu_us_per_record", "cores busy"]),
    ("alone-p99", &["alone p99 ms"]),
    ("p99", &["p99", "p99 ms"]),
];

const HEAD: &str = "
## Plots

Of every case that has them, a broker's CPU and the slowest hundredth: marks are the middle of a run's rounds, the first run above,
bars reach from the least to the largest, axes begin at zero. The tables have the same figures.
";

/// Draws the tables of runs into a directory; the part of the page that shows that.
pub(crate) fn draw(dir: &Path, runs: &[&[Table]]) -> Result<String> {
    fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    let mut part = HEAD.to_owned();
    let mut bare = Vec::new();
    for case in cases(runs) {
        let plots = DRAWN.iter().map(|drawn| plot(dir, runs, case, drawn)).collect::<Result<Vec<_>>>()?;
        let plots: Vec<_> = plots.into_iter().flatten().collect();
        if plots.is_empty() {
            bare.push(case);
        } else {
            writeln!(part, "\n**{case}**\n\n{}", plots.join("\n"))?;
        }
    }
    if !bare.is_empty() {
        writeln!(part, "\nWithout either figure: {}.", bare.join(", "))?;
    }
    Ok(part)
}

/// In the order in which they were run.
fn cases<'r>(runs: &[&'r [Table]]) -> Vec<&'r str> {
    let mut cases = Vec::new();
    for table in runs.iter().copied().flatten() {
        if !cases.contains(&table.case.as_str()) {
            cases.push(table.case.as_str());
        }
    }
    cases
}

/// Draws a figure of a case; how the page shows it.
fn plot(dir: &Path, runs: &[&[Table]], case: &str, (kind, keys): &(&str, &[&str])) -> Result<Option<String>> {
    let tables: Vec<Option<&Table>> =
        runs.iter().map(|run| run.iter().find(|table| table.case == case)).collect();
    let columns = || tables.iter().copied().flatten().flat_map(|table| &table.columns);
    let Some(column) = keys.iter().find_map(|key| columns().find(|column| column.key == *key)) else {
        return Ok(None);
    };
    let brokers = brokers(&tables, &column.key);
    if brokers.is_empty() {
        return Ok(None);
    }
    ensure!(case.chars().all(|one| one.is_ascii_alphanumeric() || one == '-'), "{case:?} names no file");
    let (file, title) = (dir.join(format!("{case}-{kind}.svg")), format!("{case}, {}", column.name));
    let drawn = picture(&Picture { title: case, figure: &column.name, brokers: &brokers })?;
    fs::write(&file, drawn).with_context(|| file.display().to_string())?;
    let of = |(name, runs): &(String, Vec<Option<Spread>>)| {
        let medians = runs.iter().map(|run| run.map_or("none".to_owned(), |spread| short(spread.median)));
        format!("{name} {}", medians.collect::<Vec<_>>().join(", "))
    };
    let told: Vec<_> = brokers.iter().map(of).collect();
    let seen_from_the_page = file.strip_prefix(DOCS).unwrap_or(&file);
    Ok(Some(format!("![{title}: {}]({})", told.join("; "), seen_from_the_page.display())))
}

/// Each broker that has the figure in one of the runs, with what it came to in each.
fn brokers(tables: &[Option<&Table>], key: &str) -> Vec<(String, Vec<Option<Spread>>)> {
    let mut names: Vec<&str> = Vec::new();
    for row in tables.iter().copied().flatten().flat_map(|table| &table.rows) {
        if !names.contains(&row.broker.as_str()) {
            names.push(&row.broker);
        }
    }
    let all = names.into_iter().map(|name| {
        let runs = tables.iter().map(|table| table.as_ref()?.spread(name, key)).collect();
        (name.to_owned(), runs)
    });
    all.filter(|(_, runs): &(String, Vec<Option<Spread>>)| runs.iter().any(Option::is_some)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::testing::table;

    #[test]
    fn each_case_has_a_plot_of_each_figure_that_it_has_in_all_runs_and_of_all_brokers() {
        let dir = tempfile::tempdir().unwrap();
        let first = [table(&["cpu_s_per_gb", "p99"], &[("floor", &[1.0, 5.0]), ("pagewire", &[3.0, 4.0])])];
        let second = [table(&["cpu_s_per_gb"], &[("floor", &[1.5]), ("kafka", &[2.0])])];
        let part = draw(dir.path(), &[&first, &second]).unwrap();
        let file = |name: &str| dir.path().join(name).display().to_string();
        let cpu = "case, cpu_s_per_gb: floor 1.00, 1.50; pagewire 3.00, none; kafka none, 2.00";
        let p99 = "case, p99: floor 5.00, none; pagewire 4.00, none";
        let shown =
            format!("**case**\n\n![{cpu}]({})\n![{p99}]({})\n", file("case-cpu.svg"), file("case-p99.svg"));
        assert!(part.contains(&shown), "{part}");
        let svg = fs::read_to_string(file("case-cpu.svg")).unwrap();
        assert!(["floor", "pagewire", "kafka"].into_iter().all(|name| svg.contains(name)), "{svg}");
    }

    #[test]
    fn a_case_without_either_figure_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let part = draw(dir.path(), &[&[table(&["ready ms"], &[("pagewire", &[1.0])])]]).unwrap();
        assert!(part.ends_with("\nWithout either figure: case.\n"), "{part}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
