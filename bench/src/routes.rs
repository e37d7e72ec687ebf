//! By which route our broker sent record bytes, as it counts them itself: asked over its control socket.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

const SOCKET: &str = "control.sock";
const ASK: &[u8] = b"{\"verb\":\"metrics\"}\n";
const PATIENCE: Duration = Duration::from_secs(10);
/// Of the answer, which is a line.
const ANSWER_MAX: u64 = 1 << 20;
const METRIC: &str = "pagewire_file_bytes_sent_total{route=\"";

/// The route that a broker is for.
pub(crate) const SENDFILE: &str = "sendfile";

/// Bytes by route, since the broker began or in a while.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct RouteBytes(BTreeMap<String, u64>);

impl RouteBytes {
    /// Asks the broker that serves from `dir`.
    pub(crate) fn ask(dir: &Path) -> Result<Self> {
        let path = dir.join(SOCKET);
        let mut socket = UnixStream::connect(&path).with_context(|| path.display().to_string())?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.write_all(ASK)?;
        let mut line = String::new();
        BufReader::new(socket.take(ANSWER_MAX)).read_line(&mut line)?;
        let answer: Value = serde_json::from_str(&line)?;
        let text = answer.pointer("/result/text").and_then(Value::as_str);
        Ok(Self::read(text.with_context(|| format!("no metrics in {line}"))?))
    }

    /// The same where it answers; why it does not is said.
    pub(crate) fn known(dir: &Path) -> Option<Self> {
        Self::ask(dir).inspect_err(|error| eprintln!("bytes by route are unknown: {error:#}")).ok()
    }

    fn read(text: &str) -> Self {
        let of = |line: &str| {
            let (route, number) = line.strip_prefix(METRIC)?.split_once("\"} ")?;
            Some((route.to_owned(), number.parse().ok()?))
        };
        Self(text.lines().filter_map(of).collect())
    }

    /// What was sent since.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let before = |route: &str| earlier.0.get(route).copied().unwrap_or_default();
        let sent = |(route, bytes): (&String, &u64)| (route.clone(), bytes.saturating_sub(before(route)));
        Self(self.0.iter().map(sent).collect())
    }

    /// What another one sent too.
    pub(crate) fn add(&mut self, other: &Self) {
        other.0.iter().for_each(|(route, bytes)| *self.0.entry(route.clone()).or_default() += bytes);
    }

    /// In words; none where nothing was sent.
    pub(crate) fn words(&self) -> Option<String> {
        let sent = self.0.iter().filter(|(_, bytes)| **bytes > 0);
        let words =
            sent.filter_map(|(route, _)| Some(format!("{route} {:.2} %", self.share(route)? * 100.0)));
        let words: Vec<_> = words.collect();
        (!words.is_empty())
            .then(|| format!("{} of {:.1} MB of files", words.join(", "), self.total() as f64 / 1e6))
    }

    /// The share of a route; none where nothing was sent.
    pub(crate) fn share(&self, route: &str) -> Option<f64> {
        let of = self.0.get(route).copied().unwrap_or_default();
        (self.total() > 0).then(|| of as f64 / self.total() as f64)
    }

    fn total(&self) -> u64 {
        self.0.values().sum()
    }
}

#[cfg(test)]
impl RouteBytes {
    pub(crate) fn of(sent: &[(&str, u64)]) -> Self {
        Self(sent.iter().map(|(route, bytes)| ((*route).to_owned(), *bytes)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# TYPE pagewire_file_bytes_sent_total counter\npagewire_file_bytes_sent_total{route=\"copy\"} 1000\n\
                        pagewire_file_bytes_sent_total{route=\"sendfile\"} 5000\npagewire_sent_bytes_total 9\n";

    #[test]
    fn what_was_sent_since_is_told_by_route() {
        let (now, before) = (RouteBytes::read(TEXT), RouteBytes::read(&TEXT.replace(" 5000", " 2000")));
        let since = |before: &RouteBytes| now.since(before);
        assert_eq!(since(&before).words().unwrap(), "sendfile 100.00 % of 0.0 MB of files");
        assert_eq!(
            since(&RouteBytes::default()).words().unwrap(),
            "copy 16.67 %, sendfile 83.33 % of 0.0 MB of files"
        );
        assert_eq!((since(&before).share(SENDFILE), since(&before).share("copy")), (Some(1.0), Some(0.0)));
        assert_eq!((since(&now).words(), since(&now).share(SENDFILE)), (None, None));
        let mut both = since(&before);
        both.add(&now);
        assert_eq!((both.total(), both.share("copy")), (9000, Some(1.0 / 9.0)));
    }
}
