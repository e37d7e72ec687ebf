//! What is to be sent, in order, and how far it got.
//!
//! The cursor lives in the plan and moves only by what the kernel said it took, in the same breath as the call.
//! So a send that was interrupted, dropped or cancelled goes on from exactly the next byte when the same plan
//! is sent again.
//!
//! ```text
//!   pieces   [ Bytes 61 ][ File 1 MiB          ][ Bytes 9 ][ File 300 ]
//!   cursor                      ^ index 1, skip 512 Ki     sent = 61 + 512 Ki
//! ```
//!
//! Invariant: the cursor stands on a piece with bytes left, or behind the last one. Empty pieces are not kept.

#[cfg(feature = "tokio")]
use std::fs::File;
#[cfg(feature = "tokio")]
use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::carry::Carry;
use crate::route::{RouteSet, SocketKind};
use crate::{FileRange, Piece};

/// How many pieces fit without heap memory: a header, a range, a trailer.
const INLINE_PIECES: usize = 3;

/// Bytes of files that the first call copies; see [`SendPlan::took`].
const APPETITE_START: usize = 64 << 10;
pub(crate) const APPETITE_MIN: usize = 16 << 10;
/// Within the second-level cache of common cores.
const APPETITE_MAX: usize = 256 << 10;

/// So many windows that were read ahead are remembered; see [`SendPlan::read_ahead_windows`].
#[cfg(feature = "tokio")]
const WINDOWS_MAX: usize = 64;

/// Whether the socket holds partial segments of this plan back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Cork {
    /// It does not, so far.
    #[default]
    Out,
    /// It does, until the plan is done.
    In,
    /// It cannot.
    Refused,
}

/// A sequence of [`Piece`]s with a known total and a cursor.
///
/// The total is known before the first byte leaves, so a header can announce it. The cursor moves only by what the
/// kernel took: what was interrupted or dropped goes on from the next byte when the same plan is sent again.
///
/// ```
/// use std::{fs::File, sync::Arc};
/// use bytes::Bytes;
/// use pagewire_zcopy::{FileRange, SendPlan, Transfer};
///
/// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// # let socket = std::net::TcpStream::connect(listener.local_addr()?)?;
/// # let (_peer, _) = listener.accept()?;
/// # let path = std::env::current_exe()?;
/// let mut plan = SendPlan::new();
/// plan.push_bytes(Bytes::from_static(b"4096\r\n"));
/// plan.push_file(FileRange::new(Arc::new(File::open(path)?), 0, 4096));
/// assert_eq!(plan.total(), 6 + 4096);
///
/// let sent = Transfer::shared().send_blocking(&socket, &mut plan)?;
/// assert_eq!((sent.memory_bytes, sent.bytes), (6, 6 + 4096));
/// assert!(plan.is_done());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Up to three pieces need no heap memory. Use it for one sending, to one socket, and finish it there: a plan that was
/// begun on a socket and is finished by [`write_to`](crate::Transfer::write_to) may leave the socket corked, which
/// holds its last partial segment back for up to 200 ms. [`clear`](Self::clear) makes it new again and keeps its
/// memory.
///
/// A clone has the pieces and the cursor, and nothing of what was found out about the socket: it can go to another one.
#[derive(Debug)]
pub struct SendPlan {
    cork: Cork,
    pieces: SmallVec<[Piece; INLINE_PIECES]>,
    total: u64,
    sent: u64,
    index: usize,
    skip: u64,
    refused: RouteSet,
    appetite: usize,
    socket: Option<SocketKind>,
    carry: Carry,
    windows: SmallVec<[FileRange; 1]>,
    /// A call was tried.
    begun: bool,
}

impl Default for SendPlan {
    fn default() -> Self {
        Self {
            pieces: SmallVec::new(),
            total: 0,
            sent: 0,
            index: 0,
            skip: 0,
            refused: RouteSet::default(),
            appetite: APPETITE_START,
            cork: Cork::default(),
            socket: None,
            carry: Carry::Nothing,
            windows: SmallVec::new(),
            begun: false,
        }
    }
}

impl Clone for SendPlan {
    fn clone(&self) -> Self {
        Self {
            pieces: self.pieces.clone(),
            total: self.total,
            sent: self.sent,
            index: self.index,
            skip: self.skip,
            ..Self::default()
        }
    }
}

impl SendPlan {
    /// An empty plan; takes no memory.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty plan with room for `pieces` pieces.
    pub fn with_capacity(pieces: usize) -> Self {
        Self { pieces: SmallVec::with_capacity(pieces), ..Self::default() }
    }

