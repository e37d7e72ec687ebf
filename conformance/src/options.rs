//! The command line of the driver.

use std::path::PathBuf;

use anyhow::{Result, bail};

/// What to run, and against which broker.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Suites by name; empty means all of them.
    pub suites: Vec<String>,
    /// An existing broker, `HOST:PORT`. Without it the binary is started in a temporary directory.
    pub bootstrap: Option<String>,
    /// That broker's log directory, for the tools that read it.
    pub data_dir: Option<PathBuf>,
    /// Whole programs run on Apache Kafka, started here, in our broker's place.
    pub on_kafka: bool,
    /// The binary to test. Without it `PAGEWIRE_BIN`, else a debug build of this checkout.
    pub binary: Option<PathBuf>,
    /// Only these cases of the client suites.
    pub cases: Vec<String>,
    /// Name the suites and stop.
    pub list: bool,
    /// Fetch and build what the suites need, run nothing.
    pub prepare_only: bool,
    /// Print only what is not ok.
    pub quiet: bool,
    /// A skip is a failure.
    pub strict: bool,
}

/// What `--help` prints.
pub const USAGE: &str = "\
Real clients against the real binary.

usage: pagewire-conformance [SUITE...] [options]

  --bootstrap HOST:PORT   use a broker that already runs (Apache Kafka, say)
  --data-dir DIR          that broker's log directory
  --binary FILE           the pagewire to test (or PAGEWIRE_BIN; else a debug build)
  --on-kafka              whole programs on a node of Apache Kafka in our broker's place
  --case NAME             only this case of the client suites; may be repeated
  --prepare-only          fetch and build what the suites need, run nothing
  --quiet                 print only what is not ok
  --list                  name the suites
  --page                  print docs/compatibility.md
CI=true makes a skipped case a failure.
";

impl Options {
    /// Reads arguments without the program's name.
    pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self> {
        let mut options = Self { strict: std::env::var("CI").is_ok_and(|v| v == "true"), ..Self::default() };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let (name, inline) = match argument.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name.to_owned(), Some(value.to_owned())),
                _ => (argument, None),
            };
            let mut value = || match inline.clone().or_else(|| arguments.next()) {
                Some(value) => Ok(value),
                None => bail!("{name} needs a value"),
            };
            match name.as_str() {
                "--bootstrap" => options.bootstrap = Some(value()?),
                "--data-dir" => options.data_dir = Some(value()?.into()),
                "--binary" => options.binary = Some(value()?.into()),
                "--case" => options.cases.push(value()?),
                "--on-kafka" => options.on_kafka = true,
                "--prepare-only" => options.prepare_only = true,
                "--quiet" => options.quiet = true,
                "--list" => options.list = true,
                other if other.starts_with('-') => bail!("unknown option {other}\n\n{USAGE}"),
                suite => options.suites.push(suite.to_owned()),
            }
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_beside_or_after_an_equals_sign() {
        let arguments = ["kcat", "--bootstrap=h:1", "--case", "codec_gzip", "java"].map(str::to_owned);
        let options = Options::parse(arguments).expect("these are good arguments");
        assert_eq!(options.suites, ["kcat", "java"]);
        assert_eq!(options.bootstrap.as_deref(), Some("h:1"));
        assert_eq!(options.cases, ["codec_gzip"]);
    }

    #[test]
    fn unknown_options_and_missing_values_are_errors() {
        for wrong in [vec!["--nosuch"], vec!["--bootstrap"]] {
            assert!(Options::parse(wrong.into_iter().map(str::to_owned)).is_err());
        }
    }
}
