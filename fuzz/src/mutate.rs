//! Seeded mutation, for runs without an engine: the usual ways bytes go wrong, reproducible from a number.

use pagewire_wire::testing::Rng;

/// Numbers that sit at the edges of lengths, counts and varints.
const EDGES: [&[u8]; 8] = [
    &[0x7f, 0xff, 0xff, 0xff],
    &[0xff, 0xff, 0xff, 0xff],
    &[0x80, 0x00, 0x00, 0x00],
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0x00, 0x00],
    &[0xff, 0xfe],
    &[0x80],
    &[0x01],
];
const LEN_MAX: usize = 1 << 16;

/// Damages `bytes` in one to four places.
pub fn mutate(bytes: &mut Vec<u8>, other: &[u8], rng: &mut Rng) {
    for _ in 0..=rng.below(4) {
        let at = rng.below(bytes.len() + 1);
        match rng.below(7) {
            0 => bytes.truncate(at),
            1 => flip(bytes, at, rng),
            2 => overwrite(bytes, at, EDGES.get(rng.below(EDGES.len())).copied().unwrap_or_default()),
            3 => {
                let len = rng.below(8);
                let new = rng.bytes(len);
                overwrite(bytes, at, &new);
            }
            4 => {
                let end = (at + rng.below(16)).min(bytes.len());
                drop(bytes.drain(at..end));
            }
            5 => {
                let len = rng.below(16);
                let new = rng.bytes(len);
                drop(bytes.splice(at..at, new));
            }
            _ => {
                let from = rng.below(other.len() + 1);
                let end = (from + rng.below(64)).min(other.len());
                drop(bytes.splice(at..at, other.get(from..end).unwrap_or_default().iter().copied()));
            }
        }
        bytes.truncate(LEN_MAX);
    }
}

fn flip(bytes: &mut [u8], at: usize, rng: &mut Rng) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << rng.below(8);
    }
}

fn overwrite(bytes: &mut [u8], at: usize, new: &[u8]) {
    bytes.iter_mut().skip(at).zip(new).for_each(|(byte, new)| *byte = *new);
}
