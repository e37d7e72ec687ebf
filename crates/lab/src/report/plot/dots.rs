//! Dots in named rows, each with the bar from its least to its largest sample: a few of these panels stand side by
//! side.

use maud::{Markup, html};
use plotters::prelude::PathElement;
use plotters::style::Color;

use super::canvas::{self, Canvas};
use super::svg::{Words, alone, wrap};
use super::{Axis, NARROW_PX, marker};
use crate::report::looks::Look;

const ROW_PX: u32 = 30;
/// What is above and below the rows, in px.
const AROUND_PX: u32 = 60;
/// Width of a character, about, in px.
const CHARACTER_PX: u32 = 8;
/// Longer names are cut in the plot; the table has them whole.
const NAME_CHARACTERS_MAX: usize = 17;

/// A dot.
#[derive(Debug, Clone, Copy)]
pub(in crate::report) struct Mark {
    /// How it looks.
    pub(in crate::report) look: Look,
    /// Where it is.
    pub(in crate::report) at: f64,
    /// Least and largest, where there is a spread.
    pub(in crate::report) bar: Option<(f64, f64)>,
}

/// A row.
#[derive(Debug, Clone)]
pub(in crate::report) struct DotRow {
    /// Its name.
    pub(in crate::report) name: String,
    /// Its dots, drawn one above the other.
    pub(in crate::report) marks: Vec<Mark>,
}

/// Rows over one axis.
#[derive(Debug, Clone)]
pub(in crate::report) struct Panel {
    /// What is shown.
    pub(in crate::report) axis: Axis,
    /// The rows, from above.
    pub(in crate::report) rows: Vec<DotRow>,
}

/// Draws a panel: one drawing for phones and desks.
pub(in crate::report) fn dots(words: &Words, panel: &Panel) -> anyhow::Result<Markup> {
    let (drawn, size) = drawing(panel)?;
    Ok(html! { div.plot.panel { (wrap(&drawn, size, &words.id, words)) } })
}

/// The same by itself, a file of SVG.
pub(in crate::report) fn dots_alone(words: &Words, panel: &Panel) -> anyhow::Result<String> {
    let (drawn, size) = drawing(panel)?;
    Ok(alone(&drawn, size, words))
}

/// As the library draws it, and its size.
fn drawing(panel: &Panel) -> anyhow::Result<(String, (u32, u32))> {
    let names: Vec<String> = panel.rows.iter().map(|row| cut(&row.name)).collect();
    let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let left = longest as u32 * CHARACTER_PX + 14;
    let size = (NARROW_PX, AROUND_PX + ROW_PX * panel.rows.len() as u32);
    let y = Axis::rows(&names);
    let drawn = canvas::draw(size, left, (&panel.axis, &y), |canvas| {
        panel.rows.iter().enumerate().try_for_each(|(at, row)| {
            let middle = (panel.rows.len() - at) as f64 - 0.5;
            draw(canvas, row, middle)
        })
    })?;
    Ok((drawn, size))
}

fn draw(canvas: &Canvas<'_, '_>, row: &DotRow, middle: f64) -> anyhow::Result<()> {
    let lane = 0.6 / row.marks.len().max(1) as f64;
    for (at, mark) in row.marks.iter().enumerate() {
        let y = middle + (row.marks.len() as f64 / 2.0 - at as f64 - 0.5) * lane;
        if let Some((low, high)) = mark.bar
            && let (Some(low), Some(high)) = (canvas.pixel(low, y), canvas.pixel(high, y))
        {
            let stroke = mark.look.ink.drawn().mix(0.45).stroke_width(4);
            canvas.area.draw(&PathElement::new(vec![low, high], stroke))?;
        }
        if let Some(pixel) = canvas.pixel(mark.at, y) {
            marker::draw(canvas.area, pixel, mark.look)?;
        }
    }
    Ok(())
}

fn cut(name: &str) -> String {
    if name.chars().count() <= NAME_CHARACTERS_MAX {
        return name.to_owned();
    }
    let kept: String = name.chars().take(NAME_CHARACTERS_MAX - 1).collect();
    format!("{kept}\u{2026}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::looks::Looks;

    #[test]
    fn names_from_outside_are_cut_and_escaped_in_the_drawing() {
        let look = Looks::default().of("any");
        let rows = ["<script>", "a-name-that-is-far-too-long-for-a-phone"]
            .map(|name| DotRow { name: name.into(), marks: vec![Mark { look, at: 0.5, bar: None }] });
        let panel = Panel { axis: Axis::shares("share"), rows: rows.to_vec() };
        let words = Words { id: "d".into(), title: String::new(), description: String::new() };
        let drawn = dots(&words, &panel).unwrap().0;
        assert!(drawn.contains("&lt;script&gt;") && !drawn.contains("<script>"));
        assert!(drawn.contains("a-name-that-is-f\u{2026}"));
    }
}
