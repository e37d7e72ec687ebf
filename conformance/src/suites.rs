//! The table of suites. One row each; the driver, `--list` and the docs read it.

use std::time::Duration;

use crate::clients::{self, Prepare};
use crate::parts::{self, Part};

/// How a suite runs.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A client in its own language, against any broker.
    Client(Prepare),
    /// A page that our own binary makes, in a browser; it finds the binary in `PAGEWIRE`. No broker.
    Page(Prepare),
    /// A part that starts and kills our own binary.
    Broker(Part),
    /// Whole programs of Kafka's, on a broker that they may kill: ours, or a node of Kafka.
    Programs(Part),
    /// A part that uses our own binary beside any broker: as its client, or to compare the two.
    Commands(Part),
}

/// One row.
#[derive(Debug, Clone, Copy)]
pub struct Suite {
    /// What to type.
    pub name: &'static str,
    /// What it is, in one line.
    pub about: &'static str,
    /// How it runs.
    pub kind: Kind,
    /// How long a client suite may take, preparing apart. Parts bound their own loops.
    pub limit: Duration,
}

const fn client(name: &'static str, about: &'static str, prepare: Prepare, seconds: u64) -> Suite {
    Suite { name, about, kind: Kind::Client(prepare), limit: Duration::from_secs(seconds) }
}

const fn part(name: &'static str, about: &'static str, part: Part) -> Suite {
    Suite { name, about, kind: Kind::Broker(part), limit: Duration::MAX }
}

const fn programs(name: &'static str, about: &'static str, part: Part) -> Suite {
    Suite { name, about, kind: Kind::Programs(part), limit: Duration::MAX }
}

/// Every suite, in the order in which they run.
pub const SUITES: &[Suite] = &[
    client("kcat", "kcat as Debian ships it (librdkafka 2.0)", clients::kcat, 180),
    client("librdkafka", "a current librdkafka, through confluent-kafka", clients::librdkafka, 180),
    client("kafka-python", "kafka-python 3, newest and older versions", clients::kafka_python, 180),
    client("aiokafka", "aiokafka", clients::aiokafka, 120),
    client("java", "Kafka's own Java clients", clients::java_clients, 240),
    client("java-tools", "Kafka's own command-line tools", clients::java_tools, 300),
    client("franz-go", "franz-go, newest and older versions", clients::franz_go, 180),
    client("kafkajs", "kafkajs", clients::kafkajs, 180),
    Suite {
        name: "cli",
        about: "the project's own commands, against any broker",
        kind: Kind::Commands(parts::cli),
        limit: Duration::MAX,
    },
    Suite {
        name: "report",
        about: "the lab's report in a browser, light and dark, phone and desk",
        kind: Kind::Page(clients::report),
        limit: Duration::from_mins(8),
    },
    Suite {
        name: "compare",
        about: "the same requests to ours and to Kafka, answers compared field by field",
        kind: Kind::Commands(parts::compare),
        limit: Duration::MAX,
    },
    Suite {
        name: "sequences",
        about: "requests in orders that seeds decide, to ours and to Kafka, answers compared",
        kind: Kind::Commands(parts::sequences),
        limit: Duration::MAX,
    },
    part("serve", "starting, settings and stopping", parts::serve),
    part("proof", "record bytes leave without passing through user space", parts::proof),
    part("crash", "kill -9 under load loses and doubles nothing", parts::crash),
    part("restart", "what a broker knows survives a stop and a kill", parts::restart),
    part("takeover", "what Apache Kafka left is served, and Kafka reads what was added", parts::takeover),
    part("witness", "Kafka's tools and Kafka itself find nothing wrong with our files", parts::witness),
    part("hostile", "malformed bytes cost their sender at most the connection", parts::hostile),
    programs("streams", "Kafka Streams, exactly once, killed with and without its broker", parts::streams),
    programs(
        "transactions",
        "transactions of clients that are killed and replaced, and of a broker that is killed, are whole",
        parts::transactions,
    ),
    programs("connect", "Kafka Connect distributed: files through topics, workers killed", parts::connect),
    programs("mirror", "MirrorMaker 2 from Apache Kafka and back", parts::mirror),
];

/// The row of this name.
pub fn by_name(name: &str) -> Option<&'static Suite> {
    SUITES.iter().find(|suite| suite.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique() {
        let names: HashSet<_> = SUITES.iter().map(|suite| suite.name).collect();
        assert_eq!(names.len(), SUITES.len());
    }
}
