//! Lines over an axis, each point with the bar from its least to its largest sample.

use maud::{Markup, html};
use plotters::prelude::PathElement;
use plotters::style::Color;

use super::canvas::{self, Canvas};
use super::svg::{Words, wrap};
use super::{Axis, NARROW_PX, WIDE_PX, marker};
use crate::report::looks::Look;

const LEFT_PX: u32 = 60;
const NARROW_HEIGHT_PX: u32 = 400;
const WIDE_HEIGHT_PX: u32 = 460;
/// How far apart the marks of two lines are drawn where their values are equal, and at most altogether, in px.
const APART_PX: i32 = 2;
const APART_MAX_PX: i32 = 9;
/// Where a line has no bars: a marker so many px apart.
pub(super) const MARKER_EVERY_PX: i32 = 90;

/// A point of a line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::report) struct Point {
    /// Along the axis.
    pub(in crate::report) x: f64,
    /// The middle.
    pub(in crate::report) y: f64,
    /// Least and largest, where there is a spread.
    pub(in crate::report) bar: Option<(f64, f64)>,
}

/// One series.
#[derive(Debug, Clone)]
pub(in crate::report) struct Line {
    /// How it looks.
    pub(in crate::report) look: Look,
    /// Its points, from left to right.
    pub(in crate::report) points: Vec<Point>,
    /// Where bars are, at more places than the line has points.
    pub(in crate::report) bars: Vec<Point>,
}

/// Both drawings of a plot, for a desk and for a phone. `x` makes the axis for at most so many labels.
pub(in crate::report) fn lines(
    words: &Words,
    x: impl Fn(usize) -> Axis,
    y: &Axis,
    lines: &[Line],
) -> anyhow::Result<Markup> {
    twice(words, x, y, |canvas| {
        lines.iter().enumerate().try_for_each(|(at, line)| draw(canvas, line, shift(at, lines.len())))
    })
}

/// Draws the marks of a plot twice, for a desk and for a phone.
pub(super) fn twice(
    words: &Words,
    x: impl Fn(usize) -> Axis,
    y: &Axis,
    marks: impl Fn(&Canvas<'_, '_>) -> anyhow::Result<()>,
) -> anyhow::Result<Markup> {
    let drawing = |size: (u32, u32), labels: usize, suffix: &str| -> anyhow::Result<Markup> {
        let drawn = canvas::draw(size, LEFT_PX, (&x(labels), y), &marks)?;
        Ok(wrap(&drawn, size, &format!("{}-{suffix}", words.id), words))
    };
    let wide = drawing((WIDE_PX, WIDE_HEIGHT_PX), 12, "wide")?;
    let narrow = drawing((NARROW_PX, NARROW_HEIGHT_PX), 4, "narrow")?;
    Ok(html! { div.plot.wide { (wide) } div.plot.narrow { (narrow) } })
}

/// How far the marks of the line at this place are moved aside.
fn shift(at: usize, of: usize) -> i32 {
    let middle = of.saturating_sub(1) as i32;
    let apart = (2 * at as i32 - middle) * APART_PX / 2;
    if middle * APART_PX / 2 <= APART_MAX_PX { apart } else { apart * APART_MAX_PX / (middle * APART_PX / 2) }
}

fn draw(canvas: &Canvas<'_, '_>, line: &Line, shift: i32) -> anyhow::Result<()> {
    let colour = line.look.ink.drawn();
    let with_bars = line.points.iter().any(|point| point.bar.is_some());
    let aside = |(x, y): (i32, i32)| if with_bars { (x + shift, y) } else { (x, y) };
    let pixel = |x, y| canvas.pixel(x, y).map(aside);
    for point in line.points.iter().chain(&line.bars) {
        let Some((low, high)) = point.bar else { continue };
        if let (Some(low), Some(high)) = (pixel(point.x, low), pixel(point.x, high)) {
            canvas.area.draw(&PathElement::new(vec![low, high], colour.mix(0.45).stroke_width(4)))?;
        }
    }
    let path: Vec<_> = line.points.iter().filter_map(|point| pixel(point.x, point.y)).collect();
    let width = if line.look.is_reference() { 3 } else { 2 };
    canvas.area.draw(&PathElement::new(path.clone(), colour.stroke_width(width)))?;
    let mut last = None;
    for at in path {
        if with_bars || last.is_none_or(|last| at.0 - last >= MARKER_EVERY_PX) {
            marker::draw(canvas.area, at, line.look)?;
            last = Some(at.0);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::looks::Looks;

    fn line(points: &[(f64, f64)]) -> Line {
        let points = points.iter().map(|(x, y)| Point { x: *x, y: *y, bar: Some((*y, *y)) }).collect();
        Line { look: Looks::default().of("any"), points, bars: Vec::new() }
    }

    fn words() -> Words {
        Words { id: "p".into(), title: "<title>".into(), description: "how".into() }
    }

    #[test]
    fn lines_move_aside_around_their_middle_and_never_far() {
        assert_eq!(shift(0, 1), 0);
        assert_eq!([shift(0, 3), shift(1, 3), shift(2, 3)], [-2, 0, 2]);
        assert_eq!((shift(0, 100), shift(99, 100)), (-APART_MAX_PX, APART_MAX_PX));
    }

    #[test]
    fn a_plot_of_nothing_or_of_one_point_is_still_a_plot() {
        for points in [&[][..], &[(1024.0, 0.5)], &[(1024.0, 0.0), (2048.0, f64::NAN)]] {
            let y = Axis::log("CPU", points.iter().map(|point| point.1), 7);
            let sizes: Vec<u64> = points.iter().map(|point| point.0 as u64).collect();
            let page =
                lines(&words(), |labels| Axis::sizes("size", &sizes, labels), &y, &[line(points)]).unwrap();
            assert_eq!(page.0.matches("<svg").count(), 2);
            assert!(!page.0.contains("NaN"));
        }
    }

    #[test]
    fn what_readers_hear_is_escaped_and_ids_differ() {
        let y = Axis::from_zero("y", std::iter::empty());
        let page = lines(&words(), |_| Axis::from_zero("x", std::iter::empty()), &y, &[]).unwrap().0;
        assert!(page.contains("&lt;title&gt;") && !page.contains("<title>"));
        assert!(page.contains("id=\"p-wide-title\"") && page.contains("id=\"p-narrow-title\""));
    }
}
