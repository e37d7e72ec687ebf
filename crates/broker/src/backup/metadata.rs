//! What of the metadata goes into a backup, and into a file of its own.

use std::path::Path;
use std::sync::Arc;

use pagewire_metadata::model::{TopicRecord, decode, keys};
use pagewire_metadata::{CatalogError, EmbeddedStore, Entry, Listing, SystemClock, fill};

use super::BackupFailed;

/// A topic and the row that says so.
#[derive(Debug, Clone)]
pub(super) struct Topic {
    pub(super) record: TopicRecord,
    pub(super) row: Entry,
}

/// The topics in a listing.
pub(super) fn topics(listing: Listing) -> Result<Vec<Topic>, BackupFailed> {
    let rows = listing.entries.into_iter().filter(|row| row.key.starts_with(keys::TOPICS));
    let topic = |row: Entry| match decode(&row.value.value) {
        Ok(record) => Ok(Topic { record, row }),
        Err(error) => Err(CatalogError::Model { key: row.key, error }.into()),
    };
    rows.map(topic).collect()
}

/// The rows of a backup: the topics that are in it as they were when the list was taken, and of everything else what
/// there was last.
pub(super) fn rows(topics: impl Iterator<Item = Topic>, last: Listing) -> Vec<Entry> {
    let others = last.entries.into_iter().filter(|row| !row.key.starts_with(keys::TOPICS));
    topics.map(|topic| topic.row).chain(others).collect()
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
    use pagewire_metadata::Versioned;
    use pagewire_metadata::model::encode;

    use super::*;

    fn row(key: &str, value: &[u8]) -> Entry {
        Entry { key: key.to_owned(), value: Versioned { value: value.to_vec().into(), version: 1 } }
    }

    #[test]
    fn topics_are_those_that_were_copied_and_all_else_is_the_newest() {
        let topic = |name: &str| {
            let record = TopicRecord::on_one_node(name, 2, 1, 1000);
            row(&keys::topic(name), &encode(&record).expect("encoded"))
        };
        let first =
            Listing { revision: 3, entries: vec![row("producer-ids", b"old"), topic("a"), topic("b")] };
        let copied = topics(first).expect("understood").into_iter().filter(|topic| topic.record.name == "a");
        let last =
            Listing { revision: 9, entries: vec![row("producer-ids", b"new"), topic("b"), topic("c")] };
        let rows = rows(copied, last);
        let said: Vec<_> =
            rows.iter().map(|row| (row.key.as_str(), row.value.value.starts_with(b"new"))).collect();
        assert_eq!(said, [("topics/a", false), ("producer-ids", true)]);
    }

    #[test]
    fn a_topic_that_cannot_be_understood_is_an_error() {
        let listing = Listing { revision: 1, entries: vec![row("topics/a", b"{}")] };
        topics(listing).expect_err("no topic");
    }
}
