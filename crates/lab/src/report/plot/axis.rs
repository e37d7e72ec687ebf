//! Axes: where a value lies, and which values are named.
//!
//! The plots are drawn in *places*: an axis turns a value into one (its logarithm, itself, the nines of a percentile)
//! and says which places carry a label. What has no place (zero on a logarithmic axis, what is not finite) is not
//! drawn; the table beside the plot has it.

use crate::report::number::{size, tick};

/// How values become places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scale {
    Linear,
    /// Of base 10.
    Log,
    /// A percentile from 0 to 100, by how many nines it has: 90 lies at 1, 99 at 2.
    Nines,
}

/// One axis.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::report) struct Axis {
    /// What is shown, with its unit and `log` where it is.
    pub(in crate::report) name: String,
    scale: Scale,
    /// Least and largest place.
    pub(super) from: f64,
    pub(super) to: f64,
    /// Places with a label.
    pub(super) ticks: Vec<(f64, String)>,
}

/// At most so many labels on a linear axis.
const TICKS_MAX: usize = 7;
/// A percentile of 100 has no end of nines: it is drawn this far behind the last that has.
const BEHIND_LAST: f64 = 0.6;

impl Axis {
    /// Logarithmic, from the least to the largest of these.
    pub(in crate::report) fn log(name: &str, values: impl Iterator<Item = f64>, labels_max: usize) -> Self {
        let (least, largest) = ends(values.filter(|value| *value > 0.0)).unwrap_or((1.0, 10.0));
        let (mut from, mut to) = (least.log10(), largest.log10());
        let room = ((to - from) * 0.06).max(0.05);
        (from, to) = (from - room, to + room);
        // Three labels in a decade, where there is room for them.
        let steps: &[f64] = if 3.0 * (to - from) > labels_max as f64 { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let mut ticks = Vec::new();
        for decade in from.floor() as i32..=to.ceil() as i32 {
            for step in steps {
                let value = step * 10f64.powi(decade);
                ticks.push((value.log10(), tick(value)));
            }
        }
        ticks.retain(|(place, _)| (from..=to).contains(place));
        if ticks.len() < 2 {
            ticks = [least, largest].map(|value| (value.log10(), tick(value))).to_vec();
            ticks.dedup();
        }
        Self { name: format!("{name} (log)"), scale: Scale::Log, from, to, ticks: thin(ticks, labels_max) }
    }

    /// Sizes in bytes, logarithmic, each of them named as far as there is room.
    pub(in crate::report) fn sizes(name: &str, sizes: &[u64], labels_max: usize) -> Self {
        let places: Vec<f64> =
            sizes.iter().filter(|bytes| **bytes > 0).map(|bytes| (*bytes as f64).log10()).collect();
        let (from, to) = ends(places.iter().copied()).unwrap_or((0.0, 1.0));
        let room = ((to - from) * 0.05).max(0.1);
        let apart = (to - from) / labels_max.max(1) as f64;
        let mut ticks: Vec<(f64, String)> = Vec::new();
        let mut named = sizes.to_vec();
        named.sort_unstable();
        for bytes in named.into_iter().filter(|bytes| *bytes > 0) {
            let place = (bytes as f64).log10();
            if ticks.last().is_none_or(|(last, _)| place - last >= apart * 0.95) {
                ticks.push((place, size(bytes)));
            }
        }
        Self { name: format!("{name} (log)"), scale: Scale::Log, from: from - room, to: to + room, ticks }
    }

    /// Linear, from zero, to the largest of these.
    pub(in crate::report) fn from_zero(name: &str, values: impl Iterator<Item = f64>) -> Self {
        let largest = ends(values).map_or(1.0, |(_, largest)| largest).max(f64::MIN_POSITIVE);
        let step = round_step(largest / 4.0);
        let to = (largest * 1.04).max(step);
        let ticks = (0..=TICKS_MAX)
            .map(|at| at as f64 * step)
            .take_while(|value| *value <= to)
            .map(|value| (value, tick(value)))
            .collect();
        Self { name: name.to_owned(), scale: Scale::Linear, from: 0.0, to, ticks }
    }

    /// Shares from 0 to 1, as per cent.
    pub(in crate::report) fn shares(name: &str) -> Self {
        let ticks = [0.0, 0.5, 1.0].map(|share| (share, format!("{} %", share * 100.0))).to_vec();
        Self { name: name.to_owned(), scale: Scale::Linear, from: -0.04, to: 1.04, ticks }
    }

    /// Whole numbers from 0 to this.
    pub(in crate::report) fn counts(name: &str, largest: u8) -> Self {
        let ticks = (0..=largest).map(|count| (f64::from(count), count.to_string())).collect();
        let to = f64::from(largest.max(1)) + 0.15;
        Self { name: name.to_owned(), scale: Scale::Linear, from: -0.15, to, ticks }
    }

    /// Percentiles, by their nines.
    pub(in crate::report) fn percentiles(name: &str, percentiles: impl Iterator<Item = f64>) -> Self {
        const NAMED: [f64; 7] = [50.0, 90.0, 99.0, 99.9, 99.99, 99.999, 99.9999];
        let last = ends(percentiles.filter_map(nines)).map_or(2.0, |(_, last)| last).max(1.0);
        let mut ticks: Vec<(f64, String)> = NAMED
            .iter()
            .filter_map(|named| Some((nines(*named)?, named.to_string())))
            .filter(|(place, _)| *place <= last + 0.01)
            .collect();
        ticks.push((last + BEHIND_LAST, "max".to_owned()));
        Self { name: name.to_owned(), scale: Scale::Nines, from: 0.0, to: last + BEHIND_LAST + 0.1, ticks }
    }

    /// Rows under each other, the first on top.
    pub(super) fn rows(names: &[String]) -> Self {
        let count = names.len() as f64;
        let ticks =
            names.iter().enumerate().map(|(at, name)| (count - at as f64 - 0.5, name.clone())).collect();
        Self { name: String::new(), scale: Scale::Linear, from: 0.0, to: count, ticks }
    }

    /// Where a value lies, if it has a place.
    pub(super) fn place(&self, value: f64) -> Option<f64> {
        let place = match self.scale {
            Scale::Linear => value,
            Scale::Log => (value > 0.0).then(|| value.log10())?,
            Scale::Nines if value >= 100.0 => self.to - 0.1,
            Scale::Nines => nines(value)?,
        };
        place.is_finite().then(|| place.clamp(self.from, self.to))
    }

    /// The label of a place.
    pub(super) fn label(&self, place: f64) -> String {
        let near = |tick: &&(f64, String)| (tick.0 - place).abs() < 1e-6;
        self.ticks.iter().find(near).map(|(_, label)| label.clone()).unwrap_or_default()
    }
}

/// Least and largest of what is finite.
fn ends(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.filter(|value| value.is_finite()).fold(None, |ends, value| {
        let (least, largest) = ends.unwrap_or((value, value));
        Some((value.min(least), value.max(largest)))
    })
}

fn nines(percentile: f64) -> Option<f64> {
    (0.0..100.0).contains(&percentile).then(|| -((100.0 - percentile) / 100.0).log10())
}

/// The next of 1, 2, 2.5, 5 times a power of ten.
fn round_step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    [1.0, 2.0, 2.5, 5.0]
        .map(|step| step * power)
        .into_iter()
        .find(|step| *step >= least * 0.999)
        .unwrap_or(10.0 * power)
}

