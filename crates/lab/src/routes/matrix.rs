//! What is measured: every combination of the dimensions that were asked for. Pure.

use crate::measure::way::Way;
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
    /// Bytes that each measurement sends, at least one response and at most some thousands.
    pub bytes_per_run: u64,
    /// Bytes of memory in front of each response, as a server's header.
    pub header_bytes: u64,
}

/// So many responses are enough for a measurement, however small they are.
pub(super) const RESPONSES_MAX: u64 = 8192;
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
            rounds: 5,
            bytes_per_run: 32 << 20,
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
            rounds: 3,
            bytes_per_run: 16 << 20,
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

    /// How many responses a measurement of this size sends.
    pub fn responses(&self, bytes: u64) -> u64 {
        let least = if bytes < SMALL_BYTES { RESPONSES_MIN_OF_SMALL } else { 1 };
        (self.bytes_per_run / bytes.max(1)).clamp(least, RESPONSES_MAX)
    }

    /// The file's length: a cold measurement never reads a byte twice.
    pub fn file_bytes(&self) -> u64 {
        self.sizes.iter().map(|&bytes| bytes * self.responses(bytes)).max().unwrap_or(0)
    }

    /// Measurements in all, over so many links.
    pub fn steps(&self, links: usize) -> u64 {
        let in_a_round = self.ways.len() * self.sizes.len() * self.residencies.len() * self.receivers.len();
        (in_a_round * links * self.rounds) as u64
    }
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

    #[test]
    fn every_combination_is_there_once() {
        let matrix = Matrix { sizes: vec![1024, 4096], ..Matrix::default() };
        let mut all: Vec<Setting> = matrix.links.iter().flat_map(|&link| matrix.settings(link)).collect();
        let count = all.len();
        assert_eq!(count as u64 * matrix.rounds as u64, matrix.steps(matrix.links.len()));
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
    fn a_measurement_is_neither_one_small_response_nor_endless() {
        let matrix = Matrix { bytes_per_run: 1 << 20, ..Matrix::default() };
        assert_eq!(matrix.responses(1), RESPONSES_MAX);
        assert_eq!(matrix.responses(128 << 10), 64);
        assert_eq!(matrix.responses(1 << 20), 1);
        assert_eq!(matrix.responses(64 << 20), 1);
        assert_eq!(matrix.file_bytes(), 64 << 20);
    }
}
