//! A shard, a clock, a log that keeps what the shard writes, and partitions that take its markers, so that a transcript can
//! also restart it or let things fail.

use std::fmt::Write as _;
use std::sync::Arc;

use pagewire_coordinate::Now;
use pagewire_coordinate::txn::{
    Effects, Error, Filter, Input, Marked, Markers, Settings, Shard, TxnState, TxnValue,
};

use super::command::Command;
use super::print;

pub(crate) struct Player {
    shard: Shard,
    log: Vec<(bytes::Bytes, Option<bytes::Bytes>)>,
    now_ms: i64,
    coordinator_epoch: i32,
    next_producer_id: i64,
    /// Whether producer ids can be had.
    has_producer_ids: bool,
    fails: usize,
    /// Markers are not handed back by themselves.
    holds_markers: bool,
    held: Vec<Markers>,
    prints_notes: bool,
}

impl Default for Player {
    fn default() -> Self {
        let mut shard = Shard::new(Settings::default(), 0);
        shard.loaded(Now::both(0));
        Self {
            shard,
            log: Vec::new(),
            now_ms: 0,
            coordinator_epoch: 0,
            next_producer_id: 100,
            has_producer_ids: true,
            fails: 0,
            holds_markers: false,
            held: Vec::new(),
            prints_notes: false,
        }
    }
}

impl Player {
    pub(crate) fn run(&mut self, command: &Command) -> String {
        let mut out = String::new();
        if let Some(input) = command.input() {
            self.ask(input, &mut out);
            return out;
        }
        match command.verb.as_str() {
            "time" => self.pass_time(command.word(0).parse().unwrap(), &mut out),
            "settings" => self.change_settings(command),
            "level" => self.shard.go_by(command.word(0).parse().unwrap()),
            "notes" => self.prints_notes = true,
            "producer-ids" => self.has_producer_ids = command.has("on"),
            "write-fails" => self.fails += 1,
            "hold-markers" => self.holds_markers = true,
            "marked" => self.marked(command, &mut out),
            "not-marked" => {
                let markers = self.take_held(&command.text("id"));
                let effects = self.shard.markers_failed(&markers.of, Error::NotCoordinator, self.now());
                self.act(effects, &mut out);
            }
            "restart" => self.restart(&mut out),
            "close" => {
                let effects = self.shard.close(Error::NotCoordinator);
                self.act(effects, &mut out);
            }
            "describe" => print::described(self.shard.describe(command.word(0)).as_ref(), &mut out),
            "list" => self.list(command, &mut out),
            "verify" => {
                let (producer_id, epoch) = command.producer("producer").unwrap();
                let partitions = command.partitions("partitions");
                print::verified(
                    self.shard.verify(&command.text("id"), producer_id, epoch, &partitions),
                    &mut out,
                );
            }
            "epoch" => self.set_epoch(command),
            verb => panic!("no such command: {verb}"),
        }
        out
    }

    fn now(&self) -> Now {
        Now::both(self.now_ms)
    }

    fn ask(&mut self, input: Input, out: &mut String) {
        let effects = self.shard.handle(input.clone(), self.now());
        if self.shard.lacks_producer_id() && self.has_producer_ids {
            self.give_producer_id();
            let effects = self.shard.handle(input, self.now());
            return self.act(effects, out);
        }
        self.act(effects, out);
    }

