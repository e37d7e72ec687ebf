//! Markers: twelve shapes that differ without colour.

use plotters::coord::Shift;
use plotters::prelude::{Circle, DrawingArea, PathElement, Polygon, SVGBackend};
use plotters::style::{Color, ShapeStyle};

use crate::report::looks::Look;
use crate::report::theme::SURFACE;

/// Half the size of a marker, in px.
const REACH: i32 = 5;

/// A shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) enum Marker {
    /// ●
    Disc,
    /// ■
    Square,
    /// ▲
    Up,
    /// ◆
    Diamond,
    /// ▼
    Down,
    /// ✚
    Plus,
    /// ○
    Ring,
    /// ✖
    Cross,
    /// □
    Frame,
    /// △
    HollowUp,
    /// ◇
    HollowDiamond,
    /// ▽
    HollowDown,
}

/// In this order, because colours come round after seven: what shares one is full here and hollow there.
const ALL: [Marker; 12] = [
    Marker::Disc,
    Marker::Square,
    Marker::Up,
    Marker::Diamond,
    Marker::Down,
    Marker::Plus,
    Marker::Ring,
    Marker::Cross,
    Marker::HollowUp,
    Marker::Frame,
    Marker::HollowDown,
    Marker::HollowDiamond,
];

type Corners = &'static [(i32, i32)];

const SQUARE: Corners = &[(-4, -4), (4, -4), (4, 4), (-4, 4)];
const UP: Corners = &[(0, -REACH), (REACH, 4), (-REACH, 4)];
const DOWN: Corners = &[(0, REACH), (REACH, -4), (-REACH, -4)];
const DIAMOND: Corners = &[(0, -6), (REACH, 0), (0, 6), (-REACH, 0)];
const PLUS: [Corners; 2] = [&[(0, -REACH), (0, REACH)], &[(-REACH, 0), (REACH, 0)]];
const CROSS: [Corners; 2] = [&[(-4, -4), (4, 4)], &[(-4, 4), (4, -4)]];

impl Marker {
    /// The one of this place; they come round again.
    pub(in crate::report) fn at(place: usize) -> Self {
        ALL.get(place % ALL.len()).copied().unwrap_or(Self::Disc)
    }
}

/// Draws a marker around this pixel.
pub(super) fn draw(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    at: (i32, i32),
    look: Look,
) -> anyhow::Result<()> {
    let solid: ShapeStyle = look.ink.drawn().filled();
    let ground: ShapeStyle = SURFACE.drawn().filled();
    let stroke = look.ink.drawn().stroke_width(2);
    let around = |corners: Corners| corners.iter().map(|(x, y)| (at.0 + x, at.1 + y)).collect::<Vec<_>>();
    let full = |corners: Corners| area.draw(&Polygon::new(around(corners), solid));
    let hollow = |corners: Corners| {
        area.draw(&Polygon::new(around(corners), ground))?;
        let mut line = around(corners);
        line.extend(line.first().copied());
        area.draw(&PathElement::new(line, stroke))
    };
    let strokes = |lines: [Corners; 2]| {
        lines
            .iter()
            .try_for_each(|line| area.draw(&PathElement::new(around(line), look.ink.drawn().stroke_width(3))))
    };
    match look.marker {
        Marker::Disc => area.draw(&Circle::new(at, REACH, solid)),
        Marker::Ring => {
            area.draw(&Circle::new(at, REACH, ground))?;
            area.draw(&Circle::new(at, REACH - 1, stroke))
        }
        Marker::Square => full(SQUARE),
        Marker::Up => full(UP),
        Marker::Down => full(DOWN),
        Marker::Diamond => full(DIAMOND),
        Marker::Frame => hollow(SQUARE),
        Marker::HollowUp => hollow(UP),
        Marker::HollowDown => hollow(DOWN),
        Marker::HollowDiamond => hollow(DIAMOND),
        Marker::Plus => strokes(PLUS),
        Marker::Cross => strokes(CROSS),
    }?;
    Ok(())
}
