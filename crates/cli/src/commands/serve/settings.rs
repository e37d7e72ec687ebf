//! From file, environment and flags to the broker's settings: file < environment < flags.
//!
//! Three variables stand for options, not settings: PAGEWIRE_CONFIG, PAGEWIRE_DATA_DIR and PAGEWIRE_LISTEN.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use pagewire_broker::config::{BrokerConfig, ConfigError, ConfigErrors, Origin, Sources};

use crate::Usage;
use crate::args::serve::{ServeArgs, listen};

/// No file of settings is longer.
const FILE_MAX_BYTES: u64 = 1 << 20;

/// The settings in force, and what the user should be told once.
pub(in crate::commands) fn load(args: &ServeArgs) -> anyhow::Result<(BrokerConfig, Vec<String>)> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let file = args.config.clone().or_else(|| variable("PAGEWIRE_CONFIG").map(PathBuf::from));
    let file = file.as_deref().map(read).transpose()?;
    let sources = sources(args, file.as_ref(), std::env::vars_os())?;
    BrokerConfig::load(sources).map_err(refused)
}

/// A file's name, for messages, and its bytes.
type Text = (String, Vec<u8>);

fn read(path: &Path) -> anyhow::Result<Text> {
    let unreadable = || format!("{} cannot be read", path.display());
    let mut bytes = Vec::new();
    // Its length is not asked for: a pipe has none.
    let file = File::open(path).with_context(unreadable)?;
    file.take(FILE_MAX_BYTES + 1).read_to_end(&mut bytes).with_context(unreadable)?;
    if bytes.len() as u64 > FILE_MAX_BYTES {
        bail!("{} is no file of settings: it is longer than {FILE_MAX_BYTES} bytes", path.display());
    }
    Ok((path.display().to_string(), bytes))
}

fn sources(
    args: &ServeArgs,
    file: Option<&Text>,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> anyhow::Result<Sources> {
    let mut sources = Sources::new();
    if let Some((path, bytes)) = file {
        sources.add_file(path, bytes);
    }
    // Variables that are no text can be none of ours.
    let text =
        |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    let variables: Vec<(String, String)> = variables.into_iter().filter_map(text).collect();
    sources.add_environment(variables.clone());
    for (name, value) in variables.into_iter().filter(|(_, value)| !value.is_empty()) {
        let origin = || Origin::Variable(name.clone());
        match name.as_str() {
            "PAGEWIRE_DATA_DIR" => sources.add("log.dirs", &value, origin()),
            "PAGEWIRE_LISTEN" => {
                let address = listen(&value).map_err(|error| anyhow!("{}: {error}", origin()))?;
                sources.add("listeners", &format!("PLAINTEXT://{address}"), origin());
            }
            _ => {}
        }
    }
    for pair in &args.set {
        sources.add_flag(pair);
    }
    refuse_two_of_one(args)?;
    if let Some(dir) = &args.data_dir {
        let Some(dir) = dir.to_str() else { bail!("the data directory's name is not UTF-8") };
        sources.add("log.dirs", dir, Origin::Flag);
    }
    if let Some(address) = &args.listen {
        sources.add("listeners", &format!("PLAINTEXT://{address}"), Origin::Flag);
    }
    Ok(sources)
}

/// Two flags that say the same thing, neither of which is the later one.
fn refuse_two_of_one(args: &ServeArgs) -> Result<(), Usage> {
    let given = [
        ("--data-dir", args.data_dir.is_some(), &["log.dirs", "log.dir"][..]),
        ("--listen", args.listen.is_some(), &["listeners"]),
    ];
    let keys = args.set.iter().filter_map(|pair| Some(pair.split_once('=')?.0.trim()));
    for key in keys {
        if let Some((flag, ..)) = given.iter().find(|(_, is_given, keys)| *is_given && keys.contains(&key)) {
            return Err(Usage(format!("{flag} and --set {key} say the same thing: leave one of them out")));
        }
    }
    Ok(())
}

/// What is wrong only on the command line is wrong usage.
fn refused(errors: ConfigErrors) -> anyhow::Error {
    let from_flag = |error: &ConfigError| match error {
        ConfigError::Unknown { origin, .. } | ConfigError::Invalid { origin, .. } => *origin == Origin::Flag,
        ConfigError::NotAPair(_) => true,
        _ => false,
    };
    if errors.0.iter().all(from_flag) { Usage(errors.to_string()).into() } else { errors.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(args: &ServeArgs, file: Option<&str>, variables: &[(&str, &str)]) -> BrokerConfig {
        let file = file.map(|text| ("server.properties".to_owned(), text.as_bytes().to_vec()));
        let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        BrokerConfig::load(sources(args, file.as_ref(), variables).unwrap()).unwrap().0
    }

    #[test]
    fn flags_win_over_the_environment_and_that_over_the_file() {
        let file = "num.partitions=2\nlog.dirs=/file\nlisteners=PLAINTEXT://127.0.0.1:1001\n";
        let none = ServeArgs::default();
        let config = resolved(&none, Some(file), &[]);
        assert_eq!((config.num_partitions, config.data_dir()), (2, Path::new("/file")));
        let variables = [
            ("PAGEWIRE_NUM_PARTITIONS", "3"),
            ("PAGEWIRE_DATA_DIR", "/variable"),
            ("PAGEWIRE_LISTEN", "127.0.0.1:1002"),
            ("PAGEWIRE_BOOTSTRAP", "elsewhere:9092"),
        ];
        let config = resolved(&none, Some(file), &variables);
        assert_eq!((config.num_partitions, config.data_dir()), (3, Path::new("/variable")));
        assert_eq!(config.listeners[0].address, "127.0.0.1:1002".parse().unwrap());
        let flags = ServeArgs {
            set: vec!["num.partitions=4".into()],
            data_dir: Some("/flag".into()),
            listen: Some("[::1]:1003".into()),
            ..ServeArgs::default()
        };
        let config = resolved(&flags, Some(file), &variables);
        assert_eq!((config.num_partitions, config.data_dir()), (4, Path::new("/flag")));
        assert_eq!(config.listeners[0].address, "[::1]:1003".parse().unwrap());
    }

    #[test]
    fn a_misspelt_flag_is_wrong_usage_and_names_the_nearest() {
        let args = ServeArgs { set: vec!["log.segment.byte=1".into()], ..ServeArgs::default() };
        let error = refused(BrokerConfig::load(sources(&args, None, []).unwrap()).unwrap_err());
        assert!(error.is::<Usage>() && error.to_string().contains("log.segment.bytes"), "{error}");
    }

    #[test]
    fn two_flags_for_one_thing_are_wrong_usage() {
        let with = |set: &str| {
            let (set, data_dir, listen) = (vec![set.to_owned()], Some("d".into()), Some(":1".to_owned()));
            sources(&ServeArgs { data_dir, listen, set, ..ServeArgs::default() }, None, []).map(drop)
        };
        for set in ["log.dirs=a,b", "log.dir=a", " listeners =PLAINTEXT://:2"] {
            assert!(with(set).expect_err(set).is::<Usage>(), "{set}");
        }
        with("num.partitions=2").expect("nothing twice");
    }
}
