//! A drawing in the page: its start tag replaced by one that screen readers understand, and keys of what its marks
//! mean.

use maud::{Markup, PreEscaped, html};
use plotters::prelude::{IntoDrawingArea, PathElement, SVGBackend};
use plotters::style::Color;

use super::marker;
use crate::report::looks::Look;

/// What a plot says to those who do not see it.
#[derive(Debug, Clone)]
pub(in crate::report) struct Words {
    /// Unique in the page.
    pub(in crate::report) id: String,
    /// What it shows.
    pub(in crate::report) title: String,
    /// How to read it, and where the figures are.
    pub(in crate::report) description: String,
}

/// Wraps what was drawn. `id` is unique also between two drawings of the same plot.
pub(super) fn wrap(drawn: &str, (width, height): (u32, u32), id: &str, words: &Words) -> Markup {
    let body = drawn.split_once('>').map_or("", |(_, body)| body);
    let (title, description) = (format!("{id}-title"), format!("{id}-desc"));
    html! {
        svg role="img" aria-labelledby={ (title) " " (description) } width=(width) height=(height)
            viewBox={ "0 0 " (width) " " (height) } {
            title id=(title) { (words.title) }
            desc id=(description) { (words.description) }
            (PreEscaped(body.trim_end().trim_end_matches("</svg>")))
        }
    }
}

/// A look by itself, for a key. Only for eyes: the name stands beside it.
fn swatch(look: Look) -> anyhow::Result<Markup> {
    const SIZE: (u32, u32) = (32, 16);
    let mut drawn = String::new();
    {
        let area = SVGBackend::with_string(&mut drawn, SIZE).into_drawing_area();
        let line = vec![(2, 8), (30, 8)];
        area.draw(&PathElement::new(line, look.ink.drawn().stroke_width(2)))?;
        marker::draw(&area, (16, 8), look)?;
        area.present()?;
    }
    let body = drawn.split_once('>').map_or("", |(_, body)| body);
    Ok(html! {
        svg aria-hidden="true" width=(SIZE.0) height=(SIZE.1) viewBox={ "0 0 " (SIZE.0) " " (SIZE.1) } {
            (PreEscaped(body.trim_end().trim_end_matches("</svg>")))
        }
    })
}

/// The key of a plot: each look with what it stands for.
pub(in crate::report) fn key<'a>(entries: impl Iterator<Item = (Look, &'a str)>) -> anyhow::Result<Markup> {
    let entries =
        entries.map(|(look, name)| Ok((swatch(look)?, name))).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(html! {
        ul.key { @for (swatch, name) in entries { li { (swatch) span { (name) } } } }
    })
}