/// Every second one, until they are few enough.
fn thin(mut ticks: Vec<(f64, String)>, most: usize) -> Vec<(f64, String)> {
    while ticks.len() > most.max(2) {
        ticks = ticks.into_iter().step_by(2).collect();
    }
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn a_logarithmic_axis_says_so_and_names_round_values() {
        let axis = Axis::log("CPU", [0.12, 3.4].into_iter(), 7);
        assert_eq!(axis.name, "CPU (log)");
        assert_eq!(labels(&axis), ["0.1", "0.2", "0.5", "1", "2"]);
        assert_eq!(labels(&Axis::log("us", [3.0, 40_000.0].into_iter(), 7)), ["10", "100", "1000", "10k"]);
    }

    #[test]
    fn what_has_no_logarithm_has_no_place() {
        let axis = Axis::log("CPU", [0.0, 1.0, 10.0, f64::NAN].into_iter(), 7);
        assert_eq!([0.0, -1.0, f64::NAN, f64::INFINITY].map(|value| axis.place(value)), [None; 4]);
        assert!(axis.place(1.0).is_some_and(|place| place.abs() < 1e-9));
    }

    #[test]
    fn one_value_still_has_an_axis_around_it() {
        for axis in [
            Axis::log("a", [5.0].into_iter(), 7),
            Axis::sizes("b", &[1024], 6),
            Axis::log("c", std::iter::empty(), 7),
        ] {
            assert!(axis.to > axis.from && !axis.ticks.is_empty(), "{axis:?}");
        }
        assert!(Axis::from_zero("d", [0.0].into_iter()).to > 0.0);
    }

    #[test]
    fn sizes_are_named_as_far_as_there_is_room() {
        let sizes: Vec<u64> = (10..=26).step_by(2).map(|power| 1 << power).collect();
        assert_eq!(
            labels(&Axis::sizes("size", &sizes, 4)),
            ["1\u{a0}KiB", "16\u{a0}KiB", "256\u{a0}KiB", "4\u{a0}MiB", "64\u{a0}MiB"]
        );
        assert_eq!(Axis::sizes("size", &sizes, 20).ticks.len(), sizes.len());
    }

    #[test]
    fn percentiles_lie_by_their_nines_and_the_largest_behind_them() {
        let axis = Axis::percentiles("percentile", [0.0, 50.0, 99.0, 99.9, 100.0].into_iter());
        assert_eq!(labels(&axis), ["50", "90", "99", "99.9", "max"]);
        let places = [0.0, 90.0, 99.0, 99.9, 100.0].map(|value| axis.place(value).unwrap());
        assert!(places.is_sorted() && (places[1] - 1.0).abs() < 1e-9 && (places[2] - 2.0).abs() < 1e-9);
    }

    #[test]
    fn a_linear_axis_begins_at_zero() {
        let axis = Axis::from_zero("MB/s", [1900.0, 5100.0].into_iter());
        assert_eq!(labels(&axis), ["0", "2000", "4000"]);
    }

    #[test]
    fn a_linear_axis_has_labels_wherever_its_end_is() {
        for tenths in 10..=100 {
            let axis = Axis::from_zero("MB/s", [f64::from(tenths) / 10.0].into_iter());
            assert!((3..=6).contains(&axis.ticks.len()), "{tenths}: {:?}", labels(&axis));
        }
    }
}
