//! How a series looks: a colour and a marker, the same in every plot of the page.

use std::collections::HashMap;

use super::plot::marker::Marker;
use super::theme::{Ink, SERIES};

/// A colour and a marker. The markers are as many as to differ where colours come round again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    /// The colour.
    pub(super) ink: Ink,
    /// The marker.
    pub(super) marker: Marker,
}

impl Look {
    /// Whether this is the look of what others are compared with.
    pub(super) fn is_reference(self) -> bool {
        let [reference, ..] = SERIES;
        self.ink == reference
    }
}

/// For two marks in a row that are not series: the one the plot is about, and what it is held against.
pub(super) const PAIR: [Look; 2] = {
    let [_, first, second, ..] = SERIES;
    [Look { ink: first, marker: Marker::Disc }, Look { ink: second, marker: Marker::Ring }]
};

/// Looks by name.
#[derive(Debug, Default)]
pub(super) struct Looks {
    by_name: HashMap<String, Look>,
}

impl Looks {
    /// For these names. `reference` is what others are compared with and gets the colour of text; the others get theirs
    /// in alphabetical order, so that the same names look the same in every report.
    pub(super) fn new<'a>(names: impl IntoIterator<Item = &'a str>, reference: Option<&str>) -> Self {
        let mut sorted: Vec<&str> = names.into_iter().collect();
        sorted.sort_unstable();
        sorted.dedup();
        let mut place = 0;
        let mut by_name = HashMap::with_capacity(sorted.len());
        for name in sorted {
            let at = if Some(name) == reference {
                0
            } else {
                place += 1;
                place
            };
            by_name.insert(name.to_owned(), Self::at(at));
        }
        Self { by_name }
    }

    /// Of this name.
    pub(super) fn of(&self, name: &str) -> Look {
        self.by_name.get(name).copied().unwrap_or_else(|| Self::at(0))
    }

    /// The first is the reference's alone.
    fn at(place: usize) -> Look {
        let [reference, others @ ..] = &SERIES;
        let ink = place.checked_sub(1).and_then(|at| others.get(at % others.len())).unwrap_or(reference);
        Look { ink: *ink, marker: Marker::at(place) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_of_twelve_series_share_a_marker_nor_does_any_look_like_the_reference() {
        let names: Vec<String> = (0..12).map(|at| format!("route-{at:02}")).collect();
        let looks = Looks::new(names.iter().map(String::as_str), Some("route-05"));
        let reference = looks.of("route-05");
        for (at, name) in names.iter().enumerate() {
            for other in names.iter().skip(at + 1) {
                assert_ne!(looks.of(name).marker, looks.of(other).marker, "{name} {other}");
            }
            assert_eq!(looks.of(name).ink == reference.ink, name == "route-05");
        }
    }

    #[test]
    fn a_look_depends_on_the_names_and_not_on_their_order() {
        let (one, other) = (Looks::new(["b", "a"], None), Looks::new(["a", "b", "a"], None));
        assert_eq!((one.of("a"), one.of("b")), (other.of("a"), other.of("b")));
    }
}
