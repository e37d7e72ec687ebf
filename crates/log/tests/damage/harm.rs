//! The ways in which a file goes wrong. The same every time.

use std::fmt;
use std::path::PathBuf;

use crate::lived::Lived;

/// One of them.
#[derive(Clone, Copy)]
pub(crate) enum Harm {
    /// One bit is another.
    Flip { at: usize, bit: u8 },
    /// It ends here.
    Cut { len: usize },
    /// A stretch has zeros, as of blocks that were never written.
    Zeros { from: usize, len: usize },
    /// Bytes follow that are not its own.
    Grown { by: usize, with: u8 },
    /// All its bytes are these.
    Filled { with: u8 },
    /// It is gone.
    Removed,
}

impl Harm {
    /// The file's bytes afterwards; `None` if it is gone.
    pub(crate) fn done_to(self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut bytes = bytes.to_vec();
        match self {
            Self::Flip { at, bit } => bytes[at] ^= 1 << bit,
            Self::Cut { len } => bytes.truncate(len),
            Self::Zeros { from, len } => bytes[from..from + len].fill(0),
            Self::Grown { by, with } => bytes.extend(std::iter::repeat_n(with, by)),
            Self::Filled { with } => bytes.fill(with),
            Self::Removed => return None,
        }
        Some(bytes)
    }
}

impl fmt::Display for Harm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flip { at, bit } => write!(f, "bit {bit} of byte {at} flipped"),
            Self::Cut { len } => write!(f, "cut to {len} bytes"),
            Self::Zeros { from, len } => write!(f, "{len} zeros from byte {from} on"),
            Self::Grown { by, with } => write!(f, "grown by {by} bytes {with:#04x}"),
            Self::Filled { with } => write!(f, "all bytes {with:#04x}"),
            Self::Removed => f.write_str("removed"),
        }
    }
}

/// How many of the ways a file goes through.
#[derive(Clone, Copy)]
pub(crate) enum Cases {
    /// About so many flipped bits, and some of the others.
    Spread(usize),
    /// Every bit, and every length. Of small files.
    Every,
}

impl Cases {
    pub(crate) fn of(self, bytes: &[u8]) -> Vec<Harm> {
        match self {
            Self::Spread(flips) => ways(bytes, flips),
            Self::Every => every(bytes),
        }
    }

    /// Those files with this ending that go through them.
    pub(crate) fn files(self, lived: &Lived, ending: &str) -> Vec<PathBuf> {
        match self {
            Self::Spread(_) => lived.sample(ending),
            Self::Every => lived.smallest(ending),
        }
    }
}

/// Every bit flipped, and every length that is shorter.
fn every(bytes: &[u8]) -> Vec<Harm> {
    let flips = (0..bytes.len() * 8).map(|bit| Harm::Flip { at: bit / 8, bit: (bit % 8) as u8 });
    flips.chain((0..bytes.len()).map(|len| Harm::Cut { len })).collect()
}

/// About `flips` flipped bits spread over `bytes`, a few cuts, and the rest of the ways. None that changes nothing.
fn ways(bytes: &[u8], flips: usize) -> Vec<Harm> {
    let len = bytes.len();
    // The stride is odd, so that the bits take turns; the offset moves it between files of like lengths.
    let stride = (len * 8 / flips.max(1)).max(1) | 1;
    let mut ways: Vec<Harm> = (len % 7..len * 8)
        .step_by(stride)
        .map(|bit| Harm::Flip { at: bit / 8, bit: (bit % 8) as u8 })
        .collect();
    ways.extend((0..len).step_by((len / 8).max(1)).map(|len| Harm::Cut { len }));
    ways.extend(len.checked_sub(1).map(|len| Harm::Cut { len }));
    ways.extend([(len / 2, len - len / 2), (len / 3, len / 3)].map(|(from, len)| Harm::Zeros { from, len }));
    ways.extend([(1, 0), (500, 0), (61, 0xff), (500, 0x5a)].map(|(by, with)| Harm::Grown { by, with }));
    ways.extend([Harm::Filled { with: 0 }, Harm::Filled { with: 0xff }, Harm::Removed]);
    ways.retain(|harm| harm.done_to(bytes).as_deref() != Some(bytes));
    // A build without optimisation takes turns: which ones depends on the file's length.
    let every = if cfg!(debug_assertions) { 4 } else { 1 };
    ways.into_iter().skip(len % every).step_by(every).collect()
}
