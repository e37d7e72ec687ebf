//! A rate over time, in steps: how high it was on the mean of each, and between what it lay.
//!
//! ```text
//!          :::::
//!     _____:   :____      line: the mean of a step
//!          :___:          dots: from its least to its largest value
//!          :...:
//! ```

use maud::Markup;
use plotters::prelude::{PathElement, Polygon};
use plotters::style::Color;

use super::canvas::Canvas;
use super::lines::{MARKER_EVERY_PX, twice};
use super::svg::Words;
use super::{Axis, marker};
use crate::report::looks::Look;
use crate::spread::Spread;

/// How much of its colour the ground between least and largest has.
const GROUND: f64 = 0.25;

/// One step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::report) struct Step {
    /// Where it begins and ends along the axis.
    pub(in crate::report) reach: (f64, f64),
    /// Least, mean and largest of it.
    pub(in crate::report) value: Spread,
}

/// One series.
#[derive(Debug, Clone)]
pub(in crate::report) struct Steps {
    /// How it looks.
    pub(in crate::report) look: Look,
    /// From left to right, each where the one before ends.
    pub(in crate::report) steps: Vec<Step>,
}

/// Both drawings of a plot, for a desk and for a phone. `x` makes the axis for at most so many labels.
pub(in crate::report) fn steps(
    words: &Words,
    x: impl Fn(usize) -> Axis,
    y: &Axis,
    series: &[Steps],
) -> anyhow::Result<Markup> {
    twice(words, x, y, |canvas| {
        series.iter().try_for_each(|series| ground(canvas, series))?;
        series.iter().try_for_each(|series| means(canvas, series))
    })
}

/// The pixels along the tops of all steps, by this height of theirs.
fn along(canvas: &Canvas<'_, '_>, series: &Steps, height: fn(Spread) -> f64) -> Vec<(i32, i32)> {
    let corners = |step: &Step| {
        let at = height(step.value);
        [canvas.pixel(step.reach.0, at), canvas.pixel(step.reach.1, at)]
    };
    series.steps.iter().flat_map(corners).flatten().collect()
}

fn ground(canvas: &Canvas<'_, '_>, series: &Steps) -> anyhow::Result<()> {
    if series.steps.iter().all(|step| step.value.min >= step.value.max) {
        return Ok(());
    }
    let mut around = along(canvas, series, |value| value.max);
    around.extend(along(canvas, series, |value| value.min).into_iter().rev());
    Ok(canvas.area.draw(&Polygon::new(around, series.look.ink.drawn().mix(GROUND)))?)
}

fn means(canvas: &Canvas<'_, '_>, series: &Steps) -> anyhow::Result<()> {
    let path = along(canvas, series, |value| value.median);
    let stroke = series.look.ink.drawn().stroke_width(2);
    canvas.area.draw(&PathElement::new(path.clone(), stroke))?;
    let mut last = None;
    for at in path {
        if last.is_none_or(|last| at.0 - last >= MARKER_EVERY_PX) {
            marker::draw(canvas.area, at, series.look)?;
            last = Some(at.0);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::looks::Looks;

    fn drawn(values: &[[f64; 3]]) -> String {
        let step = |(at, [min, median, max]): (usize, &[f64; 3])| {
            let value = Spread { min: *min, median: *median, max: *max };
            Step { reach: (at as f64, at as f64 + 1.0), value }
        };
        let all = values.iter().enumerate().map(step).collect();
        let words = Words { id: "s".into(), title: String::new(), description: String::new() };
        let y = Axis::from_zero("MB/s", values.iter().map(|value| value[2]));
        let x = |_| Axis::from_zero("s", [values.len() as f64].into_iter());
        steps(&words, x, &y, &[Steps { look: Looks::default().of("any"), steps: all }]).unwrap().0
    }

    #[test]
    fn what_lies_between_least_and_largest_is_ground_and_without_it_there_is_none() {
        let grounds = |page: &str| page.matches("<polygon").count();
        let plain = drawn(&[[4.0; 3], [5.0; 3]]);
        // One for each of the two drawings.
        assert_eq!(grounds(&drawn(&[[4.0; 3], [0.0, 4.0, 5.0]])), grounds(&plain) + 2);
    }

    #[test]
    fn a_plot_of_nothing_and_one_of_what_is_no_number_is_still_a_plot() {
        for values in [&[][..], &[[f64::NAN; 3]], &[[0.0; 3]]] {
            let page = drawn(values);
            assert_eq!(page.matches("<svg").count(), 2);
            assert!(!page.contains("NaN"), "{page}");
        }
    }
}
