//! Effects as lines of text.

use std::fmt::Write as _;

use pagewire_coordinate::txn::{
    Answer, Described, Error, Listed, Markers, Producer, Reply, TxnRecord, TxnTopic,
};

fn producer(producer: &Producer) -> String {
    match producer.error {
        Some(error) => error.to_string(),
        None => format!("ok producer={}:{}", producer.id, producer.epoch),
    }
}

pub(crate) fn reply(reply: &Reply, out: &mut String) {
    let said = match &reply.answer {
        Answer::Init(answer) => format!("init {}", producer(answer)),
        Answer::Add(error) => {
            format!("add {}", error.map_or_else(|| "ok".to_owned(), |error| error.to_string()))
        }
        Answer::End(answer) => format!("end {}", producer(answer)),
    };
    let _ = writeln!(out, "reply {} {said}", reply.token.0);
}

fn topics(topics: &[TxnTopic]) -> String {
    let all = topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(move |partition| format!("{}:{partition}", topic.topic))
    });
    all.collect::<Vec<_>>().join(",")
}

pub(crate) fn record(record: &TxnRecord, out: &mut String) {
    let id = &record.transactional_id;
    let Some(value) = &record.value else {
        let _ = writeln!(out, "write {id} tombstone");
        return;
    };
    let _ = write!(out, "write {id} {} producer={}:{}", value.state, value.producer_id, value.producer_epoch);
    let _ = write!(out, " was={} next={}", value.previous_producer_id, value.next_producer_id);
    let _ = write!(out, " timeout={} v{}", value.timeout_ms, value.client_version);
    let _ = write!(out, " begun={} at={}", value.started_ms, value.updated_ms);
    let partitions = value.topics.as_deref().map_or_else(|| "null".to_owned(), topics);
    let _ = write!(out, " partitions={partitions}");
    // What is usual is not said.
    let _ = if value.version == 1 { writeln!(out) } else { writeln!(out, " format={}", value.version) };
}

pub(crate) fn markers(markers: &Markers, out: &mut String) {
    let of = &markers.of;
    let _ = write!(out, "markers {} {}", markers.outcome, of.transactional_id);
    let _ = write!(out, " producer={}:{}", of.producer_id, of.producer_epoch);
    let _ = write!(out, " coordinator={} v{}", markers.coordinator_epoch, markers.version);
    let all = markers
        .topics
        .iter()
        .map(|(topic, partitions)| TxnTopic { topic: topic.clone(), partitions: partitions.clone() });
    let _ = writeln!(out, " partitions={}", topics(&all.collect::<Vec<_>>()));
}

pub(crate) fn described(described: Option<&Described>, out: &mut String) {
    let Some(described) = described else { return out.push_str("no such transactional id\n") };
    let _ = write!(out, "{} producer={}", described.state, described.producer_id);
    let _ = write!(out, ":{} timeout={}", described.producer_epoch, described.timeout_ms);
    let _ = writeln!(out, " begun={} partitions={}", described.started_ms, topics(&described.topics));
}

pub(crate) fn listed(all: &[Listed], out: &mut String) {
    for one in all {
        let _ = writeln!(out, "{} {} producer={}", one.transactional_id, one.state, one.producer_id);
    }
}

pub(crate) fn verified(verified: Result<Vec<bool>, Error>, out: &mut String) {
    let said = match verified {
        Ok(each) => each.iter().map(|is_in| if *is_in { "in" } else { "out" }).collect::<Vec<_>>().join(" "),
        Err(error) => error.to_string(),
    };
    let _ = writeln!(out, "{said}");
}
