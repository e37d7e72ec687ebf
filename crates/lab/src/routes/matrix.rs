//! What is measured: every combination of the dimensions that were asked for. Pure.

use std::time::Duration;

use crate::measure::Sample;
use crate::measure::sizing::{self, RESPONSES_MAX};
use crate::measure::way::Way;
use crate::measure::worker::protocol::Load;
use crate::record::{Link, Receiver, Residency};

/// What is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    /// Ways, in the order in which they are shown.
    pub ways: Vec<Way>,
    /// Bytes of a response.
    pub sizes: Vec<u64>,
    /// Where the file is.
    pub residencies: Vec<Residency>,
    /// What the peer does.
    pub receivers: Vec<Receiver>,
    /// What lies between.
    pub links: Vec<Link>,
    /// How often everything is measured, each time all of it, one after another.
    pub rounds: usize,
    /// How much each measurement sends.
    pub amount: Amount,
    /// Bytes of memory in front of each response, as a server's header.
    pub header_bytes: u64,
}

/// How much a measurement sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// As many responses as take so long of the sender's CPU, found by short measurements before the first round.
    Cpu {
        /// How long.
        each: Duration,
        /// The file's length, in bytes, unless one response is longer; one that is not cold is sent several times over.
        file_bytes: u64,
    },
    /// So many bytes, at least one response and at most some thousands.
    Bytes(u64),
}

/// Where time decides how much is sent, it is found in so many rounds, of which each says how much the next one sends:
/// this part of the whole, at last all of it. A measurement that is very short pays for beginnings, and says too
/// little.
pub(super) const SIZINGS: [u32; 2] = [4, 1];

/// A file takes at most this part of the memory: each link has one, and all of them are to stay in the page cache.
const MEMORY_PART: u64 = 16;

/// A little more than the 50 ms that are aimed at: what is found by short measurements is not exact.
const CPU_EACH: Duration = Duration::from_millis(60);
/// Fewer small responses than this tell more about the clock than about the way.
const RESPONSES_MIN_OF_SMALL: u64 = 64;
/// Responses below this size are small.
const SMALL_BYTES: u64 = 256 << 10;

/// What a server puts in front of a file's bytes: about as much as a Kafka fetch response of one partition.
pub const HEADER_BYTES: u64 = 60;

impl Default for Matrix {
    /// All of it.
    fn default() -> Self {
        Self {
            ways: Way::all(),
            sizes: [0, 2, 3, 4, 6, 8, 10, 12, 14, 16].map(|shift| 1024 << shift).to_vec(),
            residencies: vec![Residency::Hot, Residency::Cold],
            receivers: vec![Receiver::Drain, Receiver::Read],
            links: vec![Link::Loopback, Link::Veth, Link::VethNosg],
            rounds: 9,
            amount: Amount::Cpu { each: CPU_EACH, file_bytes: 256 << 20 },
            header_bytes: HEADER_BYTES,
        }
    }
}

impl Matrix {
    /// As much of it as is done in well under a minute and still answers the question.
    pub fn quick() -> Self {
        Self {
            sizes: [0, 2, 4, 6, 8, 10].map(|shift| 1024 << shift).to_vec(),
            residencies: vec![Residency::Hot],
            receivers: vec![Receiver::Drain],
            links: vec![Link::Loopback],
            rounds: 5,
            // Not cold, so it is sent as often as need be; and it takes a slow disk no long time to have it.
            amount: Amount::Cpu { each: CPU_EACH, file_bytes: 64 << 20 },
            ..Self::default()
        }
    }

    /// Everything to measure over `link`, in the order in which it is shown.
    pub fn settings(&self, link: Link) -> Vec<Setting> {
        self.settings_of_round(link, 0)
    }

    /// The same in the order of a round: each begins with another way, so that none always comes after the same one.
    pub fn settings_of_round(&self, link: Link, round: usize) -> Vec<Setting> {
        let (before, from) = self.ways.split_at(round.checked_rem(self.ways.len()).unwrap_or(0));
        let mut settings = Vec::new();
        for &receiver in &self.receivers {
            for &residency in &self.residencies {
                for &bytes in &self.sizes {
                    let of = |way: &Way| Setting { way: *way, bytes, residency, receiver, link };
                    settings.extend(from.iter().chain(before).map(of));
                }
            }
        }
        settings
    }

    /// The same on a machine of so much memory, in bytes: where it is small, with a shorter file.
    #[must_use]
    pub(super) fn within(self, memory_bytes: u64) -> Self {
        let amount = match self.amount {
            Amount::Cpu { each, file_bytes } => {
                Amount::Cpu { each, file_bytes: file_bytes.min(memory_bytes / MEMORY_PART) }
            }
            bytes @ Amount::Bytes(_) => bytes,
        };
        Self { amount, ..self }
    }

    /// The file's length in bytes.
    pub fn file_bytes(&self) -> u64 {
        let longest = self.sizes.iter().copied().max().unwrap_or(0);
        match self.amount {
            Amount::Cpu { file_bytes, .. } => file_bytes.max(longest),
            // A cold measurement never reads a byte twice.
            Amount::Bytes(all) => {
                let of_all = self.sizes.iter().map(|&bytes| bytes * responses(all, bytes));
                of_all.max().unwrap_or(0)
            }
        }
    }

    /// The load of the first measurement; where time decides, a short one by which that is found.
    pub(super) fn first_load(&self, setting: Setting) -> Load {
        let (bytes, header_bytes) = (setting.bytes, self.header_bytes);
        match self.amount {
            Amount::Cpu { .. } => sizing::probe(bytes, header_bytes, self.once(setting)),
            Amount::Bytes(all) => Load { bytes, header_bytes, responses: responses(all, bytes) },
        }
    }

