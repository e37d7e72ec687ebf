//! The project's own commands as a Kafka client: what they print for programs, and how they end.
//!
//! They speak to any broker: with `--bootstrap` these cases run against that one.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{Cases, Context};
use crate::harness::commands::{Ran, run};
use crate::harness::{Broker, until};

/// The part.
pub fn cli(context: &Context<'_>, cases: &Cases<'_>) {
    let own =
        if context.outside.is_some() { Ok(None) } else { Broker::start(&context.binary, &[]).map(Some) };
    let own = match own {
        Ok(own) => own,
        Err(error) => {
            cases.run("start", || Err(error));
            return;
        }
    };
    let bootstrap =
        context.outside.clone().or_else(|| own.as_ref().map(|broker| broker.address().to_owned()));
    let cli = Cli { binary: context.binary.clone(), bootstrap: bootstrap.unwrap_or_default() };
    cases.run("topics_from_making_to_deleting", || topics(&cli));
    cases.run("records_with_every_codec", || codecs(&cli));
    cases.run("keys_headers_and_formats", || formats(&cli));
    cases.run("where_to_begin", || positions(&cli));
    cases.run("groups_lag_reset_delete", || groups(&cli));
    cases.run("cluster", || cluster(&cli));
    cases.run("load_with_its_figures", || load(&cli));
    cases.run("exit_codes", || exit_codes(&cli));
    cases.run("a_closed_pipe_is_no_error", || closed_pipe(&cli));
    cases.run("completions_and_manual_pages", || papers(&cli));
}

struct Cli {
    binary: PathBuf,
    bootstrap: String,
}

impl Cli {
    fn run(&self, arguments: &[&str]) -> Result<Ran> {
        self.run_with(arguments, "")
    }

    fn run_with(&self, arguments: &[&str], input: &str) -> Result<Ran> {
        run(Command::new(&self.binary).args(arguments).env("PAGEWIRE_BOOTSTRAP", &self.bootstrap), input)
    }

    /// One JSON document.
    fn json(&self, arguments: &[&str]) -> Result<Value> {
        let ran = self.run(&[arguments, &["--output", "json"]].concat())?.succeeded()?;
        serde_json::from_str(&ran.out).with_context(|| format!("not JSON: {}", ran.out))
    }

    /// One JSON document per line.
    fn json_lines(&self, arguments: &[&str]) -> Result<Vec<Value>> {
        let ran = self.run(&[arguments, &["--output", "json"]].concat())?.succeeded()?;
        ran.out.lines().map(|line| serde_json::from_str(line).with_context(|| line.to_owned())).collect()
    }

    /// A new topic of one partition.
    fn topic(&self, partitions: &str) -> Result<String> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
        let name = format!("cli-{:x}-{:x}", std::process::id(), now.as_nanos());
        self.run(&["topic", "create", &name, "--partitions", partitions])?.succeeded()?;
        until("the topic described", || Ok(self.run(&["topic", "describe", &name])?.code == 0))?;
        Ok(name)
    }
}

/// Lines `0`, `1`, ... each after a prefix.
fn numbered(count: u32, prefix: &str) -> String {
    let lines: Vec<String> = (0..count).map(|i| format!("{prefix}{i}\n")).collect();
    lines.concat()
}

fn topics(cli: &Cli) -> Result<()> {
    let topic = cli.topic("3")?;
    let again = cli.run(&["topic", "create", &topic])?;
    ensure!(again.code == 1 && again.err.contains("exists"), "made twice: {again:?}");
    cli.run(&["topic", "create", &topic, "--if-not-exists"])?.succeeded()?;
    let listed = cli.json(&["topic", "list"])?;
    let names: Vec<&str> =
        listed.as_array().into_iter().flatten().filter_map(|row| row["topic"].as_str()).collect();
    ensure!(names.contains(&topic.as_str()), "{topic} is not among {names:?}");
    ensure!(cli.run(&["topic", "list"])?.succeeded()?.out.contains(&topic), "the table lacks the topic");

    cli.run(&["topic", "alter", &topic, "--config", "retention.ms=7200000"])?.succeeded()?;
    let retention = || -> Result<Option<String>> {
        let described = cli.json(&["topic", "describe", &topic])?;
        let configs = described[0]["configs"].as_array().cloned().unwrap_or_default();
        let found = configs.iter().find(|config| config["name"] == "retention.ms");
        Ok(found.and_then(|config| config["value"].as_str()).map(str::to_owned))
    };
    until("the altered setting", || Ok(retention()?.as_deref() == Some("7200000")))?;
    cli.run(&["topic", "alter", &topic, "--unset", "retention.ms"])?.succeeded()?;
    until("the setting taken back", || Ok(retention()?.is_none()))?;
    ensure!(
        cli.run(&["topic", "alter", &topic, "--config", "nosuch=1"])?.code == 1,
        "an unknown setting was taken"
    );

    cli.run(&["topic", "add-partitions", &topic, "--total", "5"])?.succeeded()?;
    let partitions =
        || Ok(cli.json(&["topic", "describe", &topic])?[0]["partitions"].as_array().map(Vec::len) == Some(5));
    until("five partitions", partitions)?;
    cli.run(&["topic", "delete", &topic])?.succeeded()?;
    until("the topic gone", || Ok(cli.run(&["topic", "describe", &topic])?.code == 1))
}

