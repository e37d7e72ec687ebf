//! The schema text of `crates/cli/schema`, read into tables.

use std::sync::LazyLock;

/// A message: one kind of key, value or record.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) name: &'static str,
    pub(super) key: Option<u16>,
    pub(super) versions: Versions,
    /// The first version with compact lengths and tags.
    pub(super) flexible_from: Option<i16>,
    pub(super) fields: Vec<Field>,
}

/// A field of a message or structure.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) versions: Versions,
    pub(super) nullable: bool,
    pub(super) tag: Option<u32>,
}

/// What a field holds.
#[derive(Debug)]
pub(super) enum Kind {
    Bool,
    Int8,
    Int16,
    Uint16,
    Int32,
    Int64,
    Float64,
    Uuid,
    Text,
    Bytes,
    Struct(Vec<Field>),
    Array(Box<Self>),
}

/// From the first to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Versions {
    pub(super) first: i16,
    pub(super) last: i16,
}

impl Versions {
    const ALL: Self = Self { first: 0, last: i16::MAX };

    pub(super) fn contain(self, version: i16) -> bool {
        (self.first..=self.last).contains(&version)
    }

    /// `4`, `4-7` or `4+`.
    fn parse(word: &str) -> Option<Self> {
        if let Some(first) = word.strip_suffix('+') {
            return Some(Self { first: first.parse().ok()?, last: i16::MAX });
        }
        let (first, last) = word.split_once('-').unwrap_or((word, word));
        Some(Self { first: first.parse().ok()?, last: last.parse().ok()? })
    }
}

/// The messages of one file.
#[derive(Debug)]
pub(super) struct Schema(LazyLock<Vec<Message>>);

impl Schema {
    pub(super) fn messages(&self) -> &[Message] {
        &self.0
    }

    /// The message of this name.
    pub(super) fn named(&self, name: &str) -> Option<&Message> {
        self.0.iter().find(|message| message.name == name)
    }
}

macro_rules! schema {
    ($(#[$doc:meta])* $name:ident, $file:literal) => {
        $(#[$doc])*
        pub(super) static $name: Schema =
            Schema(LazyLock::new(|| parse(include_str!(concat!("../../../../../schema/", $file)))));
    };
}

schema!(
    /// `__consumer_offsets`.
    GROUP, "group.txt"
);
schema!(
    /// `__transaction_state`.
    TRANSACTION, "transaction.txt"
);
schema!(
    /// `__share_group_state`.
    SHARE, "share.txt"
);
schema!(
    /// Control records, and what classic consumers put into a group.
    CONTROL, "control.txt"
);
schema!(
    /// The cluster metadata log.
    METADATA, "metadata.txt"
);

/// Reads a file. Lines that make no sense end their message; a test shows that there are none.
fn parse(text: &'static str) -> Vec<Message> {
    let lines: Vec<&'static str> =
        text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')).collect();
    let (mut messages, mut rest) = (Vec::new(), lines.as_slice());
    while let Some((head, tail)) = rest.split_first() {
        let len = tail.iter().take_while(|line| line.starts_with(' ')).count();
        let (body, after) = tail.split_at(len);
        messages.extend(message(head, body));
        rest = after;
    }
    messages
}

fn message(head: &'static str, body: &[&'static str]) -> Option<Message> {
    let mut words = head.split_whitespace();
    if words.next() != Some("data") {
        return None;
    }
    let mut message = Message {
        name: words.next()?,
        key: None,
        versions: Versions::ALL,
        flexible_from: None,
        fields: fields(body, 2)?,
    };
    while let Some(word) = words.next() {
        match word {
            "key" => message.key = Some(words.next()?.parse().ok()?),
            "flexible" => message.flexible_from = Some(Versions::parse(words.next()?)?.first),
            versions => message.versions = Versions::parse(versions)?,
        }
    }
    Some(message)
}

/// The fields of lines that are indented so far; deeper ones belong to the line before.
fn fields(lines: &[&'static str], indent: usize) -> Option<Vec<Field>> {
    let (mut found, mut rest) = (Vec::new(), lines);
    while let Some((line, tail)) = rest.split_first() {
        let len = tail.iter().take_while(|line| indent_of(line) > indent).count();
        let (inner, after) = tail.split_at(len);
        found.push(field(line, inner, indent)?);
        rest = after;
    }
    Some(found)
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn field(line: &'static str, inner: &[&'static str], indent: usize) -> Option<Field> {
    let mut words = line.split_whitespace();
    let (name, kind) = (words.next()?, kind(words.next()?, inner, indent)?);
    let mut field = Field { name, kind, versions: Versions::ALL, nullable: false, tag: None };
    while let Some(word) = words.next() {
        match word {
            "nullable" => field.nullable = true,
            "tag" => field.tag = Some(words.next()?.parse().ok()?),
            versions => field.versions = Versions::parse(versions)?,
        }
    }
    Some(field)
}

fn kind(word: &str, inner: &[&'static str], indent: usize) -> Option<Kind> {
    if let Some(of) = word.strip_prefix("[]") {
        return Some(Kind::Array(Box::new(kind(of, inner, indent)?)));
    }
    Some(match word {
        "bool" => Kind::Bool,
        "int8" => Kind::Int8,
        "int16" => Kind::Int16,
        "uint16" => Kind::Uint16,
        "int32" => Kind::Int32,
        "int64" => Kind::Int64,
        "float64" => Kind::Float64,
        "uuid" => Kind::Uuid,
        "string" => Kind::Text,
        "bytes" => Kind::Bytes,
        "struct" => Kind::Struct(fields(inner, indent + 2)?),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_schemas_makes_sense() {
        for (schema, text) in [
            (&GROUP, include_str!("../../../../../schema/group.txt")),
            (&TRANSACTION, include_str!("../../../../../schema/transaction.txt")),
            (&SHARE, include_str!("../../../../../schema/share.txt")),
            (&CONTROL, include_str!("../../../../../schema/control.txt")),
            (&METADATA, include_str!("../../../../../schema/metadata.txt")),
        ] {
            let announced = text.lines().filter(|line| line.starts_with("data ")).count();
            assert_eq!(schema.messages().len(), announced);
            assert!(
                announced > 0 && schema.messages().iter().all(|message| message.versions != Versions::ALL)
            );
        }
    }

    #[test]
    fn versions_and_structures_are_read_as_written() {
        let value = GROUP.named("OffsetCommitValue").expect("known");
        assert_eq!((value.key, value.flexible_from), (Some(1), Some(4)));
        let names = |version| -> Vec<&str> {
            let fields = value.fields.iter().filter(|field| field.versions.contain(version));
            fields.map(|field| field.name).collect()
        };
        assert_eq!(names(1), ["offset", "metadata", "commitTimestamp", "expireTimestamp"]);
        assert_eq!(names(4), ["offset", "leaderEpoch", "metadata", "commitTimestamp", "topicId"]);
        let members =
            GROUP.named("GroupMetadataValue").and_then(|value| value.fields.last()).expect("members");
        assert!(
            matches!(&members.kind, Kind::Array(of) if matches!(&**of, Kind::Struct(fields) if fields.len() == 8))
        );
    }
}
