//! What a plot is drawn on: axes with their names, a grid, and pixels.

use plotters::coord::Shift;
use plotters::prelude::{Cartesian2d, ChartBuilder, ChartContext, DrawingArea, SVGBackend};
use plotters::prelude::{IntoDrawingArea, IntoFont, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontFamily, RGBColor, TextStyle};

use super::TEXT_PX;
use super::axis::Axis;
use crate::report::theme::{GRID, MUTED, TEXT};

/// The library divides a font's size by this when it writes it.
const FONT_FACTOR: f64 = 1.24;
/// Room for the names of the axes and their labels, in px.
const TOP_PX: u32 = 30;
const BELOW_PX: u32 = 30;
const NAME_BELOW_PX: u32 = 22;
const RIGHT_PX: u32 = 22;

/// A plot being drawn.
pub(super) struct Canvas<'a, 'b> {
    /// Everything, in pixels.
    pub(super) area: &'b DrawingArea<SVGBackend<'a>, Shift>,
    chart: ChartContext<'b, SVGBackend<'a>, Cartesian2d<Axis, Axis>>,
    axes: (&'b Axis, &'b Axis),
}

impl Canvas<'_, '_> {
    /// The pixel of these values, if they have one.
    pub(super) fn pixel(&self, x: f64, y: f64) -> Option<(i32, i32)> {
        let places = (self.axes.0.place(x)?, self.axes.1.place(y)?);
        Some(self.chart.backend_coord(&places))
    }
}

/// Draws axes on `width` by `height` px, `left` px of it for the labels of `y`, then the marks. Answers the SVG.
pub(super) fn draw(
    (width, height): (u32, u32),
    left: u32,
    (x, y): (&Axis, &Axis),
    marks: impl FnOnce(&Canvas<'_, '_>) -> anyhow::Result<()>,
) -> anyhow::Result<String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (width, height)).into_drawing_area();
        let chart = axes(&area, left, x, y)?;
        let (middle, end) = (left as i32, (width - RIGHT_PX) as i32);
        name(&area, &y.name, (0, 0), HPos::Left)?;
        name(&area, &x.name, (i32::midpoint(middle, end), (height - NAME_BELOW_PX) as i32), HPos::Center)?;
        marks(&Canvas { area: &area, chart, axes: (x, y) })?;
        area.present()?;
    }
    Ok(svg)
}

fn axes<'a, 'b>(
    area: &'b DrawingArea<SVGBackend<'a>, Shift>,
    left: u32,
    x: &Axis,
    y: &Axis,
) -> anyhow::Result<ChartContext<'b, SVGBackend<'a>, Cartesian2d<Axis, Axis>>> {
    let mut chart = ChartBuilder::on(area)
        .margin_top(if y.name.is_empty() { 4 } else { TOP_PX })
        .margin_right(RIGHT_PX)
        .margin_bottom(NAME_BELOW_PX)
        .x_label_area_size(BELOW_PX)
        .y_label_area_size(left)
        .build_cartesian_2d(x.clone(), y.clone())?;
    chart
        .configure_mesh()
        .bold_line_style(GRID.drawn())
        .light_line_style(GRID.drawn().mix(0.0))
        .axis_style(MUTED.drawn())
        .label_style(text(TEXT.drawn()))
        .draw()?;
    Ok(chart)
}

fn text(color: RGBColor) -> TextStyle<'static> {
    (FontFamily::SansSerif, TEXT_PX * FONT_FACTOR).into_font().color(&color)
}

fn name(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    words: &str,
    at: (i32, i32),
    align: HPos,
) -> anyhow::Result<()> {
    let style = text(MUTED.drawn()).pos(Pos::new(align, VPos::Top));
    Ok(area.draw(&Text::new(words.to_owned(), at, style))?)
}
