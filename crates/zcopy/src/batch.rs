//! What the next call carries. Pure: reads the plan and the policy, touches no file and no socket.
//!
//! ```text
//!   pieces ahead   [header][small file][header][small file][header][ large file ]...
//!                  '------------- one sendmsg, MSG_MORE -----------''- one range -'
//! ```
//!
//! What lies in a map leaves with the memory in front of it, whatever its length, and ends the call.

use smallvec::SmallVec;

use crate::route::{self, Policy, Route, RouteSet, Why};
use crate::sys::PAGE;
use crate::{FileRange, Piece, SendPlan};

/// Parts of one `sendmsg(2)` at most. The system's own bound is 1,024.
pub(crate) const PARTS_MAX: usize = 64;
/// A copy whose source and destination lie 1 to 31 bytes apart within a page crawls on common CPUs.
const SLOW_DISTANCE: u64 = 32;

/// One part of a gathered call.
#[derive(Debug)]
pub(crate) enum Part {
    /// `len` bytes of the `piece`-th piece ahead, from `skip`; memory.
    Memory { piece: usize, skip: usize, len: usize },
    /// `range` of the `piece`-th piece ahead, to be read to `at` in the buffer.
    File { piece: usize, range: FileRange, at: usize },
}

/// The next call.
#[derive(Debug)]
pub(crate) enum Next {
    /// Send these together; `more` says whether the plan goes on behind them.
    Gather(Gather),
    /// Send this range by this route, which is not copy.
    Range { route: Route, why: Why, range: FileRange },
    /// Send this out of its map, behind `memory`, of which every part is [`Part::Memory`].
    #[cfg(target_os = "linux")]
    Mapped { memory: Memory, part: crate::MappedRange },
    /// Nothing is left.
    Nothing,
}

/// Parts that are all memory.
#[cfg(target_os = "linux")]
pub(crate) type Memory = SmallVec<[Part; 4]>;

impl Part {
    /// Its bytes among `pieces`, the plan's ahead, if it is memory.
    pub(crate) fn memory<'p>(&self, pieces: &'p [Piece]) -> Option<&'p [u8]> {
        let Self::Memory { piece, skip, len } = self else { return None };
        let Some(Piece::Bytes(bytes)) = pieces.get(*piece) else { return None };
        bytes.get(*skip..skip + len)
    }
}

/// Parts that go out in one call.
#[derive(Debug, Default)]
pub(crate) struct Gather {
    pub(crate) parts: SmallVec<[Part; 4]>,
    /// Bytes of buffer that the file parts need, gaps included.
    pub(crate) buffer_len: usize,
    pub(crate) more: bool,
    /// Why the last of the file parts is copied, if there are any.
    pub(crate) why: Option<Why>,
}

impl Gather {
    /// The first bytes of `range` alone, which stands at the plan's cursor, for a route that gives it to `copy`.
    #[cfg(all(target_os = "linux", feature = "uring"))]
    pub(crate) fn of(plan: &SendPlan, range: &FileRange) -> Self {
        let at = place(0, range.offset());
        let range = range.part(0, plan.appetite().saturating_sub(at) as u64);
        let (buffer_len, more) = (at + range.len() as usize, plan.remaining() > range.len());
        Self { parts: smallvec::smallvec![Part::File { piece: 0, range, at }], buffer_len, more, why: None }
    }
}

/// Whether the route of a piece that the next call may reach hangs on what kind of socket it is: one that is to go the
/// kernel's own way where that encrypts.
pub(crate) fn depends_on_socket(plan: &SendPlan, policy: Policy) -> bool {
    let (pieces, _) = plan.ahead();
    pieces
        .iter()
        .take(PARTS_MAX + 1)
        .any(|piece| matches!(piece, Piece::File(range) if route::depends_on_socket(policy, range.len())))
}