fn codecs(cli: &Cli) -> Result<()> {
    let lines: Vec<String> = (0..500).map(|i| format!("line {i} of many that repeat themselves")).collect();
    let input = lines.join("\n") + "\n";
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        for acks in ["1", "all"] {
            let topic = cli.topic("1")?;
            cli.run_with(&["produce", &topic, "--codec", codec, "--acks", acks], &input)?.succeeded()?;
            let read = cli.run(&["consume", &topic])?.succeeded()?;
            ensure!(
                read.out == input,
                "{codec}, acks={acks}: {} of {} bytes came back",
                read.out.len(),
                input.len()
            );
        }
    }
    Ok(())
}

fn formats(cli: &Cli) -> Result<()> {
    let topic = cli.topic("1")?;
    let arguments = ["produce", &topic, "--key-separator", ":", "--header", "who=me", "--empty-as-null"];
    cli.run_with(&arguments, "k1:v1\nk2:\nk3:välue\n")?.succeeded()?;
    let read = cli.run(&["consume", &topic, "--format", "%p %o %k=%v [%h]\\n"])?.succeeded()?;
    ensure!(
        read.out == "0 0 k1=v1 [who=me]\n0 1 k2= [who=me]\n0 2 k3=välue [who=me]\n",
        "formatted: {:?}",
        read.out
    );
    let records = cli.json_lines(&["consume", &topic])?;
    let values: Vec<&Value> = records.iter().map(|record| &record["value"]).collect();
    ensure!(values == [&Value::from("v1"), &Value::Null, &Value::from("välue")], "values: {values:?}");
    let first = records.first().context("no record")?;
    ensure!(
        first["headers"][0]["name"] == "who" && first["timestamp"].as_i64() > Some(0),
        "a record: {first}"
    );
    Ok(())
}

fn positions(cli: &Cli) -> Result<()> {
    let topic = cli.topic("1")?;
    let lines = numbered(100, "");
    cli.run_with(&["produce", &topic], &lines)?.succeeded()?;
    for (from, count, expected) in
        [("beginning", "2", "0\n1\n"), ("42", "2", "42\n43\n"), ("-3", "3", "97\n98\n99\n")]
    {
        let read = cli.run(&["consume", &topic, &format!("--from={from}"), "-n", count])?.succeeded()?;
        ensure!(read.out == expected, "from {from}: {:?}", read.out);
    }
    let at = cli
        .json_lines(&["consume", &topic, "-n", "1"])?
        .first()
        .and_then(|record| record["timestamp"].as_i64());
    let from = format!("--from={}", at.context("no timestamp")?);
    let read = cli.run(&["consume", &topic, &from, "-n", "1"])?.succeeded()?;
    ensure!(read.out == "0\n", "from its time: {:?}", read.out);
    Ok(())
}

fn groups(cli: &Cli) -> Result<()> {
    let topic = cli.topic("1")?;
    let group = format!("{topic}-group");
    let lines = numbered(50, "");
    cli.run_with(&["produce", &topic], &lines)?.succeeded()?;
    let read = cli.run(&["consume", &topic, "--group", &group, "-n", "20"])?.succeeded()?;
    ensure!(read.out.lines().count() == 20, "read {:?}", read.out);
    let lag = || Ok::<_, anyhow::Error>(cli.json(&["group", "describe", &group])?[0]["lag"].as_i64());
    ensure!(lag()? == Some(30), "lag {:?} after 20 of 50", lag()?);
    let read = cli.run(&["consume", &topic, "--group", &group, "-n", "1"])?.succeeded()?;
    ensure!(read.out == "20\n", "resumed at {:?}", read.out);
    let listed = cli.run(&["group", "list"])?.succeeded()?;
    ensure!(listed.out.contains(&group), "the table lacks the group");
    let reset = ["group", "reset", &group, "--topic", &topic, "--to", "5"];
    cli.run(&reset)?.succeeded()?;
    ensure!(lag()? == Some(29), "a rehearsal changed the lag to {:?}", lag()?);
    cli.run(&[&reset[..], &["--execute"]].concat())?.succeeded()?;
    ensure!(lag()? == Some(45), "lag {:?} after the reset", lag()?);
    cli.run(&["group", "delete", &group])?.succeeded()?;
    ensure!(cli.run(&["group", "describe", &group])?.code == 1, "a deleted group is described");
    Ok(())
}

