//! `listeners`, `advertised.listeners` and the map from listener names to security protocols.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

/// A listener whose host was looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The listener's name, in upper case: `advertised.listeners` speaks of it by that.
    pub name: Arc<str>,
    /// Where it listens. `[::]` is every interface, of IPv4 too.
    pub address: SocketAddr,
}

/// `NAME://host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listener {
    /// The name before `://`, in upper case.
    pub name: String,
    /// Empty for every interface. IPv6 without its brackets.
    pub host: String,
    /// 0 takes a free port.
    pub port: u16,
}

impl Listener {
    /// Whether only this machine can reach it, by a name that says so.
    pub(super) fn is_loopback(&self) -> bool {
        let address = self.host.parse::<std::net::IpAddr>();
        self.host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "{}://[{}]:{}", self.name, self.host, self.port)
        } else {
            write!(f, "{}://{}:{}", self.name, self.host, self.port)
        }
    }
}

/// Reads one listener; the error says what is wrong with it.
pub(super) fn parse_one(text: &str) -> Result<Listener, String> {
    let (name, rest) = text.split_once("://").ok_or_else(|| format!("{text:?} is not NAME://host:port"))?;
    if name.is_empty() {
        return Err(format!("{text:?} has no listener name"));
    }
    let (host, port) = rest.rsplit_once(':').ok_or_else(|| format!("{text:?} has no port"))?;
    let host = match host.strip_prefix('[').map(|inner| inner.strip_suffix(']')) {
        Some(Some(inner)) => inner,
        Some(None) => return Err(format!("{text:?} lacks the closing bracket of its address")),
        None if host.contains(':') => {
            return Err(format!("the IPv6 address in {text:?} must stand in brackets"));
        }
        None => host,
    };
    let port = port.parse().map_err(|_| format!("the port of {text:?} is not between 0 and 65535"))?;
    Ok(Listener { name: name.to_ascii_uppercase(), host: host.to_owned(), port })
}

/// Reads a list of listeners. Names must differ.
pub(super) fn parse(items: &[String]) -> Result<Vec<Listener>, String> {
    let mut listeners: Vec<Listener> = Vec::with_capacity(items.len());
    for item in items {
        let listener = parse_one(item)?;
        if listeners.iter().any(|earlier| earlier.name == listener.name) {
            return Err(format!(
                "each listener must have a different name, and {} is there twice",
                listener.name
            ));
        }
        listeners.push(listener);
    }
    Ok(listeners)
}

/// Reads `NAME:PROTOCOL` pairs.
pub(super) fn parse_protocols(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut protocols = BTreeMap::new();
    for item in super::value::items(text) {
        let (name, protocol) =
            item.split_once(':').ok_or_else(|| format!("{item:?} is not NAME:PROTOCOL"))?;
        let protocol = protocol.trim().to_ascii_uppercase();
        if !["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"].contains(&protocol.as_str()) {
            return Err(format!("{protocol} is not a security protocol"));
        }
        protocols.insert(name.trim().to_ascii_uppercase(), protocol);
    }
    Ok(protocols)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_are_read_in_all_their_forms() {
        for (text, host, port) in [
            ("PLAINTEXT://:9092", "", 9092),
            ("PLAINTEXT://127.0.0.1:0", "127.0.0.1", 0),
            ("INTERNAL://broker-1.example:19092", "broker-1.example", 19092),
            ("PLAINTEXT://[::1]:9092", "::1", 9092),
        ] {
            let listener = parse_one(text).expect("a good listener");
            assert_eq!((listener.host.as_str(), listener.port), (host, port));
            assert_eq!(listener.to_string(), text);
        }
    }

    #[test]
    fn a_bad_listener_says_what_is_wrong() {
        for (text, word) in [
            ("localhost:9092", "NAME://"),
            ("PLAINTEXT://localhost", "port"),
            ("PLAINTEXT://localhost:99999", "65535"),
            ("PLAINTEXT://::1:9092", "brackets"),
            ("PLAINTEXT://[::1:9092", "bracket"),
            ("://localhost:1", "name"),
        ] {
            let error = parse_one(text).expect_err("it must be refused");
            assert!(error.contains(word), "{error}");
        }
        assert!(parse(&["A://:1".to_owned(), "a://:2".to_owned()]).is_err());
    }
}
