//! Plots: SVG in the page, drawn by `plotters` in pixels, with a title, a description and no script.
//!
//! Text in a plot is 14 px at its natural size, and the style sheet never shows a plot smaller than that. What is wide
//! on a desk is drawn once more for a phone, and the style sheet shows one of the two.

mod axis;
mod canvas;
mod coord;
mod dots;
mod lines;
pub(super) mod marker;
mod steps;
mod svg;

pub(super) use axis::Axis;
pub(super) use dots::{DotRow, Mark, Panel, dots, dots_alone};
pub(super) use lines::{Line, Point, lines};
pub(super) use steps::{Step, Steps, steps};
pub(super) use svg::{Words, key};

/// Width on a phone, and of one of several plots side by side, in px.
const NARROW_PX: u32 = 350;
/// Width on a desk, in px.
const WIDE_PX: u32 = 1110;
/// Height of the text, in px.
const TEXT_PX: f64 = 14.0;
