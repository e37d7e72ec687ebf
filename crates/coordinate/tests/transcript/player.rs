//! A shard, a clock, and a log that keeps what the shard writes, so that a transcript can also restart it.

use std::fmt::Write as _;
use std::sync::Arc;

use pagewire_coordinate::{
    ConsumerSettings, Effects, Error, GroupFilter, GroupTiming, KeyValue, Lookup, Migration, Now, Settings,
    Shard, Topic, TopicTable, TxnProducer,
};

use super::command::{Command, id_of};
use super::print;

/// What a log keeps.
enum Logged {
    Record(KeyValue, Option<TxnProducer>),
    Marker { producer_id: i64, committed: bool },
}

pub(crate) struct Player {
    shard: Shard,
    log: Vec<Logged>,
    /// Where the last append begins.
    last_append: usize,
    now_ms: i64,
    fail_next: bool,
    topics: TopicTable,
    /// What is set for every group.
    timing: GroupTiming,
    /// Looks for topics are not done before they are asked for.
    holds_lookups: bool,
    lookups: Vec<Lookup>,
    prints_notes: bool,
}

impl Default for Player {
    fn default() -> Self {
        let mut shard = Shard::new(Settings::default());
        assert!(shard.loaded(|_| ConsumerSettings::default().timing(), Now::both(0)).is_empty());
        Self {
            shard,
            log: Vec::new(),
            last_append: 0,
            now_ms: 0,
            fail_next: false,
            topics: TopicTable::default(),
            timing: ConsumerSettings::default().timing(),
            holds_lookups: false,
            lookups: Vec::new(),
            prints_notes: false,
        }
    }
}

impl Player {
    pub(crate) fn run(&mut self, command: &Command) -> String {
        let mut out = String::new();
        if let Some(input) = command.input() {
            let effects = self.shard.handle(input, self.now());
            self.act(effects, &mut out);
            return out;
        }
        match command.verb.as_str() {
            "time" => self.pass_time(command.word(0).parse().unwrap(), &mut out),
            "settings" => self.change_settings(command),
            "may-hold" => self.shard.limit_bytes(command.word(0).parse().unwrap()),
            "notes" => self.prints_notes = true,
            "hold-lookups" => self.holds_lookups = true,
            "look" => self.look(&mut out),
            "write-fails" => self.fail_next = true,
            "restart" => self.restart(&mut out),
            // The restart that follows finds everything but that.
            "lose-last-append" => self.log.truncate(self.last_append),
            "end" => self.end_transaction(command.number("producer", 0), command.word(0) == "commit"),
            "describe" => print::described(self.shard.describe(command.word(0)).as_ref(), &mut out),
            "list" => print::listed(
                &self.shard.list(&GroupFilter::of(&command.strings("states"), &command.strings("types"))),
                &mut out,
            ),
            "topics" => self.change_topics(command),
            "describe-consumers" => {
                let group = self.shard.describe_consumer_group(command.word(0), self.now());
                print::described_consumers(group.as_ref(), &mut out);
            }
            "may-fetch" => {
                let (group_id, epoch) = (command.field("group").unwrap(), command.number("epoch", -1));
                let verdict = self.shard.may_fetch(group_id, command.field("member"), epoch);
                let _ = writeln!(out, "{}", print::error(verdict.err()));
            }
            "fetch" => {
                let group_id = command.field("group").unwrap();
                for (topic, partitions) in command.partitions() {
                    let fetched = self.shard.fetch_offsets(
                        group_id,
                        &topic,
                        command.topic_id(),
                        &partitions,
                        command.has("stable"),
                    );
                    print::fetched(&fetched, &mut out);
                }
            }
            "forget-strangers" => {
                let effects = self.shard.forget_strangers(|_| Some(command.topic_id()));
                self.act(effects, &mut out);
            }
            "topics-deleted" => self.delete_topics(command, &mut out),
            "fetch-all" => {
                let group_id = command.field("group").unwrap();
                let all =
                    self.shard.fetch_all_offsets(group_id, |_| command.topic_id(), command.has("stable"));
                for topic in &all {
                    print::fetched(topic, &mut out);
                }
            }
            verb => panic!("no such command: {verb}"),
        }
        out
    }

    fn now(&self) -> Now {
        Now::both(self.now_ms)
    }

    /// Stops at every deadline on the way.
    fn pass_time(&mut self, until_ms: i64, out: &mut String) {
        while let Some(deadline_ms) =
            self.shard.next_deadline().filter(|deadline_ms| *deadline_ms <= until_ms)
        {
            self.now_ms = self.now_ms.max(deadline_ms);
            let effects = self.shard.on_time(self.now());
            if !effects.is_empty() || self.prints_notes && !effects.notes.is_empty() {
                let _ = writeln!(out, "at {}", self.now_ms);
            }
            self.act(effects, out);
        }
        self.now_ms = until_ms;
    }