    /// The load of the next round, from a measurement: this part of the whole.
    pub(super) fn load(&self, setting: Setting, measured: &Sample, part: u32) -> Load {
        match self.amount {
            Amount::Cpu { each, .. } => sizing::sized(measured, each / part.max(1), self.once(setting)),
            Amount::Bytes(_) => measured.load,
        }
    }

    /// The file's length where no byte of it may be read twice.
    fn once(&self, setting: Setting) -> Option<u64> {
        (setting.residency == Residency::Cold).then(|| self.file_bytes())
    }

    /// Measurements over one link in all, those included by which it is found how much the others send.
    pub fn steps(&self) -> u64 {
        let of_a_round = self.ways.len() * self.sizes.len() * self.residencies.len() * self.receivers.len();
        let before = match self.amount {
            Amount::Cpu { .. } => SIZINGS.len(),
            Amount::Bytes(_) => 0,
        };
        of_a_round.saturating_mul(self.rounds.saturating_add(before)) as u64
    }
}

/// How many responses of this size are so many bytes.
fn responses(all: u64, bytes: u64) -> u64 {
    let least = if bytes < SMALL_BYTES { RESPONSES_MIN_OF_SMALL } else { 1 };
    (all / bytes.max(1)).clamp(least, RESPONSES_MAX)
}

/// A cell of the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Setting {
    /// The way.
    pub way: Way,
    /// Bytes of a response.
    pub bytes: u64,
    /// Where the file is.
    pub residency: Residency,
    /// What the peer does.
    pub receiver: Receiver,
    /// What lies between.
    pub link: Link,
}

impl Setting {
    /// The cell of another way in the same setting.
    #[must_use]
    pub fn by(self, way: Way) -> Self {
        Self { way, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::testing::sample;

    #[test]
    fn every_combination_is_there_once() {
        let matrix = Matrix { sizes: vec![1024, 4096], ..Matrix::default() };
        let mut all: Vec<Setting> = matrix.links.iter().flat_map(|&link| matrix.settings(link)).collect();
        let count = all.len();
        assert_eq!(
            (count * (matrix.rounds + SIZINGS.len())) as u64,
            matrix.steps() * matrix.links.len() as u64
        );
        all.sort_by_key(|setting| format!("{setting:?}"));
        all.dedup();
        assert_eq!((all.len(), count), (count, matrix.ways.len() * 2 * 2 * 2 * 3));
    }

    #[test]
    fn each_round_begins_with_another_way_and_has_all_of_them() {
        let matrix = Matrix { sizes: vec![1024], residencies: vec![Residency::Hot], ..Matrix::default() };
        let firsts = (0..=matrix.ways.len()).map(|round| {
            let settings = matrix.settings_of_round(Link::Loopback, round);
            let all = matrix.settings(Link::Loopback);
            assert!(settings.len() == all.len() && all.iter().all(|setting| settings.contains(setting)));
            settings.first().unwrap().way
        });
        let firsts: Vec<Way> = firsts.collect();
        assert_eq!(firsts.first(), firsts.last());
        assert_eq!(firsts.get(..matrix.ways.len()), Some(matrix.ways.as_slice()));
        let none = Matrix { ways: Vec::new(), ..matrix };
        assert!(none.settings_of_round(Link::Loopback, 3).is_empty());
    }

    #[test]
    fn a_measurement_by_bytes_is_neither_one_small_response_nor_endless() {
        assert_eq!(responses(1 << 20, 1), RESPONSES_MAX);
        assert_eq!(responses(1 << 20, 128 << 10), 64);
        assert_eq!((responses(1 << 20, 1 << 20), responses(1 << 20, 64 << 20)), (1, 1));
        let matrix = Matrix { amount: Amount::Bytes(1 << 20), ..Matrix::default() };
        assert_eq!(matrix.file_bytes(), 64 << 20);
    }

    #[test]
    fn a_small_machine_has_a_shorter_file_and_what_was_asked_for_stays() {
        let matrix = Matrix { sizes: vec![1024], ..Matrix::default() };
        assert_eq!(matrix.clone().within(64 << 30).file_bytes(), 256 << 20);
        assert_eq!(matrix.clone().within(1 << 30).file_bytes(), 64 << 20);
        assert_eq!(matrix.clone().within(0).file_bytes(), 1024, "one response at least");
        let asked = Matrix { amount: Amount::Bytes(1 << 20), ..matrix };
        assert_eq!(asked.clone().within(0), asked);
    }

    #[test]
    fn a_measurement_by_time_is_as_long_as_a_short_one_says_and_of_a_cold_file_once_over() {
        let matrix =
            Matrix { amount: Amount::Cpu { each: CPU_EACH, file_bytes: 1 << 20 }, ..Matrix::default() };
        assert_eq!(matrix.file_bytes(), 64 << 20, "one of the longest");
        let hot = matrix.settings(Link::Loopback).remove(0);
        let cold = Setting { bytes: 64 << 20, residency: Residency::Cold, ..hot };
        for (setting, responses) in [(hot, 60_000), (cold, 1)] {
            let mut first = sample(setting.bytes);
            first.load = matrix.first_load(setting);
            first.sent.usage.cpu_ns = 1000 * first.load.responses;
            assert_eq!(matrix.load(setting, &first, 1).responses, responses, "{setting:?}");
            assert_eq!(matrix.load(setting, &first, 4).responses, responses.div_ceil(4), "{setting:?}");
        }
    }
}
