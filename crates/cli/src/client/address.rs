//! `host:port` as people write it.

use std::fmt;
use std::str::FromStr;

/// Kafka's port, used where none is written.
const PORT: u16 = 9092;

/// A host and a port, not looked up yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// Name or number, without brackets.
    pub(crate) host: String,
    /// Port.
    pub(crate) port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain = text.trim();
        let plain = plain.strip_prefix("PLAINTEXT://").unwrap_or(plain);
        if plain.contains("://") {
            return Err(format!("{text:?}: only plain connections are spoken so far, write HOST:PORT"));
        }
        let (host, port) = match plain.strip_prefix('[') {
            Some(rest) => {
                let (host, port) =
                    rest.split_once(']').ok_or_else(|| format!("{text:?} lacks a closing ]"))?;
                (host, port.strip_prefix(':'))
            }
            None => match plain.rsplit_once(':') {
                Some((host, _)) if host.contains(':') => {
                    return Err(format!("{text:?}: write an IPv6 address in brackets, like [::1]:9092"));
                }
                Some((host, port)) => (host, Some(port)),
                None => (plain, None),
            },
        };
        if host.is_empty() {
            return Err(format!("{text:?} has no host, write HOST:PORT"));
        }
        let port = match port {
            Some(port) => port.parse().map_err(|_| format!("{text:?} has no valid port, write HOST:PORT"))?,
            None => PORT,
        };
        Ok(Self { host: host.to_owned(), port })
    }
}

/// The brokers to ask first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bootstrap(pub(crate) Vec<Address>);

impl FromStr for Bootstrap {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let list = text.split(',').filter(|part| !part.trim().is_empty()).map(str::parse);
        let list: Vec<Address> = list.collect::<Result<_, _>>()?;
        if list.is_empty() { Err("no address, write HOST:PORT".to_owned()) } else { Ok(Self(list)) }
    }
}

impl fmt::Display for Bootstrap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, address) in self.0.iter().enumerate() {
            write!(f, "{}{address}", if i > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_reads_back_and_ports_default_to_kafkas() {
        let list: Bootstrap = "localhost, PLAINTEXT://b:1 ,[::1]:2".parse().unwrap();
        assert_eq!(list.to_string(), "localhost:9092,b:1,[::1]:2");
    }

    #[test]
    fn what_is_no_address_is_refused_with_a_hint() {
        for (text, hint) in [
            ("", "HOST:PORT"),
            (":9092", "no host"),
            ("a:b", "no valid port"),
            ("a:99999", "no valid port"),
            ("::1", "brackets"),
            ("[::1", "closing"),
            ("SSL://a:1", "plain"),
        ] {
            let error = text.parse::<Bootstrap>().unwrap_err();
            assert!(error.contains(hint), "{text}: {error}");
        }
    }
}
