//! A drawing in the page: its start tag replaced by one that screen readers understand, and keys of what its marks
//! mean.

use maud::{Markup, PreEscaped, html};
use plotters::prelude::{IntoDrawingArea, PathElement, SVGBackend};
use plotters::style::Color;

use super::marker;
use crate::report::looks::Look;
use crate::report::theme::{self, SURFACE};

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
    let (title, description) = (format!("{id}-title"), format!("{id}-desc"));
    html! {
        svg role="img" aria-labelledby={ (title) " " (description) } width=(width) height=(height)
            viewBox={ "0 0 " (width) " " (height) } {
            title id=(title) { (words.title) }
            desc id=(description) { (words.description) }
            (PreEscaped(body(drawn)))
        }
    }
}

/// What was drawn as a file of its own: with the ground that a page would have, and the rules by which it follows the theme.
pub(super) fn alone(drawn: &str, (width, height): (u32, u32), words: &Words) -> String {
    let ground = SURFACE.drawn();
    let ground = format!("#{:02X}{:02X}{:02X}", ground.0, ground.1, ground.2);
    let svg = html! {
        svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="title desc" width=(width) height=(height)
            viewBox={ "0 0 " (width) " " (height) } {
            title id="title" { (words.title) }
            desc id="desc" { (words.description) }
            style { (PreEscaped(theme::rules())) }
            rect width="100%" height="100%" fill=(ground) {}
            (PreEscaped(body(drawn)))
        }
    };
    svg.0 + "\n"
}

/// What stands within the tags of a drawing.
fn body(drawn: &str) -> &str {
    drawn.split_once('>').map_or("", |(_, body)| body).trim_end().trim_end_matches("</svg>")
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
    Ok(html! {
        svg aria-hidden="true" width=(SIZE.0) height=(SIZE.1) viewBox={ "0 0 " (SIZE.0) " " (SIZE.1) } {
            (PreEscaped(body(&drawn)))
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
