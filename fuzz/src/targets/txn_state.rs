//! `[key as a chunk][value]`: a record of `__transaction_state` in the directory of a Kafka that is taken over.

use pagewire_takeover::fuzzing::transaction_state;

use crate::input::{Input, chunk};

pub(super) fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let key = input.chunk();
    transaction_state(key, input.rest());
}

const KEY: &[u8] = b"\0\0\0\x03pay";

/// Producer 7, epoch 3, a minute, and the status.
fn begin(version: u8, status: u8) -> Vec<u8> {
    let head =
        [&[0, version][..], &7i64.to_be_bytes(), &3i16.to_be_bytes(), &60_000i32.to_be_bytes()].concat();
    [head, vec![status]].concat()
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let times = [1_700_000_000_000i64, 1_699_999_999_000].map(i64::to_be_bytes).concat();
    let partitions = b"\0\0\0\x01\0\x06orders\0\0\0\x02\0\0\0\0\0\0\0\x02".to_vec();
    let compact = b"\x02\x07orders\x03\0\0\0\0\0\0\0\x02\0".to_vec();
    let tags = [&[3, 0, 8][..], &6i64.to_be_bytes(), &[1, 8], &8i64.to_be_bytes(), &[2, 2, 0, 2]].concat();
    let values = [
        [begin(0, 1), partitions, times.clone()].concat(),
        [begin(0, 4), vec![0xff; 4], times.clone()].concat(),
        [begin(1, 2), compact.clone(), times.clone(), vec![0]].concat(),
        [begin(1, 7), compact, times, tags].concat(),
    ];
    values.map(|value| [chunk(KEY), value].concat()).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_are_records() {
        for seed in seeds() {
            let mut input = Input::new(&seed);
            assert!(transaction_state(input.chunk(), input.rest()), "{seed:02x?}");
        }
    }
}
