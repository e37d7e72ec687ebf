//! `pagewire log online`: asks the broker that serves to take in a directory. An error, and so exit code 1, if some of it did
//! not come.

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::args::log::OnlineArgs;
use crate::args::serve::ServeArgs;
use crate::client::control::{Control, Word, silence};
use crate::commands::serve::settings;
use crate::output::units::{bytes, several};
use crate::output::{Format, Out, complain};

/// Asks, and prints what came of it.
pub(super) async fn run(args: OnlineArgs, format: Format) -> anyhow::Result<()> {
    let serve = ServeArgs { config: args.config, data_dir: args.data_dir, ..ServeArgs::default() };
    let (config, _) = settings::load(&serve)?;
    let home = config.data_dir();
    let Some(control) = Control::of(home).await? else {
        bail!(
            "no broker serves {home}: a broker that is started (pagewire serve) opens all of its directories by itself; of one \
             that runs, name its first data directory with --data-dir",
            home = home.display()
        );
    };
    let dir = std::path::absolute(&args.dir).context("the directory has no name")?;
    let dir = dir.to_str().context("the directory's name is no text")?;
    let mut request = json!({ "verb": "online", "dir": dir });
    // A broker that does not know it says so.
    if args.empty {
        request["empty"] = true.into();
    }
    let result = control.ask(&request, |word| show(&word)).await?;
    let mut out = Out::new();
    match format {
        Format::Json => out.json(&result)?,
        Format::Table => print(dir, &result, &mut out)?,
    }
    out.flush()?;
    if result["failed"].as_array().is_some_and(|failed| !failed.is_empty()) {
        bail!("not everything of {dir} came: what did not is named above, with the reason");
    }
    Ok(())
}

fn print(dir: &str, result: &Value, out: &mut Out) -> anyhow::Result<()> {
    let lines = |name: &str| {
        let said = result.get(name).and_then(Value::as_array).into_iter().flatten();
        said.filter_map(Value::as_str).collect::<Vec<_>>()
    };
    let partitions = result["partitions"].as_u64().unwrap_or_default();
    let are = if partitions == 1 { "is" } else { "are" };
    let which = match lines("served").join(", ") {
        none if none.is_empty() => none,
        names => format!(": {names}"),
    };
    let made = match result["made"].as_u64().unwrap_or_default() {
        0 => String::new(),
        all if all == partitions => "; new and empty, as what was there is lost".to_owned(),
        some => format!("; {some} of them new and empty, as what was there is lost"),
    };
    out.line(format_args!(
        "{dir}: online, {} {are} served again{which}{made}",
        several(partitions, "partition")
    ))?;
    for line in ["cuts", "damage", "failed", "notes"].into_iter().flat_map(lines) {
        out.line(line)?;
    }
    Ok(())
}

/// How far the broker is, on standard error.
fn show(word: &Word) {
    let progress = match word {
        Word::Progress(progress) => progress,
        Word::Silence(time) => return complain(silence(*time)),
    };
    let number = |name: &str| progress.get(name).and_then(Value::as_u64).unwrap_or_default();
    let (logs, logs_total) = (number("logs"), number("logs_total"));
    let checked = match number("bytes_total") {
        0 => String::new(),
        total => format!(", {} of {} checked", bytes(number("bytes")), bytes(total)),
    };
    complain(format_args!("{logs} of {} opened{checked}", several(logs_total, "log")));
}