    /// Adds bytes from memory at the end. Empty bytes are left out.
    pub fn push_bytes(&mut self, bytes: Bytes) {
        self.push(Piece::Bytes(bytes));
    }

    /// Adds a range of a file at the end. An empty range is left out.
    pub fn push_file(&mut self, range: FileRange) {
        self.push(Piece::File(range));
    }

    /// Adds a region of a mapped file at the end, to be sent from the map. An empty one is left out.
    ///
    /// For bytes that are sent again and again in small pieces: from a standing map one copy and one system call do.
    /// Cold pages are read ahead first, as those of a [`FileRange`] are.
    ///
    /// ```
    /// use std::{fs::File, sync::Arc};
    /// use pagewire_zcopy::{FileRange, MapAccess, MappedFile, SendPlan};
    ///
    /// let file = Arc::new(File::open("/proc/self/exe")?);
    /// let map = MappedFile::new(&FileRange::new(file, 0, 4096), MapAccess::Read)?;
    /// let mut plan = SendPlan::new();
    /// plan.push_mapped(map.part(16, 100));
    /// plan.push_mapped(map.part(4000, 1000));
    /// assert_eq!(plan.total(), 100 + 96, "a part ends where the map does");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[cfg(target_os = "linux")]
    pub fn push_mapped(&mut self, range: crate::MappedRange) {
        self.push(Piece::Mapped(range));
    }

    /// Adds a piece at the end. An empty piece is left out. What would make the [total](Self::total) exceed `u64::MAX`
    /// is cut off: no file is as long as that, and a sending ends with an error long before.
    pub fn push(&mut self, piece: Piece) {
        let room = u64::MAX - self.total;
        let piece = if piece.len() > room { piece.first(room) } else { piece };
        if !piece.is_empty() {
            self.total += piece.len();
            self.pieces.push(piece);
        }
    }

    /// Moves all pieces of `other` to the end, sent or not, without a copy of any. `other` is left as
    /// [`clear`](Self::clear) leaves it.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use pagewire_zcopy::SendPlan;
    ///
    /// let mut plan = SendPlan::from(Bytes::from_static(b"one answer"));
    /// let mut next = SendPlan::from(Bytes::from_static(b"and the next"));
    /// plan.append(&mut next);
    /// assert_eq!((plan.total(), plan.pieces().len(), next.total()), (22, 2, 0));
    /// ```
    pub fn append(&mut self, other: &mut Self) {
        if self.pieces.is_empty() {
            // Its memory for pieces, where it has any, need not be taken anew.
            std::mem::swap(&mut self.pieces, &mut other.pieces);
            self.total = other.total;
        } else {
            self.pieces.reserve(other.pieces.len());
            other.pieces.drain(..).for_each(|piece| self.push(piece));
        }
        other.clear();
    }

    /// All bytes of the plan, sent or not: what a length prefix has to announce.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Bytes the kernel has taken so far.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Bytes not yet taken.
    pub fn remaining(&self) -> u64 {
        self.total - self.sent
    }

    /// Whether everything has been taken. An empty plan is done from the start.
    pub fn is_done(&self) -> bool {
        self.sent == self.total
    }

    /// All pieces, sent or not.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Empties the plan and puts its cursor at the start; memory for pieces is kept.
    pub fn clear(&mut self) {
        self.pieces.clear();
        (self.total, self.sent, self.index, self.skip) = (0, 0, 0, 0);
        (self.refused, self.appetite, self.cork) = (RouteSet::default(), APPETITE_START, Cork::default());
        (self.socket, self.carry, self.begun) = (None, Carry::Nothing, false);
        self.windows.clear();
    }

    /// An empty plan for another sending to the same socket, of which what was found out is not asked again.
    #[must_use]
    pub fn next_to_same_socket(&self) -> Self {
        Self { socket: self.socket, ..Self::default() }
    }

    /// Ranges that were not in the page cache and were read ahead for this plan, oldest first; the newest 64 of them.
    /// Whoever lags behind other readers drops them again, see [`DropBehind`](crate::DropBehind).
    pub fn read_ahead_windows(&self) -> &[FileRange] {
        &self.windows
    }

    /// `window` has been read ahead for this plan.
    #[cfg(feature = "tokio")]
    pub(crate) fn note_read_ahead(&mut self, window: FileRange) {
        if self.windows.last().is_some_and(|last| {
            last.offset() == window.offset() && std::sync::Arc::ptr_eq(last.file(), window.file())
        }) {
            return;
        }
        if self.windows.len() == WINDOWS_MAX {
            self.windows.remove(0);
        }
        self.windows.push(window);
    }

    /// What kind of socket it is being sent to; plain until it was found out.
    pub(crate) fn socket(&self) -> SocketKind {
        self.socket.unwrap_or_default()
    }

