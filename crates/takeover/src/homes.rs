//! The new directories while they are put together: one, or several over which the partitions are spread. The first one
//! gets the metadata, and its name last: without it nothing is served.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use pagewire_disk::checkpoint::META_PROPERTIES_FILE;
use pagewire_disk::{Disk, OsDisk, holder_of, real_path};

use crate::error::ImportError;
use crate::options::{How, Options};
use crate::place::Way;
use crate::plan::{Plan, PlannedPartition};
use crate::source::Source;
use crate::staging::{self, Begun, Staging};

/// All of them, as [`Options`] names them.
#[derive(Debug)]
pub(crate) struct Homes(Vec<Home>);

/// One of them.
#[derive(Debug)]
pub(crate) struct Home {
    staging: Staging,
    /// How files of each source get there.
    ways: Vec<Way>,
}

/// Where the new directories shall be.
pub(crate) fn places(options: &Options) -> impl Iterator<Item = &Path> {
    std::iter::once(&options.to).chain(&options.others).map(PathBuf::as_path)
}

/// Refuses places that are taken, or lie in one another or in what is imported. None is around that, for it would not be empty.
pub(crate) fn check(options: &Options) -> Result<(), ImportError> {
    let mut real: Vec<PathBuf> = Vec::new();
    for place in places(options) {
        staging::check_target(place)?;
        let path = real_path(place).map_err(ImportError::at(place))?;
        if let Some(other) = real.iter().find(|other| path.starts_with(other) || other.starts_with(&path)) {
            return Err(ImportError::Nested(place.to_path_buf(), other.clone()));
        }
        if let Some(source) = holder_of(place, &options.from).map_err(ImportError::at(place))? {
            return Err(ImportError::Inside { to: place.to_path_buf(), from: source.clone() });
        }
        real.push(path);
    }
    Ok(())
}

impl Homes {
    /// Makes them, or clears what an earlier import left; where one of them cannot be, none is left.
    pub(crate) fn begin(options: &Options, sources: &[Source], begun: &Begun) -> Result<Self, ImportError> {
        let mut homes = Self(Vec::new());
        match places(options).try_for_each(|place| homes.add((place, begun), options.how, sources)) {
            Ok(()) => Ok(homes),
            Err(error) => {
                homes.give_up();
                Err(error)
            }
        }
    }

    fn add(
        &mut self,
        (place, begun): (&Path, &Begun),
        how: How,
        sources: &[Source],
    ) -> Result<(), ImportError> {
        self.0.push(Home { staging: Staging::begin(place, begun)?, ways: Vec::new() });
        let Some(home) = self.0.last_mut() else { return Ok(()) };
        for source in sources {
            let way = Way::find(how, &source.dir.join(META_PROPERTIES_FILE), home.staging.path())?;
            home.ways.push(way);
        }
        Ok(())
    }

    /// Where each is put together, in their order.
    pub(crate) fn dirs(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().map(|home| home.staging.path())
    }

    /// The directory that a partition goes to, and how its files get there.
    pub(crate) fn of(&self, partition: &PlannedPartition) -> Option<(&Path, Way)> {
        let home = self.0.get(partition.home)?;
        Some((home.staging.path(), *home.ways.get(partition.source)?))
    }

    /// Refuses to begin what cannot end. Directories on one file system share its room.
    pub(crate) fn check_space(&self, plan: &Plan) -> Result<(), ImportError> {
        let mut needed: HashMap<u64, (&Path, u64)> = HashMap::new();
        for (at, dir) in self.dirs().enumerate() {
            let device = fs::metadata(dir).map_err(ImportError::at(dir))?.dev();
            let here = plan.partitions.iter().filter(|partition| partition.home == at);
            needed.entry(device).or_insert((dir, 0)).1 += here.map(|one| self.takes(one)).sum::<u64>();
        }
        for (dir, needed) in needed.into_values() {
            let free = OsDisk::new().free_bytes(dir).map_err(ImportError::at(dir))?;
            if needed > free {
                return Err(ImportError::NoSpace { dir: dir.to_path_buf(), needed, free });
            }
        }
        Ok(())
    }

    fn takes(&self, partition: &PlannedPartition) -> u64 {
        let files = &partition.files;
        let closed: u64 = files.segments.iter().rev().skip(1).map(|segment| segment.len).sum();
        let needed = match self.of(partition) {
            Some((_, Way::Reflink)) => return 0,
            Some((_, Way::Link)) => files.bytes() - closed,
            _ => files.bytes(),
        };
        needed.saturating_sub(files.reserved)
    }

    /// All of them are whole, and say so: then they get their names. Of each step the first one is the last.
    pub(crate) fn finish(self) -> Result<(), ImportError> {
        let places = self.0.iter().map(|home| home.staging.place()).collect::<Result<Vec<_>, _>>()?;
        self.0.iter().rev().try_for_each(|home| home.staging.is_whole(&places))?;
        self.0.iter().rev().try_for_each(|home| home.staging.name())?;
        self.0.into_iter().rev().try_for_each(|home| home.staging.unmark())
    }

    /// None of them will be. What went wrong is what counts; what stays is cleared by the next import.
    pub(crate) fn give_up(self) {
        for home in self.0 {
            let _ = home.staging.give_up();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_yet_is_where_its_parent_leads() {
        let dir = tempfile::tempdir().expect("a directory");
        let real = fs::canonicalize(dir.path()).expect("there");
        std::os::unix::fs::symlink(&real, dir.path().join("link")).expect("made");
        let found = real_path(&dir.path().join("link/not/there")).expect("found");
        assert_eq!(found, real.join("not/there"));
        assert_eq!(real_path(dir.path()).expect("found"), real);
    }
}
