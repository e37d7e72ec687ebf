//! Where a run is, in which network and on which disk, and what cannot be judged there.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};
use pagewire_lab::drive::{into_network_without_pacing, pacing};
use pagewire_lab::machine;

use crate::goals::{Goal, To};

/// File systems that lie on no disk.
const IN_MEMORY: [&str; 2] = ["tmpfs", "ramfs"];

/// Where a run is.
#[derive(Debug, Default)]
pub(crate) struct Place {
    /// Nobody else is in its network.
    pub(crate) own_network: bool,
    /// Why brokers that do not choose a congestion control are paced, if they are.
    pub(crate) paced: Option<String>,
    /// That the machine does something else, if so.
    pub(crate) busy: Option<String>,
    /// Why nothing is on a disk, if that is so.
    in_memory: Option<String>,
}

impl Place {
    /// Moves there, for this process and what it starts. Before any thread is started. `others` run already, where they are.
    pub(crate) fn settle(dir: Option<&Path>, others: bool) -> Result<Self> {
        let (own_network, paced) = network(others);
        if let Some(dir) = dir {
            settle_in(dir)?;
        }
        Ok(Self { own_network, paced, busy: None, in_memory: in_memory(&tempfile::env::temp_dir()) })
    }

    /// Why figures here are not those of another place, if so.
    pub(crate) fn reasons(&self) -> impl Iterator<Item = &str> {
        [&self.paced, &self.in_memory].into_iter().flatten().map(String::as_str)
    }

    /// Why a goal means nothing here, if it does not.
    pub(crate) fn unjudged(&self, goal: &Goal) -> Option<&str> {
        if self.busy.is_some() {
            return self.busy.as_deref();
        }
        let in_memory = self.in_memory.as_deref().filter(|_| goal.is_of_a_disk());
        // Ours chooses.
        let paced = self.paced.as_deref().filter(|_| matches!(goal.to, To::Floor | To::Kafka));
        in_memory.or(paced)
    }
}

/// Whether this process is in a network of its own by now, and why others are paced in the one that it is in.
fn network(others: bool) -> (bool, Option<String>) {
    let moved = if others { Ok(false) } else { into_network_without_pacing() };
    let paced = pacing().map(|default| {
        let why = match &moved {
            Err(error) => format!("{error:#}"),
            Ok(_) => "brokers that run already are where they are".to_owned(),
        };
        format!("who does not choose a congestion control is paced here, by {default}: {why}")
    });
    (moved.unwrap_or(false), paced)
}

/// From now on brokers have their files below this directory.
fn settle_in(dir: &Path) -> Result<()> {
    ensure!(dir.is_dir(), "{} is no directory: make it, or name another with --dir", dir.display());
    let dir = dir.canonicalize().with_context(|| dir.display().to_string())?;
    let is_taken = |earlier: PathBuf| anyhow!("files lie in {} already", earlier.display());
    tempfile::env::override_temp_dir(&dir).map_err(is_taken)
}

/// Why what lies in this directory is on no disk, if so.
pub(crate) fn in_memory(dir: &Path) -> Option<String> {
    let kind = machine::file_system(dir);
    IN_MEMORY
        .contains(&kind.as_str())
        .then(|| format!("{} is in memory ({kind}); --dir takes a place on a disk", dir.display()))
}

#[cfg(test)]
impl Place {
    pub(crate) fn in_memory(why: &str) -> Self {
        Self { in_memory: Some(why.to_owned()), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::goals::at_most;

    #[test]
    fn beside_brokers_that_are_paced_nothing_is_judged() {
        let place = Place { paced: Some("paced".to_owned()), ..Place::default() };
        for (to, unjudged) in [(To::Floor, true), (To::Kafka, true), (To::Itself, false)] {
            assert_eq!(place.unjudged(&at_most("cpu", to, 2.0)).is_some(), unjudged, "{to:?}");
        }
    }

    #[test]
    fn on_a_machine_that_does_something_else_nothing_is_judged() {
        let place = Place { busy: Some("busy".to_owned()), ..Place::default() };
        for to in [To::Floor, To::Kafka, To::Itself] {
            assert_eq!(place.unjudged(&at_most("cpu", to, 2.0)), Some("busy"), "{to:?}");
        }
    }

    #[test]
    fn a_place_that_is_not_there_is_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("misspelt");
        let error = settle_in(&missing).unwrap_err().to_string();
        assert!(error.ends_with("misspelt is no directory: make it, or name another with --dir"), "{error}");
        assert!(!missing.exists());
    }

    #[test]
    fn what_lies_on_no_disk_is_told_with_the_place_and_what_helps() {
        let shared = Path::new("/dev/shm");
        if machine::file_system(shared) != "tmpfs" {
            return eprintln!("{} is no tmpfs here", shared.display());
        }
        let place = Place { in_memory: in_memory(shared), ..Place::default() };
        let reasons: Vec<_> = place.reasons().collect();
        assert_eq!(reasons, ["/dev/shm is in memory (tmpfs); --dir takes a place on a disk"]);
        assert_eq!(in_memory(Path::new("/proc")), None);
    }
}