    /// Finds out, once for a plan, what kind of socket it is being sent to.
    pub(crate) fn know_socket(&mut self, ask: impl FnOnce() -> SocketKind) {
        self.socket.get_or_insert_with(ask);
    }

    /// Whether `range`, which stands at the cursor, was read past the page cache, with whatever came of it.
    #[cfg(target_os = "linux")]
    pub(crate) fn was_fetched(&self, range: &FileRange) -> bool {
        matches!(&self.carry, Carry::Direct(carried) if carried.answers(range))
    }

    /// Whether what stands before `range` was read so.
    #[cfg(all(target_os = "linux", feature = "tokio"))]
    pub(crate) fn was_read_past_the_cache(&self, range: &FileRange) -> bool {
        matches!(&self.carry, Carry::Direct(carried) if carried.is_of(range))
    }

    /// Nothing is read past the page cache here.
    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unused_self, reason = "elsewhere it has a carry")]
    pub(crate) fn was_fetched(&self, _range: &FileRange) -> bool {
        false
    }

    /// What the route at work keeps between two calls.
    pub(crate) fn carry_mut(&mut self) -> &mut Carry {
        &mut self.carry
    }

    /// The pieces from the cursor on, with how much of the first has gone.
    pub(crate) fn ahead(&self) -> (&[Piece], u64) {
        (self.pieces.get(self.index..).unwrap_or_default(), self.skip)
    }

    /// What is left of the piece at the cursor, if it lies in a file, at most `len` bytes of it.
    pub(crate) fn piece_ahead(&self, len: u64) -> Option<FileRange> {
        Some(self.pieces.get(self.index)?.file_range()?.part(self.skip, len))
    }

    /// The file of the last file bytes sent, and the position behind them.
    #[cfg(feature = "tokio")]
    pub(crate) fn file_sent_upto(&self) -> Option<(Arc<File>, u64)> {
        let at_cursor = self.pieces.get(self.index).filter(|_| self.skip > 0).and_then(Piece::file_range);
        if let Some(range) = at_cursor {
            return Some((Arc::clone(range.file()), range.offset() + self.skip));
        }
        let whole = self.pieces.get(..self.index)?.iter().rev().find_map(Piece::file_range)?;
        Some((Arc::clone(whole.file()), whole.offset().saturating_add(whole.len())))
    }

    /// Whether this is the first call of the plan.
    pub(crate) fn begins(&mut self) -> bool {
        !std::mem::replace(&mut self.begun, true)
    }

    /// Routes that refused this plan's files or socket.
    pub(crate) fn refused(&self) -> RouteSet {
        self.refused
    }

    pub(crate) fn refused_mut(&mut self) -> &mut RouteSet {
        &mut self.refused
    }

    /// Whether pieces follow behind the one at the cursor.
    pub(crate) fn goes_on(&self) -> bool {
        self.index + 1 < self.pieces.len()
    }

    pub(crate) fn cork(&self) -> Cork {
        self.cork
    }

    pub(crate) fn set_cork(&mut self, cork: Cork) {
        self.cork = cork;
    }

    /// How many bytes of files the next call should copy, by what the socket took of late: what it does not take
    /// has to be read again.
    pub(crate) fn appetite(&self) -> usize {
        self.appetite
    }

    /// Learns from a call that offered so many bytes, of which the socket took `taken`, and moves the cursor.
    pub(crate) fn took(&mut self, taken: u64, offered: u64) {
        self.appetite = if taken < offered {
            usize::try_from(taken)
                .unwrap_or(APPETITE_MAX)
                .next_power_of_two()
                .clamp(APPETITE_MIN, APPETITE_MAX)
        } else if offered >= self.appetite as u64 {
            (2 * self.appetite).min(APPETITE_MAX)
        } else {
            self.appetite
        };
        self.advance(taken);
    }

    /// Moves the cursor by `n` bytes that the kernel took; never past the end.
    pub(crate) fn advance(&mut self, n: u64) {
        let mut left = n.min(self.remaining());
        self.sent += left;
        if self.is_done() {
            self.carry = Carry::Nothing;
        }
        while let Some(piece) = self.pieces.get(self.index) {
            let rest = piece.len() - self.skip;
            if left < rest {
                self.skip += left;
                return;
            }
            left -= rest;
            self.index += 1;
            self.skip = 0;
        }
    }
}

impl From<Bytes> for SendPlan {
    fn from(bytes: Bytes) -> Self {
        let mut plan = Self::new();
        plan.push_bytes(bytes);
        plan
    }
}

#[cfg(test)]
#[path = "send_plan_tests.rs"]
mod tests;
