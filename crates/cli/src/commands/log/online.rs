//! `pagewire log online`: asks the broker that serves to take in a directory.

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::args::log::OnlineArgs;
use crate::args::serve::ServeArgs;
use crate::client::control::Control;
use crate::commands::serve::settings;
use crate::output::{Format, Out};

/// Asks, and prints what came of it.
pub(super) async fn run(args: OnlineArgs, format: Format) -> anyhow::Result<()> {
    let serve = ServeArgs { config: args.config, data_dir: args.data_dir, ..ServeArgs::default() };
    let (config, _) = settings::load(&serve)?;
    let home = config.data_dir();
    let Some(control) = Control::of(home).await? else {
        bail!("no broker serves {}: name its first data directory with --data-dir", home.display());
    };
    let dir = args.dir.to_str().context("the directory's name is no text")?;
    let result = control.ask(&json!({ "verb": "online", "dir": dir }), |_| {}).await?;
    let mut out = Out::new();
    match format {
        Format::Json => out.json(&result)?,
        Format::Table => print(dir, &result, &mut out)?,
    }
    out.flush()
}

fn print(dir: &str, result: &Value, out: &mut Out) -> anyhow::Result<()> {
    let lines = |name: &str| {
        let said = result.get(name).and_then(Value::as_array).into_iter().flatten();
        said.filter_map(Value::as_str).collect::<Vec<_>>()
    };
    out.line(format_args!("{dir}: online, {} partitions are served again", result["partitions"]))?;
    for line in lines("cuts").into_iter().chain(lines("failed")) {
        out.line(line)?;
    }
    Ok(())
}
