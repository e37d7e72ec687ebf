//! The ways from a file to a socket that are measured: every route of the library, what the library chooses by
//! itself, and bare loops of system calls to compare with.
//!
//! | way | what it is |
//! |---|---|
//! | a route's name | [`pagewire_zcopy::Transfer`] with that route forced |
//! | `auto` | the same, left to choose |
//! | `transfer-to` | [`pagewire_zcopy::transfer_to_blocking`]: the same in one call, as a program that has no plan makes it |
//! | `sendfile-bare` | `sendfile(2)` in a loop, 1 MiB a call: the floor that the library is compared with |
//! | `read-write-32k`, `read-write-1m` | `pread(2)` and `sendmsg(2)` in a loop, through a page-aligned buffer |

mod bare;
mod carry;
mod head;
mod library;
mod read_write;
mod transfer_to;

use pagewire_zcopy::Route;
use serde::{Deserialize, Serialize};

pub(crate) use carry::{Carry, Moved, carrier};

/// Buffers of the two read-write loops: the size most programs take, and one that spares calls.
const READ_WRITE: [(&str, usize); 2] = [("read-write-32k", 32 << 10), ("read-write-1m", 1 << 20)];

/// A way from a file to a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Way {
    /// The library, by this route.
    Library(Route),
    /// The library, by whatever it chooses.
    Auto,
    /// The library's one call for one range, which chooses as well.
    TransferTo,
    /// `sendfile(2)` in a loop.
    SendfileBare,
    /// Read and write in a loop, through a buffer of so many bytes.
    ReadWrite(usize),
}

impl Way {
    /// The way the others are compared with.
    pub const FLOOR: Self = Self::SendfileBare;

    /// All of them, in the order in which they are shown.
    pub fn all() -> Vec<Self> {
        let loops = READ_WRITE.into_iter().map(|(_, buffer)| Self::ReadWrite(buffer));
        let routes = Route::ALL.into_iter().map(Self::Library);
        routes.chain([Self::Auto, Self::TransferTo, Self::SendfileBare]).chain(loops).collect()
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Library(route) => route.name(),
            Self::Auto => "auto",
            Self::TransferTo => "transfer-to",
            Self::SendfileBare => "sendfile-bare",
            Self::ReadWrite(buffer) => {
                READ_WRITE.into_iter().find(|&(_, of)| of == buffer).map_or("read-write", |(name, _)| name)
            }
        }
    }

    /// The way of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|way| way.name() == name)
    }

    /// How often the CPU copies each byte on the sending side, as the path has it: out of the page cache, into the
    /// socket. What the kernel makes of it on a certain link is for the proof to say.
    pub fn copies_by_path(self) -> u8 {
        match self.name() {
            "sendfile" | "sendfile-bare" | "splice" | "zerocopy" => 0,
            // Mapped or read by the disk itself into memory: only the copy into the socket. Read by the CPU and then
            // sent by reference, or encrypted on the way: one as well.
            "mmap" | "uring" | "direct" | "ktls" => 1,
            // What is chosen by size may be either.
            _ => 2,
        }
    }

    /// Whether the bytes pass through a buffer of the program's own. That never changes with the file, so the aliasing
    /// test cannot see what the kernel makes of it: a copy out of it looks as a reference to it does.
    pub fn has_private_buffer(self) -> bool {
        matches!(self, Self::Library(Route::Copy | Route::Uring | Route::Direct) | Self::ReadWrite(_))
    }

    /// How often the CPU copies each byte into such a buffer: none of the tests can see that, it follows from the path.
    /// `None` of what chooses by itself, which may or may not.
    pub(crate) fn copies_into_buffer(self) -> Option<u8> {
        match self {
            Self::Auto | Self::TransferTo => None,
            // The disk fills it by itself.
            Self::Library(Route::Direct) => Some(0),
            _ => Some(u8::from(self.has_private_buffer())),
        }
    }

    /// How often a device moves each byte on its way into memory: from the disk, where the page cache does not have
    /// it, or is not asked. What a network card would do is not there to be measured.
    pub fn dma_by_path(self, cold: bool) -> u8 {
        u8::from(cold || self.name() == "direct")
    }
}

impl From<Way> for String {
    fn from(way: Way) -> Self {
        way.name().to_owned()
    }
}

impl TryFrom<String> for Way {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Self::from_name(&name).ok_or_else(|| format!("there is no way called {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_has_a_name_of_its_own_and_every_route_is_one() {
        let all = Way::all();
        for way in &all {
            assert_eq!(Way::from_name(way.name()), Some(*way));
        }
        for route in Route::ALL {
            assert!(all.contains(&Way::Library(route)));
        }
        assert_eq!(Way::from_name("pigeon"), None);
    }
}
