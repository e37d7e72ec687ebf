//! Who may connect, where, and how much at once.

use crate::config::definition::Kind::{Int, List, Long, Text};
use crate::config::definition::Rule::{Any, Min, NotEmpty};
use crate::config::definition::Setting as S;

/// Listeners, sockets, connections and the size of requests.
pub(super) static NETWORK: &[S] = &[
    S::new("listeners", List, Some("PLAINTEXT://127.0.0.1:9092"), NotEmpty)
        .doc("Where to listen: `NAME://host:port` between commas. An empty host is every interface, of IPv6 and IPv4; port 0 takes a free port. Only loopback unless set."),
    S::new("advertised.listeners", List, None, Any)
        .doc("What clients are told to connect to, in the form of `listeners`, for each listener by its name. The clients of a listener without an entry are told the address they dialled. An entry of a file that names loopback is passed over where a flag or a variable has the broker listen elsewhere."),
    S::new("listener.security.protocol.map", Text, Some("SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT"), Any)
        .doc("Which security protocol each listener name stands for, as `NAME:PROTOCOL` between commas. Only PLAINTEXT is served so far."),
    S::new("node.id", Int, Some("1"), Min(0))
        .doc("The id of this broker, which clients see and partitions name as their leader."),
    S::new("broker.id", Int, Some("-1"), Any)
        .doc("The old name of `node.id`; -1 leaves it to that one."),
    S::new("broker.rack", Text, None, Any)
        .doc("The rack clients are told this broker stands in."),
    S::new("socket.request.max.bytes", Int, Some("104857600"), Min(1))
        .doc("The longest request in bytes. A longer one closes its connection."),
    S::new("socket.send.buffer.bytes", Int, Some("-1"), Any)
        .doc("Send buffer of a connection in bytes; -1 lets the operating system grow it as needed (on Linux up to `net.ipv4.tcp_wmem`). Kafka's own default, 102400, halves the speed of large fetches."),
    S::new("socket.receive.buffer.bytes", Int, Some("-1"), Any)
        .doc("Receive buffer of a connection in bytes; -1 lets the operating system grow it as needed (on Linux up to `net.ipv4.tcp_rmem`). Kafka's own default is 102400."),
    S::new("socket.listen.backlog.size", Int, Some("50"), Min(1))
        .doc("Connections the operating system keeps waiting to be accepted."),
    S::new("connections.max.idle.ms", Long, Some("600000"), Any)
        .doc("Milliseconds after which a connection without a request is closed; also how long a client may refuse to read its answers."),
    S::new("max.connections", Int, Some("2147483647"), Min(0)).dynamic()
        .doc("Most connections in all, or fewer if the process may not open as many files. Further clients wait to be accepted. While the broker runs it cannot become 0."),
    S::new("max.connections.per.ip", Int, Some("2147483647"), Min(0)).dynamic()
        .doc("Most connections from one address. Further ones are closed. 0 only beside `max.connections.per.ip.overrides`."),
    S::new("max.connections.per.ip.overrides", Text, Some(""), Any).dynamic()
        .doc("Other limits for single addresses: `host:count` between commas. Names are looked up when the broker starts."),
    S::new("max.connection.creation.rate", Int, Some("2147483647"), Min(0)).dynamic().not_yet()
        .doc("Most new connections a second."),
    S::new("fetch.max.bytes", Int, Some("57671680"), Min(1024))
        .doc("Most record bytes in one fetch answer, whatever the client asks for. A first batch that is larger still goes out whole."),
    S::new("max.incremental.fetch.session.cache.slots", Int, Some("1000"), Min(0))
        .doc("Fetch sessions that are remembered. Clients without one send their partitions each time."),
    S::new("max.request.partition.size.limit", Int, Some("2000"), Min(1))
        .doc("Most partitions in one answer of a paged topic description."),
];