fn cluster(cli: &Cli) -> Result<()> {
    let cluster = cli.json(&["cluster"])?;
    ensure!(cluster["cluster_id"].as_str().is_some_and(|id| !id.is_empty()), "no cluster id: {cluster}");
    ensure!(cluster["nodes"].as_array().is_some_and(|nodes| !nodes.is_empty()), "no nodes: {cluster}");
    cli.run(&["cluster", "--apis"])?.succeeded()?;
    Ok(())
}

/// Every case of `lab drive` with as little as can be measured; a broker that is elsewhere cannot be made cold.
fn load(cli: &Cli) -> Result<()> {
    let tiny = [
        "--rounds=1",
        "--warm-up=0",
        "--seconds=0.3",
        "--round-bytes=1MiB",
        "--hot-bytes=1MiB",
        "--cold-bytes=1MiB",
        "--rate=200",
        "--busy=5",
        "--idle=5",
    ];
    let cells = cli.json_lines(&[&["lab", "drive"], &tiny[..]].concat())?;
    let cases: Vec<&str> = cells.iter().filter_map(|cell| cell["case"].as_str()).collect();
    let asked = ["produce", "fetch-hot", "end-to-end", "connections"];
    ensure!(asked.iter().all(|case| cases.contains(case)), "only {cases:?} were measured");
    for cell in &cells {
        ensure!(cell["figures"]["records_per_s"]["median"].as_f64() > Some(0.0), "nothing moved: {cell}");
        let missing = cell["figures"]["missing_records"]["max"].as_f64().unwrap_or_default();
        ensure!(missing == 0.0, "records were lost: {cell}");
    }
    let left = || Ok(cli.run(&["topic", "list"])?.succeeded()?.out.contains("pagewire-drive"));
    until("no topic of the drive left", || left().map(|left: bool| !left))
}

fn exit_codes(cli: &Cli) -> Result<()> {
    let cases: [(&[&str], i32); 9] = [
        (&["--help"], 0),
        (&["--version"], 0),
        (&["topic", "list"], 0),
        (&["topic", "describe", "no-such-topic"], 1),
        (&["consume", "no-such-topic", "-n", "1"], 1),
        (&["topic", "list", "-b", "127.0.0.1:1", "--timeout", "2"], 1),
        (&["topic", "list", "--no-such-option"], 2),
        (&["no-such-command"], 2),
        (&["topic", "create"], 2),
    ];
    for (arguments, expected) in cases {
        let ran = cli.run(arguments)?;
        ensure!(
            ran.code == expected,
            "{arguments:?} ended with {} instead of {expected}: {}",
            ran.code,
            ran.err
        );
        ensure!(ran.code == 0 || !ran.err.is_empty(), "{arguments:?} failed without a word");
    }
    Ok(())
}

fn closed_pipe(cli: &Cli) -> Result<()> {
    let topic = cli.topic("1")?;
    let lines = numbered(50_000, "a line that will not be read, number ");
    cli.run_with(&["produce", &topic], &lines)?.succeeded()?;
    let mut child = Command::new(&cli.binary)
        .args(["consume", &topic])
        .env("PAGEWIRE_BOOTSTRAP", &cli.bootstrap)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    drop(child.stdout.take());
    let ended = child.wait_with_output()?;
    ensure!(ended.status.success(), "{}: {}", ended.status, String::from_utf8_lossy(&ended.stderr));
    Ok(())
}

fn papers(cli: &Cli) -> Result<()> {
    for shell in ["bash", "zsh", "fish"] {
        let script = cli.run(&["completions", shell])?.succeeded()?;
        ensure!(script.out.contains("pagewire"), "an empty completion for {shell}");
    }
    ensure!(cli.run(&["man"])?.succeeded()?.out.contains(".TH"), "the manual page is no manual page");
    let folder = tempfile::tempdir()?;
    cli.run(&["man", "--dir", &folder.path().to_string_lossy()])?.succeeded()?;
    ensure!(std::fs::read_dir(folder.path())?.count() > 5, "too few manual pages");
    Ok(())
}
