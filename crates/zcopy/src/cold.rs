//! How what is not in the page cache is brought to a socket that must not wait for a disk.

/// Where a cold range is read to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ColdReads {
    /// Into the page cache, ahead of whoever reads on, and from there by the route that its length chooses. The next reader finds
    /// it there.
    #[default]
    PageCache,
    /// Past the page cache, by [`Route::Direct`](crate::Route::Direct): one copy, into the socket, and each reader reads for itself.
    /// Nobody's pages are driven out, and no memory is taken and given back at the disk's rate, which costs others latency. What is
    /// short, or refused by the file system, is read into the page cache all the same. Linux only.
    Direct,
}

impl ColdReads {
    /// Its name, as configuration spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PageCache => "page-cache",
            Self::Direct => "direct",
        }
    }

    /// The one of that name; `None` for any other word.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::PageCache, Self::Direct].into_iter().find(|cold| cold.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_found_by_its_name() {
        for cold in [ColdReads::PageCache, ColdReads::Direct] {
            assert_eq!(ColdReads::from_name(cold.name()), Some(cold));
        }
        assert_eq!(ColdReads::from_name("lukewarm"), None);
    }
}