    fn give_producer_id(&mut self) {
        self.shard.give_producer_id(self.next_producer_id);
        self.next_producer_id += 1;
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
            if self.shard.lacks_producer_id() && self.has_producer_ids {
                self.give_producer_id();
            }
        }
        self.now_ms = until_ms;
    }

    fn change_settings(&mut self, command: &Command) {
        let mut settings = self.shard.settings().clone();
        settings.max_timeout_ms = command.number("max-timeout", settings.max_timeout_ms);
        settings.id_expiration_ms = command.number("expiration", settings.id_expiration_ms);
        settings.expiry_interval_ms = command.number("expiry-interval", settings.expiry_interval_ms);
        settings.abort_interval_ms = command.number("abort-interval", settings.abort_interval_ms);
        settings.limits.ids = command.number("ids", settings.limits.ids);
        settings.limits.name_bytes = command.number("name-bytes", settings.limits.name_bytes);
        settings.limits.partitions = command.number("partitions", settings.limits.partitions);
        settings.limits.append_bytes = command.number("append-bytes", settings.limits.append_bytes);
        settings.limits.bytes = command.number("bytes", settings.limits.bytes);
        settings.limits.records_per_append = command.number("records", settings.limits.records_per_append);
        settings.limits.look_steps = command.number("steps", settings.limits.look_steps);
        self.shard.set_settings(settings);
    }

    /// Writes the record of a transactional id anew with another epoch, as if 32 thousand producers had come.
    fn set_epoch(&mut self, command: &Command) {
        let id: Arc<str> = command.text("id").into();
        let value = TxnValue { producer_epoch: command.number("to", 0), ..self.shard.snapshot(&id).unwrap() };
        let record = pagewire_coordinate::txn::TxnRecord { transactional_id: id, value: Some(value) };
        let (key, value) = (record.encode_key().unwrap(), record.encode_value().unwrap());
        self.shard.replay(&key, value.as_deref()).unwrap();
        self.log.push((key, value));
    }

    fn restart(&mut self, out: &mut String) {
        self.coordinator_epoch += 1;
        let mut shard = Shard::new(self.shard.settings().clone(), self.coordinator_epoch);
        for (key, value) in &self.log {
            shard.replay(key, value.as_deref()).unwrap();
        }
        self.shard = shard;
        self.held.clear();
        self.shard.loaded(self.now());
        self.pass_time(self.now_ms, out);
    }

    fn take_held(&mut self, id: &str) -> Markers {
        let at = self.held.iter().position(|markers| &*markers.of.transactional_id == id).unwrap();
        self.held.remove(at)
    }

    fn marked(&mut self, command: &Command, out: &mut String) {
        let markers = self.take_held(&command.text("id"));
        let mut all = Vec::new();
        for (name, what) in
            [("partitions", Marked::Written), ("gone", Marked::Gone), ("failed", Marked::Failed)]
        {
            all.extend(command.partitions(name).into_iter().map(|(topic, index)| (topic, index, what)));
        }
        let effects = self.shard.markers_written(&markers.of, &all, self.now());
        self.act(effects, out);
    }

    fn list(&self, command: &Command, out: &mut String) {
        let states = command.field("states").map(|_| command.list("states"));
        let filter = Filter {
            producer_ids: command.list("producers").map(|id| id.parse().unwrap()).collect(),
            states: states.map(|names| names.into_iter().filter_map(TxnState::named).collect()),
            longer_than_ms: command.number("longer-than", -1),
        };
        let mut from = None;
        loop {
            let (listed, next) = self.shard.list(&filter, self.now_ms, from.as_ref());
            print::listed(&listed, out);
            let Some(next) = next else { break };
            let _ = writeln!(out, "and on from {next}");
            from = Some(next);
        }
    }

    fn act(&mut self, effects: Effects, out: &mut String) {
        for note in effects.notes.iter().filter(|_| self.prints_notes) {
            let _ = writeln!(out, "note {}: {}", note.transactional_id, note.event);
        }
        for reply in &effects.replies {
            print::reply(reply, out);
        }
        for append in effects.appends {
            for record in &append.records {
                print::record(record, out);
            }
            let next = if self.fails > 0 {
                self.fails -= 1;
                out.push_str("write failed\n");
                self.shard.append_failed(&append, Error::NotCoordinator, self.now())
            } else {
                self.log.extend(append.encode().unwrap());
                self.shard.appended(append, self.now())
            };
            self.act(next, out);
        }
        for markers in effects.markers {
            print::markers(&markers, out);
            if self.holds_markers {
                self.held.push(markers);
                continue;
            }
            let each = markers.topics.iter().flat_map(|(topic, partitions)| {
                partitions.iter().map(|partition| (topic.clone(), *partition, Marked::Written))
            });
            let next = self.shard.markers_written(&markers.of, &each.collect::<Vec<_>>(), self.now());
            self.act(next, out);
        }
    }
}
