//! `pagewire serve`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Options of `serve`.
///
/// What stands in the environment for `--config`, `--data-dir` and `--listen` is read with the other settings, so that
/// file < environment < flags holds for them too.
#[derive(Debug, Clone, Default, Args)]
#[command(
    after_help = "Settings carry Kafka's names. What stands later wins: file, environment (PAGEWIRE_LOG_SEGMENT_BYTES is \
log.segment.bytes), flags. One line on standard output says when it serves: ready on 127.0.0.1:9092. Ctrl-C, \
SIGTERM and a closing terminal (SIGHUP) stop it cleanly, a second Ctrl-C at once.

Examples:
  pagewire serve
  pagewire serve --listen 0.0.0.0:9092 --data-dir /var/lib/pagewire
  pagewire serve --config server.properties --set log.retention.hours=24
  PAGEWIRE_NUM_PARTITIONS=4 pagewire serve --listen 127.0.0.1:0"
)]
pub(crate) struct ServeArgs {
    /// A properties file, such as Kafka's server.properties [env: PAGEWIRE_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where data is kept [default: ./pagewire-data] [env: PAGEWIRE_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Where to serve; port 0 takes a free one [default: 127.0.0.1:9092] [env: PAGEWIRE_LISTEN]
    #[arg(long, value_name = "HOST:PORT", value_parser = listen)]
    pub(crate) listen: Option<String>,
    /// A setting; may be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting)]
    pub(crate) set: Vec<String>,
    /// error, warn, info, debug, trace; or such as info,pagewire_log=debug
    #[arg(long, env = "PAGEWIRE_LOG", value_name = "LEVEL")]
    pub(crate) log_level: Option<String>,
    /// What log lines look like; they go to standard error
    #[arg(long, env = "PAGEWIRE_LOG_FORMAT", value_enum, value_name = "FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
}

/// What log lines look like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Only the form is checked; names are looked up when the broker starts.
pub(crate) fn listen(text: &str) -> Result<String, String> {
    let plain = text.strip_prefix("PLAINTEXT://").unwrap_or(text);
    let port = plain.rsplit_once(':').filter(|(host, _)| !host.contains(':') || host.ends_with(']'));
    match port {
        Some((_, port)) if port.parse::<u16>().is_ok() => Ok(plain.to_owned()),
        Some((_, port)) if !port.is_empty() => Err(format!("{port:?} is no port: write one of 0 to 65535")),
        _ => Err("write HOST:PORT, such as 127.0.0.1:9092 or [::1]:9092".to_owned()),
    }
}

pub(super) fn setting(text: &str) -> Result<String, String> {
    super::pairs::pair(text).map(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_to_serve_on_has_a_port() {
        for good in ["127.0.0.1:0", "localhost:9092", ":9092", "[::]:1", "PLAINTEXT://h:1"] {
            assert!(listen(good).is_ok(), "{good}");
        }
        for bad in ["", "9092", "h", "h:", "h:70000", "::1", "::1:9092"] {
            assert!(listen(bad).is_err(), "{bad}");
        }
        for (bad, said) in
            [("h:70000", "65535"), ("h:http", "65535"), ("h:", "HOST:PORT"), ("9092", "HOST:PORT")]
        {
            assert!(listen(bad).unwrap_err().contains(said), "{bad}");
        }
    }
}
