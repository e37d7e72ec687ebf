//! What of the metadata goes into a backup, and into a file of its own.

use std::path::Path;
use std::sync::Arc;

use pagewire_metadata::model::{ModelError, TopicRecord, decode, encode, keys};
use pagewire_metadata::{CatalogError, EmbeddedStore, Entry, Listing, SystemClock, Versioned, fill};

use super::BackupFailed;
use super::manifest::{Manifest, RowRecord};

/// The topics in a listing.
pub(super) fn topics(listing: Listing) -> Result<Vec<TopicRecord>, BackupFailed> {
    let rows = listing.entries.into_iter().filter(|row| row.key.starts_with(keys::TOPICS));
    let topic = |row: Entry| {
        decode(&row.value.value).map_err(|error| CatalogError::Model { key: row.key, error }.into())
    };
    rows.map(topic).collect()
}

/// The rows of a backup: of the topics that were noted those that are in it, all in the one directory that a backup is, and
/// everything else that was.
pub(super) fn rows(topics: Vec<TopicRecord>, noted: Listing) -> Result<Vec<Entry>, BackupFailed> {
    let others = noted.entries.into_iter().filter(|row| !row.key.starts_with(keys::TOPICS));
    let mut rows = topics.into_iter().map(row).collect::<Result<Vec<_>, _>>()?;
    rows.extend(others);
    Ok(rows)
}

fn row(mut topic: TopicRecord) -> Result<Entry, BackupFailed> {
    for partition in &mut topic.partitions {
        partition.directory = None;
        // Of directories that a restored one does not have.
        partition.left = None;
        partition.behind.clear();
    }
    let key = keys::topic(&topic.name);
    let value = encode(&topic).map_err(|error| CatalogError::Model { key: key.clone(), error })?;
    Ok(Entry { key, value: Versioned { value, version: 0 } })
}

/// A row as the manifest has it.
pub(super) fn told(row: &Entry) -> Result<RowRecord, BackupFailed> {
    let value = std::str::from_utf8(&row.value.value).map_err(|error| {
        let error = ModelError::Unreadable { what: "metadata", detail: error.to_string() };
        CatalogError::Model { key: row.key.clone(), error }
    })?;
    Ok(RowRecord { key: row.key.clone(), value: value.to_owned() })
}

/// The rows that a manifest has.
pub(super) fn of(manifest: &Manifest) -> Vec<Entry> {
    let row = |row: &RowRecord| {
        let value = Versioned { value: row.value.clone().into(), version: 0 };
        Entry { key: row.key.clone(), value }
    };
    manifest.rows.iter().map(row).collect()
}

/// Makes the file at `path` and writes `rows` into it.
pub(super) async fn write(path: &Path, rows: Vec<Entry>) -> Result<(), BackupFailed> {
    let store = EmbeddedStore::open(path, Arc::new(SystemClock))?;
    fill(&store, rows).await?;
    store.close();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(key: &str, value: &[u8]) -> Entry {
        Entry { key: key.to_owned(), value: Versioned { value: value.to_vec().into(), version: 1 } }
    }

    #[test]
    fn topics_are_those_that_were_copied_and_all_else_is_what_was_noted() {
        let topic = |name: &str| {
            let mut record = TopicRecord::on_one_node(name, 2, 1, 1000);
            record.partitions[1].directory = Some(uuid::Uuid::from_u128(7));
            record.partitions[0].left = Some(uuid::Uuid::from_u128(8));
            record.partitions[0].behind = vec![uuid::Uuid::from_u128(9)];
            stored(&keys::topic(name), &encode(&record).expect("encoded"))
        };
        let noted =
            Listing { revision: 3, entries: vec![stored("producer-ids", b"next"), topic("a"), topic("b")] };
        let mut copied = topics(noted.clone()).expect("understood");
        copied.retain(|topic| topic.name == "a");
        let rows = rows(copied, noted).expect("encoded");
        let said: Vec<_> =
            rows.iter().map(|row| (row.key.as_str(), row.value.value.starts_with(b"next"))).collect();
        assert_eq!(said, [("topics/a", false), ("producer-ids", true)]);
        let topic: TopicRecord = decode(&rows[0].value.value).expect("understood");
        let one = pagewire_metadata::model::PartitionRecord::on(1, None);
        assert_eq!(topic.partitions, [one.clone(), one], "no directory is named");
    }

    #[test]
    fn a_topic_that_cannot_be_understood_is_an_error() {
        let listing = Listing { revision: 1, entries: vec![stored("topics/a", b"{}")] };
        topics(listing).expect_err("no topic");
    }
}
