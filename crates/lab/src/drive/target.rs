//! A broker as it is named on the command line: `HOST:PORT`, `NAME=HOST:PORT` or `NAME=HOST:PORT,PID`.

use std::fmt;
use std::str::FromStr;

/// Kafka's port, used where none is written.
const PORT: u16 = 9092;

/// A broker to load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// What it is called in the results.
    pub name: String,
    /// Host, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Its process, where that was said.
    pub pid: Option<u32>,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, rest) = match text.split_once('=') {
            Some((name, rest)) => (Some(name.trim()), rest),
            None => (None, text),
        };
        let (address, pid) = match rest.rsplit_once(',') {
            Some((address, pid)) => (address, Some(process(text, pid)?)),
            None => (rest, None),
        };
        let (host, port) = host_and_port(text, address.trim())?;
        let name = match name {
            Some("") => return Err(wanted(text, "the name before = is empty")),
            Some(name) => name.to_owned(),
            None => address.trim().to_owned(),
        };
        Ok(Self { name, host, port, pid })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

fn process(text: &str, pid: &str) -> Result<u32, String> {
    let pid = pid.trim();
    if pid.contains(':') {
        return Err(wanted(text, "one broker at a time (name others with further --bootstrap-server)"));
    }
    pid.parse().map_err(|_| wanted(text, "after the comma stands the broker's process id"))
}

fn host_and_port(text: &str, address: &str) -> Result<(String, u16), String> {
    let plain = address.strip_prefix("PLAINTEXT://").unwrap_or(address);
    if plain.contains("://") {
        return Err(wanted(text, "only plain connections are spoken so far"));
    }
    let (host, port) = match plain.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or_else(|| wanted(text, "a ] is missing"))?;
            (host, port.strip_prefix(':'))
        }
        None => match plain.rsplit_once(':') {
            Some((host, _)) if host.contains(':') => {
                return Err(wanted(text, "an IPv6 address stands in brackets, like [::1]:9092"));
            }
            Some((host, port)) => (host, Some(port)),
            None => (plain, None),
        },
    };
    if host.is_empty() {
        return Err(wanted(text, "there is no host"));
    }
    let port = match port {
        Some(port) => port.parse().map_err(|_| wanted(text, "the port is no number below 65536"))?,
        None => PORT,
    };
    Ok((host.to_owned(), port))
}

fn wanted(text: &str, what: &str) -> String {
    format!("{text:?}: {what}; write HOST:PORT, NAME=HOST:PORT or NAME=HOST:PORT,PID")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(name: &str, host: &str, port: u16, pid: Option<u32>) -> Target {
        Target { name: name.into(), host: host.into(), port, pid }
    }

    #[test]
    fn name_and_process_are_optional() {
        for (text, expected) in [
            ("localhost:9093", target("localhost:9093", "localhost", 9093, None)),
            ("broker.example", target("broker.example", "broker.example", 9092, None)),
            ("kafka=10.0.0.1:9092", target("kafka", "10.0.0.1", 9092, None)),
            ("kafka=10.0.0.1:9092,123", target("kafka", "10.0.0.1", 9092, Some(123))),
            ("127.0.0.1:1, 7", target("127.0.0.1:1", "127.0.0.1", 1, Some(7))),
            ("six=[::1]:2", target("six", "::1", 2, None)),
            ("PLAINTEXT://a:1", target("PLAINTEXT://a:1", "a", 1, None)),
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_broker_is_refused_with_a_hint() {
        for (text, hint) in [
            ("", "no host"),
            ("=a:1", "empty"),
            ("a:b", "port"),
            ("a:99999", "port"),
            ("::1", "brackets"),
            ("[::1", "]"),
            ("SSL://a:1", "plain"),
            ("a:1,b:2", "one broker at a time"),
            ("a:1,x", "process id"),
        ] {
            let error = text.parse::<Target>().unwrap_err();
            assert!(error.contains(hint) && error.contains("NAME=HOST:PORT,PID"), "{text}: {error}");
        }
    }
}
