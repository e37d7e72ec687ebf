//! Whose directory it is: `meta.properties`.

use std::io;

use pagewire_disk::checkpoint::META_PROPERTIES_FILE;
use pagewire_disk::{CheckpointError, MetaProperties, OsDisk};

use crate::Plan;
use crate::finding::Finding;

pub(crate) fn look(plan: &Plan) -> Vec<Finding> {
    match MetaProperties::read(&OsDisk::new(), &plan.data_dir.join(META_PROPERTIES_FILE)) {
        // The line about the directory says so.
        Err(CheckpointError::Io { error, .. }) if error.kind() == io::ErrorKind::NotADirectory => Vec::new(),
        Err(CheckpointError::Io { error, .. }) if error.kind() == io::ErrorKind::PermissionDenied => {
            vec![Finding::unseen("identity", &error)]
        }
        read => vec![judge(&read)],
    }
}

fn judge(read: &Result<Option<MetaProperties>, CheckpointError>) -> Finding {
    match read {
        Ok(Some(meta)) => Finding::ok(
            "identity",
            format!("version 1 of meta.properties: node {} of cluster {}", meta.node_id, meta.cluster_id),
        ),
        Ok(None) => Finding::ok("identity", "new: the first start writes meta.properties"),
        Err(error) if error.is_damage() => Finding::better(
            "identity",
            error.to_string(),
            "the next start writes it anew; if the directory is another cluster's or another version's, move it away \
             first",
        ),
        Err(error) => Finding::broken("identity", error.to_string(), "the drive does not read it: dmesg"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    fn read(text: &str) -> Result<Option<MetaProperties>, CheckpointError> {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join(META_PROPERTIES_FILE);
        std::fs::write(&path, text).expect("written");
        MetaProperties::read(&OsDisk::new(), &path)
    }

    #[test]
    fn an_identity_is_told_and_a_damaged_one_could_be_better() {
        let finding = judge(&read("version=1\ncluster.id=abc\nnode.id=3\n"));
        assert!(finding.state == State::Ok && finding.found.contains("node 3 of cluster abc"), "{finding:?}");
        for damaged in ["", "version=9\ncluster.id=abc\nnode.id=3\n", "node.id=3\n"] {
            assert_eq!(judge(&read(damaged)).state, State::CouldBeBetter, "{damaged:?}");
        }
        assert_eq!(judge(&Ok(None)).state, State::Ok);
    }
}
