//! Texts on their way between the machine and the wire.

use std::{net::IpAddr, sync::Arc};

use pagewire_wire::Str;

use crate::net::Peer;

/// The machine's text for the wire.
pub(crate) fn shared(text: &Arc<str>) -> Str {
    Str::from(text.to_string())
}

/// A fixed text for the wire.
pub(crate) fn text(text: &'static str) -> Str {
    Str::from(text)
}

/// A client's address as Java prints it, which is how Kafka keeps it: a slash, then the address without shortening.
pub(crate) fn host_of(peer: &Peer) -> String {
    match peer.remote.ip() {
        IpAddr::V4(address) => format!("/{address}"),
        IpAddr::V6(address) => {
            let parts: Vec<String> = address.segments().iter().map(|part| format!("{part:x}")).collect();
            format!("/{}", parts.join(":"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_java_writes_them() {
        let peer = |text: &str| Peer {
            remote: text.parse().unwrap(),
            listener: "PLAINTEXT".into(),
            local: "127.0.0.1:9092".parse().unwrap(),
        };
        assert_eq!(host_of(&peer("127.0.0.1:5")), "/127.0.0.1");
        assert_eq!(host_of(&peer("[::1]:5")), "/0:0:0:0:0:0:0:1");
    }
}
