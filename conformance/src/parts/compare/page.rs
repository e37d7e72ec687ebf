//! The page `docs/compatibility.md`, made of the same files that are played; of the tools it says what a person wrote.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context as _, Result};

use super::plain::OWN;
use super::script::Script;
use super::step::{Act, Mode, Step};
use super::tables::Tables;
use crate::workspace::Workspace;

const HEAD: &str = "\
# Compatibility

What was compared with Apache Kafka 4.3.1, request by request, and where the answers differ. Made from the files in
`conformance/compare/` by `cargo xtask docs`; `cargo xtask test compare` plays them.

Each case is sent to this broker and to a Kafka that was fetched from Maven, both fresh, in the lowest, a middle and
the highest version that is advertised, and the answers are compared field by field: good requests, and every kind of
bad one that we could think of. What a case needs before (topics, groups, transactions) is made by requests too. Each
API is also sent frames that are cut, that are empty, that go on after their end, that carry a tag nobody knows, and
versions beside those that are advertised. A difference that is not listed here fails the test, and so does one that
is listed and is gone. [Kafka's own tools](#kafkas-command-line-tools) were run against both as well.
";

/// The page.
pub fn page(workspace: &Workspace) -> Result<String> {
    let tables = Tables::read(workspace)?;
    let mut page = HEAD.to_owned();
    let (mut cases, mut answers) = (0, 0);
    let mut rows = String::new();
    for script in &tables.scripts {
        let known = tables.known.iter().filter(|row| row.api == script.api.name()).count();
        let versions: Vec<String> = script.versions.iter().map(ToString::to_string).collect();
        let compared = answers_of(script);
        cases += script.cases.len();
        answers += compared;
        let link = if known == 0 {
            "none".to_owned()
        } else {
            format!("[{known}](#{})", script.api.name().to_ascii_lowercase())
        };
        let _ = writeln!(
            rows,
            "| {} | {} | {} | {} | {compared} | {link} |",
            script.api.code(),
            script.api.name(),
            versions.join(", "),
            script.cases.len()
        );
    }
    let _ = write!(
        page,
        "\n{} APIs, {cases} cases, {answers} answers compared.\n\n\
         | key | API | versions | cases | answers | differences |\n|-|-|-|-|-|-|\n{rows}",
        tables.scripts.len()
    );
    own(&mut page);
    unsent(&mut page, &tables);
    page.push_str("\n## What differs, and why\n\nErrors have Kafka's names; `*` stands for anything.\n");
    for script in &tables.scripts {
        differences(&mut page, script.api.name(), &tables);
    }
    page.push('\n');
    page.push_str(&tools(workspace)?);
    Ok(page)
}

/// What came of running Kafka's tools against both: their output is for people, so a person compared it.
fn tools(workspace: &Workspace) -> Result<String> {
    let path = workspace.sources("compare").join("tools.txt");
    fs::read_to_string(&path).with_context(|| path.display().to_string())
}

/// Fields whose values are each broker's own.
fn own(page: &mut String) {
    page.push_str(
        "\n## What is not compared\n\n\
         The order of what has a name in lists: topics, partitions, groups. And fields that hold what each broker\n\
         makes up or finds where it runs:\n\n\
         | field | compared | because |\n|-|-|-|\n",
    );
    for row in OWN {
        let _ = writeln!(page, "| `{}` | {} | {} |", row.name, row.compared(), row.why);
    }
}

fn unsent(page: &mut String, tables: &Tables) {
    page.push_str("\nThese requests are not sent to both:\n\n| API | case | because |\n|-|-|-|\n");
    for script in &tables.scripts {
        for (name, why) in &script.unsent {
            let _ = writeln!(page, "| {} | `{name}` | {why} |", script.api.name());
        }
    }
}

fn differences(page: &mut String, api: &str, tables: &Tables) {
    let mut rows = tables.known.iter().filter(|row| row.api == api).peekable();
    if rows.peek().is_none() {
        return;
    }
    let _ =
        write!(page, "\n### {api}\n\n| case | versions | field | Pagewire | Kafka | why |\n|-|-|-|-|-|-|\n");
    for row in rows {
        let _ = writeln!(
            page,
            "| `{}` | {} | `{}` | {} | {} | {} |",
            row.case,
            row.versions(),
            row.path,
            cell(&row.ours),
            cell(&row.theirs),
            row.why
        );
    }
}

fn cell(value: &str) -> String {
    if value == "*" { "\\*".to_owned() } else { format!("`{value}`") }
}

/// How many answers a file's cases compare.
fn answers_of(script: &Script) -> usize {
    let compared =
        |step: &&Step| step.mode != Mode::Given && matches!(step.act, Act::Request(_) | Act::Answer);
    script.cases.iter().map(|case| case.versions.len() * case.steps.iter().filter(compared).count()).sum()
}