/// Decides the next call: at most `budget` bytes (at least one).
pub(crate) fn next(plan: &SendPlan, policy: Policy, refused: RouteSet, budget: u64) -> Next {
    let (pieces, mut skip) = plan.ahead();
    let refused = refused.union(plan.refused());
    let mut gather = Gather::default();
    let mut left = budget.max(1);
    for (index, piece) in pieces.iter().enumerate() {
        if left == 0 || gather.parts.len() == PARTS_MAX {
            break;
        }
        match piece {
            Piece::Bytes(bytes) => {
                let start = skip as usize;
                let len = (bytes.len() - start).min(usize::try_from(left).unwrap_or(usize::MAX));
                gather.parts.push(Part::Memory { piece: index, skip: start, len });
                left -= len as u64;
            }
            Piece::File(range) => match route::choose(policy, plan.socket(), range.len(), refused) {
                (Route::Copy, why) => {
                    gather.why = Some(why);
                    let at = place(gather.buffer_len, range.offset() + skip);
                    let room = plan.appetite().saturating_sub(at) as u64;
                    let part = range.part(skip, left.min(room));
                    if part.is_empty() {
                        break;
                    }
                    let cut = part.len() < range.len() - skip;
                    gather.buffer_len = at + part.len() as usize;
                    left -= part.len();
                    gather.parts.push(Part::File { piece: index, range: part, at });
                    if cut {
                        break;
                    }
                }
                (route, why) if gather.parts.is_empty() => {
                    return Next::Range { route, why, range: range.part(skip, left) };
                }
                _ => break,
            },
            #[cfg(target_os = "linux")]
            Piece::Mapped(range) if gather.buffer_len == 0 => {
                let (skip, len) = (skip as usize, usize::try_from(left).unwrap_or(usize::MAX));
                return Next::Mapped { memory: gather.parts, part: range.part(skip, len) };
            }
            #[cfg(target_os = "linux")]
            Piece::Mapped(_) => break,
        }
        skip = 0;
    }
    if gather.parts.is_empty() {
        return Next::Nothing;
    }
    gather.more = plan.remaining() > budget.max(1) - left;
    Next::Gather(gather)
}

/// The first place from `free` on to which bytes of file position `offset` are copied at full speed.
fn place(free: usize, offset: u64) -> usize {
    let page = PAGE as u64;
    let distance = (free as u64).wrapping_sub(offset) % page;
    if (1..SLOW_DISTANCE).contains(&distance) { free + (SLOW_DISTANCE - distance) as usize } else { free }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;

    fn auto() -> Policy {
        Policy { forced: None, thresholds: crate::Thresholds::copy_up_to(100) }
    }
    const PLENTY: u64 = 1 << 30;

    fn range(offset: u64, len: u64) -> FileRange {
        FileRange::new(Arc::new(std::fs::File::open("/dev/null").expect("/dev/null")), offset, len)
    }

    fn gathered(next: Next) -> Gather {
        match next {
            Next::Gather(gather) => gather,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn small_files_join_their_headers_up_to_the_first_large_one() {
        let mut plan = SendPlan::new();
        for _ in 0..2 {
            plan.push_bytes(Bytes::from_static(b"header"));
            plan.push_file(range(0, 100));
        }
        plan.push_bytes(Bytes::from_static(b"header"));
        plan.push_file(range(0, 101));
        let first = gathered(next(&plan, auto(), RouteSet::default(), PLENTY));
        assert_eq!((first.parts.len(), first.more), (5, true));
        plan.advance(2 * 106 + 6);
        match next(&plan, auto(), RouteSet::default(), 50) {
            Next::Range { route: Route::Sendfile, why: Why::Large, range } => assert_eq!(range.len(), 50),
            other => panic!("{other:?}"),
        }
        plan.advance(101);
        assert!(matches!(next(&plan, auto(), RouteSet::default(), PLENTY), Next::Nothing));
    }

    #[test]
    fn more_is_said_exactly_when_something_follows() {
        let mut plan = SendPlan::new();
        plan.push_bytes(Bytes::from_static(b"0123456789"));
        assert!(!gathered(next(&plan, auto(), RouteSet::default(), 10)).more);
        assert!(gathered(next(&plan, auto(), RouteSet::default(), 9)).more);
        plan.advance(9);
        assert!(!gathered(next(&plan, auto(), RouteSet::default(), 9)).more);
    }

    #[test]
    fn a_long_copy_is_cut_at_the_buffer_and_many_pieces_at_the_part_limit() {
        let copy = Policy { forced: Some(Route::Copy), ..auto() };
        let mut plan = SendPlan::new();
        plan.push_file(range(0, 10 << 20));
        plan.push_bytes(Bytes::from_static(b"not before the rest of the file"));
        let cut = gathered(next(&plan, copy, RouteSet::default(), PLENTY));
        assert_eq!((cut.buffer_len, cut.parts.len(), cut.more), (plan.appetite(), 1, true));
        let mut plan = SendPlan::new();
        for _ in 0..=PARTS_MAX {
            plan.push_bytes(Bytes::from_static(b"x"));
        }
        let cut = gathered(next(&plan, auto(), RouteSet::default(), PLENTY));
        assert_eq!((cut.parts.len(), cut.more), (PARTS_MAX, true));
    }

    #[test]
    fn no_copy_lands_at_a_slow_distance() {
        for free in [0, 1, 4095, 4096, 5000] {
            for offset in (0..9000).chain([u64::MAX - 5]) {
                let at = place(free, offset);
                let distance = (at as u64).wrapping_sub(offset) % 4096;
                assert!(at >= free && at - free < 32 && !(1..32).contains(&distance));
            }
        }
    }
}
