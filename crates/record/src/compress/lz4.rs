//! LZ4 frames.
//!
//! ```text
//! magic 04 22 4d 18 | flags | block size | [content size 8] | header check | block ... | 00 00 00 00 | [check 4]
//! block = length, little-endian, top bit: stored as it is | bytes | [check 4]
//! ```
//!
//! Java's clients read one frame, refuse blocks that lean on earlier ones, and fail on a frame without its end mark.
//! So such payloads are refused here, at the leader, instead of at every consumer; and frames written here have
//! independent blocks of 64 KiB without checksums, as Java writes them.

use std::io::{self, Write};

use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};

pub(super) type Reader<'a> = FrameDecoder<&'a [u8]>;
pub(super) type Writer<W> = FrameEncoder<W>;

const MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];
const VERSION_MASK: u8 = 0xc0;
const VERSION_1: u8 = 0x40;
const INDEPENDENT: u8 = 0x20;
const BLOCK_CHECK: u8 = 0x10;
const CONTENT_SIZE: u8 = 0x08;
const CONTENT_CHECK: u8 = 0x04;
const DICTIONARY: u8 = 0x01;
const STORED: u32 = 1 << 31;

pub(super) fn reader(payload: &[u8]) -> io::Result<Reader<'_>> {
    let frame = first_frame(payload)?;
    Ok(FrameDecoder::new(frame))
}

/// The bytes of the first frame, found by hopping over its blocks.
fn first_frame(payload: &[u8]) -> io::Result<&[u8]> {
    let broken = |reason: &'static str| io::Error::new(io::ErrorKind::InvalidData, reason);
    let cut = || broken("the frame ends too early");

    if payload.first_chunk() != Some(&MAGIC) {
        return Err(broken("not an LZ4 frame"));
    }
    let flags = *payload.get(4).ok_or_else(cut)?;
    if flags & VERSION_MASK != VERSION_1 {
        return Err(broken("not version 1 of the LZ4 frame format"));
    }
    if flags & INDEPENDENT == 0 {
        return Err(broken("blocks that depend on each other are not supported"));
    }
    if flags & DICTIONARY != 0 {
        return Err(broken("a dictionary is not supported"));
    }
    let per_block = if flags & BLOCK_CHECK == 0 { 0 } else { 4 };
    let mut at: usize = if flags & CONTENT_SIZE == 0 { 7 } else { 15 };
    loop {
        let length = payload.get(at..).and_then(<[u8]>::first_chunk).ok_or_else(cut)?;
        let length = u32::from_le_bytes(*length);
        at += 4;
        if length == 0 {
            break;
        }
        at = at.saturating_add((length & !STORED) as usize + per_block);
    }
    let end = at + if flags & CONTENT_CHECK == 0 { 0 } else { 4 };
    payload.get(..end).ok_or_else(cut)
}

pub(super) fn writer<W: Write>(out: W) -> Writer<W> {
    let frame = FrameInfo::new().block_size(BlockSize::Max64KB).block_mode(BlockMode::Independent);
    FrameEncoder::with_frame_info(frame, out)
}
