//! Whether `meta.properties` says of a log directory what the metadata beside it says: no checksum is over the file, and a start
//! refuses a directory of another cluster or node.

use std::path::Path;

use pagewire_disk::checkpoint::META_PROPERTIES_FILE;
use pagewire_disk::{MetaProperties, OsDisk};
use pagewire_log::verify::{Fate, Finding, Severity};
use pagewire_log::{Contradiction, KnownIdentity};
use pagewire_metadata::model::{LogDirsRecord, known_path};
use uuid::Uuid;

/// Whose the metadata is, and the log directories that it knows.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) cluster_id: String,
    /// Of each node.
    pub(super) served: Vec<(i32, LogDirsRecord)>,
}

impl Known {
    /// What is wrong with the identity of `dir`. `home`: the metadata lies in it.
    pub(super) fn finding(&self, dir: &Path, home: bool) -> Option<Finding> {
        let file = dir.join(META_PROPERTIES_FILE);
        let meta = MetaProperties::read(&OsDisk::new(), &file).ok()??;
        if let Some(Contradiction { key, found, known }) = self.contradicted(dir, &meta) {
            let what = format!(
                "it says {key}={found}, and the metadata knows this directory with {known}, while all else agrees"
            );
            return Some(Finding::new(Severity::Damage, file, what, Fate::Renewed));
        }
        let is_known =
            home || meta.directory_id.is_some_and(|id| self.knows(id)) || self.id_at(dir).is_some();
        let what = self.refused(&meta)?;
        is_known.then(|| {
            let what = format!(
                "{what}: a start refuses the directory. If the logs in it are those that the metadata knows, the file is damaged: \
                 move it away, and the next start writes it anew"
            );
            Finding::new(Severity::Damage, file, what, Fate::Stays)
        })
    }

    fn contradicted(&self, dir: &Path, meta: &MetaProperties) -> Option<Contradiction> {
        let path = known_path(dir);
        let known = self.served.iter().filter_map(|(node, served)| Some((*node, served.id_at(&path)?)));
        let as_known =
            |(node_id, directory_id)| KnownIdentity { cluster_id: &self.cluster_id, node_id, directory_id };
        let mut contradicted = known.map(|known| as_known(known).contradicted_by(meta)).collect::<Vec<_>>();
        // As one of the nodes knows it, it is right.
        if contradicted.iter().any(Option::is_none) { None } else { contradicted.pop().flatten() }
    }

    /// In what a start finds the directory another's.
    fn refused(&self, meta: &MetaProperties) -> Option<String> {
        let nodes: Vec<i32> = self.served.iter().map(|(node, _)| *node).collect();
        let (cluster, node) = (&meta.cluster_id, meta.node_id);
        if *cluster != self.cluster_id {
            return Some(format!(
                "it says cluster.id={cluster}, and the metadata is of cluster {}",
                self.cluster_id
            ));
        }
        let is_strange = !nodes.is_empty() && !nodes.contains(&node);
        is_strange.then(|| {
            format!("it says node.id={node}, and the metadata knows log directories of {nodes:?} only")
        })
    }

    /// Where the directory of this id was served, by whichever node.
    pub(super) fn paths_of(&self, id: Uuid) -> impl Iterator<Item = &Path> {
        self.served.iter().flat_map(move |(_, served)| served.paths_of(id)).map(Path::new)
    }

    fn knows(&self, id: Uuid) -> bool {
        self.paths_of(id).next().is_some()
    }

    fn id_at(&self, dir: &Path) -> Option<Uuid> {
        self.served.iter().find_map(|(_, served)| served.id_at(&known_path(dir)))
    }
}
