//! `[size of the pieces u8][stream]`: the receiver against a plain splitter that sees the stream at once.

use pagewire_zcopy::{BufferPool, PoolOptions, Receiver};

use crate::input::Input;

const FRAME_MAX: usize = 4096;

pub(super) fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let piece = usize::from(input.u8()) + 1;
    let mut stream = input.rest();
    let (expected, broken) = split(stream);

    let mut receiver = Receiver::new(BufferPool::new(PoolOptions::default()));
    let mut frames = Vec::new();
    loop {
        match receiver.frame(FRAME_MAX) {
            Ok(Some(frame)) => frames.push(frame),
            Err(_) => {
                assert!(broken, "a frame was refused that is fine");
                break;
            }
            Ok(None) if stream.is_empty() => break,
            Ok(None) => {
                let now = stream.get(..piece.min(stream.len())).unwrap_or_default();
                let read = receiver.fill_from(now).expect("memory reads");
                assert!(read > 0, "no room for a frame that is allowed");
                stream = stream.get(read..).unwrap_or_default();
            }
        }
    }
    assert!(frames.iter().map(|frame| &frame[..]).eq(expected), "other frames than the plain splitter");
}

/// The frames of a whole stream, and whether it ends in a length that is not allowed.
fn split(mut stream: &[u8]) -> (Vec<&[u8]>, bool) {
    let mut frames = Vec::new();
    while let Some((prefix, rest)) = stream.split_first_chunk::<4>() {
        let Some(len) = usize::try_from(i32::from_be_bytes(*prefix)).ok().filter(|len| *len <= FRAME_MAX)
        else {
            return (frames, true);
        };
        let Some((frame, rest)) = rest.split_at_checked(len) else { break };
        frames.push(frame);
        stream = rest;
    }
    (frames, false)
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let frame = |len: usize| [&(len as u32).to_be_bytes()[..], &vec![7; len]].concat();
    [1usize, 7, 64, 255]
        .into_iter()
        .map(|piece| [vec![piece as u8], frame(3), frame(0), frame(600), frame(4096), frame(17)].concat())
        .collect()
}
