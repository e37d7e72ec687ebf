//! The file in which the cluster is: damaged or gone, there is no other cluster in its place.

use std::fs;
use std::path::{Path, PathBuf};

use pagewire_broker::StartError;
use pagewire_metadata::FILE_NAME;

use crate::harness::{Broker, batch};

/// A stopped broker with a record.
fn stopped() -> Broker {
    let mut broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    client.produce("t", 0, batch(&["x"]));
    broker.stop();
    broker
}

fn refusal(broker: &Broker) -> StartError {
    match broker.start_node() {
        Err(error) => error,
        Ok(_) => panic!("another cluster is served"),
    }
}

/// Names and lengths of all files.
fn files(dir: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap()) {
        let metadata = entry.metadata().unwrap();
        if metadata.is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push((entry.path(), metadata.len()));
        }
    }
    found.sort();
    found
}

#[test]
fn records_without_their_metadata_are_not_served_as_an_empty_cluster() {
    for identity_is_gone in [false, true] {
        let mut broker = stopped();
        let (metadata, aside) = (broker.dir().join(FILE_NAME), broker.dir().with_extension("aside"));
        let identity = broker.dir().join("meta.properties");
        fs::rename(&metadata, &aside).unwrap();
        if identity_is_gone {
            fs::remove_file(identity).unwrap();
        }
        let before = files(broker.dir());
        let refused = refusal(&broker);
        assert!(matches!(refused, StartError::NoMetadata(_)), "{refused}");
        let words = refused.to_string();
        assert!(words.contains(FILE_NAME) && words.contains("pagewire restore"), "{words}");
        assert_eq!(files(broker.dir()), before, "nothing was changed");
        fs::rename(&aside, &metadata).unwrap();
        broker.restart();
        assert_eq!(broker.client().end_of("t", 0), 1);
    }
}

#[test]
fn damaged_metadata_is_refused_in_words_that_name_it_and_what_to_do() {
    let broker = stopped();
    let path = broker.dir().join(FILE_NAME);
    let good = fs::read(&path).unwrap();
    let mut flipped = good.clone();
    // Something in every page.
    flipped.iter_mut().skip(5000).step_by(100).for_each(|byte| *byte ^= 1);
    for (bytes, what) in [(&b""[..], "emptied"), (&good[..good.len() / 2], "cut"), (&flipped, "flipped")] {
        fs::write(&path, bytes).unwrap();
        let refused = refusal(&broker);
        assert!(matches!(refused, StartError::OpenMetadata(_)), "{what}: {refused}");
        let words = refused.to_string();
        assert!(
            words.contains(path.to_str().unwrap()) && words.contains("pagewire restore"),
            "{what}: {words}"
        );
    }
}

/// What the lock's file says is for people; what counts is the lock.
#[test]
fn whatever_the_file_of_the_lock_holds_the_directory_is_opened() {
    let mut broker = stopped();
    for bytes in [&b""[..], b"1", b"\xff\xfe not a number", &[0; 5000]] {
        fs::write(broker.dir().join(pagewire_disk::LOCK_FILE), bytes).unwrap();
        broker.restart();
        assert_eq!(broker.client().end_of("t", 0), 1);
        broker.stop();
    }
}
