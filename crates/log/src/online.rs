//! The command that has a serving broker open a log directory again, as messages name it: one that can be pasted as it is.

use std::fmt::{self, Display, Formatter};
use std::path::Path;

use pagewire_disk::Pasted;

/// `pagewire log online DIR --data-dir HOME`.
#[derive(Debug, Clone, Copy)]
pub struct OnlineCommand<'p> {
    /// The directory to be opened.
    pub dir: &'p Path,
    /// The broker's first log directory, by which it is found.
    pub home: &'p Path,
    /// What the directory held is lost.
    pub empty: bool,
}

impl Display for OnlineCommand<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let empty = if self.empty { "--empty " } else { "" };
        write!(f, "pagewire log online {empty}{} --data-dir {}", Pasted(self.dir), Pasted(self.home))
    }
}

/// Of an error that names both.
pub(crate) fn online<'p>(dir: &'p Path, home: &'p Path) -> OnlineCommand<'p> {
    OnlineCommand { dir, home, empty: false }
}

/// The same with `--empty`.
pub(crate) fn anew<'p>(dir: &'p Path, home: &'p Path) -> OnlineCommand<'p> {
    OnlineCommand { dir, home, empty: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_names_the_broker_and_can_be_pasted() {
        let (dir, home) = (Path::new("/disk 2"), Path::new("/disk1"));
        assert_eq!(online(dir, home).to_string(), "pagewire log online '/disk 2' --data-dir /disk1");
        assert_eq!(anew(home, home).to_string(), "pagewire log online --empty /disk1 --data-dir /disk1");
    }
}