    fn delete_topics(&mut self, command: &Command, out: &mut String) {
        let (topics, mut from) = (command.deleted_topics(), None);
        loop {
            let (effects, next) = self.shard.topics_deleted(&topics, from.as_ref());
            self.act(effects, out);
            let Some(next) = next else { break };
            let _ = writeln!(out, "next {next}");
            from = Some(next);
        }
    }

    /// A topic of no partitions goes.
    fn change_topics(&mut self, command: &Command) {
        for (name, partitions) in command.new_topics() {
            match partitions {
                0 => self.topics.remove(name),
                partitions => self.topics.put(name, Topic { id: id_of(name), partitions }),
            }
        }
        self.shard.set_topics(Arc::new(self.topics.clone()));
    }

    fn change_settings(&mut self, command: &Command) {
        let mut settings = self.shard.settings().clone();
        settings.initial_rebalance_delay_ms =
            command.number("initial-delay", settings.initial_rebalance_delay_ms);
        settings.max_size = command.number("max-size", settings.max_size);
        settings.offset_metadata_max = command.number("metadata-max", settings.offset_metadata_max);
        settings.offsets_retention_ms = command.number("retention", settings.offsets_retention_ms);
        settings.consumer.max_size = command.number("consumers", settings.consumer.max_size);
        if let Some(policy) = command.field("migration") {
            settings.consumer.migration = Migration::named(policy).unwrap();
        }
        settings.limits.expressions = command.number("expressions", settings.limits.expressions);
        settings.limits.record_bytes = command.number("record-bytes", settings.limits.record_bytes);
        settings.limits.append_bytes = command.number("append-bytes", settings.limits.append_bytes);
        self.timing.session_timeout_ms = command.number("session", self.timing.session_timeout_ms);
        settings.limits.groups = command.number("groups", settings.limits.groups);
        settings.limits.pending_members = command.number("pending", settings.limits.pending_members);
        settings.limits.records_per_append = command.number("records", settings.limits.records_per_append);
        settings.limits.look_steps = command.number("steps", settings.limits.look_steps);
        settings.limits.bytes = command.number("bytes", settings.limits.bytes);
        settings.limits.offsets = command.number("offsets", settings.limits.offsets);
        self.shard.set_settings(settings);
    }

    fn restart(&mut self, out: &mut String) {
        let mut shard = Shard::new(self.shard.settings().clone());
        for logged in &self.log {
            match logged {
                Logged::Record((key, value), None) => {
                    shard.replay(key, value.as_deref(), self.now_ms).unwrap();
                }
                Logged::Record((key, value), Some(producer)) => {
                    let id = producer.producer_id;
                    shard.replay_in_txn(id, key, value.as_deref(), self.now_ms).unwrap();
                }
                Logged::Marker { producer_id, committed } => {
                    shard.end_transaction(*producer_id, *committed, self.now_ms);
                }
            }
        }
        shard.set_topics(Arc::new(self.topics.clone()));
        self.shard = shard;
        let (timing, now) = (self.timing, self.now());
        let effects = self.shard.loaded(|_| timing, now);
        self.act(effects, out);
    }

    fn end_transaction(&mut self, producer_id: i64, committed: bool) {
        self.log.push(Logged::Marker { producer_id, committed });
        self.shard.end_transaction(producer_id, committed, self.now_ms);
    }

    fn act(&mut self, effects: Effects, out: &mut String) {
        for note in effects.notes.iter().filter(|_| self.prints_notes) {
            let _ = writeln!(out, "note {}: {}", note.group_id, note.event);
        }
        for reply in &effects.replies {
            print::reply(reply, out);
        }
        let (parts, mut failed) = (effects.appends.len(), false);
        for append in effects.appends {
            if parts > 1 {
                out.push_str("part\n");
            }
            if let Some(producer) = append.in_txn {
                let _ = writeln!(out, "in transaction {} {}", producer.producer_id, producer.producer_epoch);
            }
            for record in &append.records {
                print::record(record, out);
            }
            failed |= std::mem::take(&mut self.fail_next);
            let next = if failed {
                out.push_str("write failed\n");
                self.shard.append_failed(append, Error::NotCoordinator, self.now())
            } else {
                let records = append.encode().unwrap().into_iter();
                self.last_append = self.log.len();
                self.log.extend(records.map(|record| Logged::Record(record, append.in_txn)));
                self.shard.appended(append, self.now())
            };
            self.act(next, out);
        }
        self.lookups.extend(effects.lookups);
        if !self.holds_lookups {
            self.look(out);
        }
    }

    fn look(&mut self, out: &mut String) {
        for lookup in std::mem::take(&mut self.lookups) {
            let found = lookup.find(&self.topics);
            let next = self.shard.expressions_found(found, self.now());
            self.act(next, out);
        }
    }
}
