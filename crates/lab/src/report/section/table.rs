//! Tables: wide ones scroll inside themselves, by touch and by keyboard.

use maud::{Markup, html};

use crate::report::number::{figure, range};
use crate::spread::Spread;

/// A table in its own scrolling box. `name` is what screen readers call it.
pub(super) fn scrolling(name: &str, table: &Markup) -> Markup {
    html! { div.scroll role="region" aria-label=(name) tabindex="0" { (table) } }
}

/// A table that is there for who wants all of it.
pub(super) fn folded(name: &str, table: &Markup) -> Markup {
    html! { details { summary { (name) } (scrolling(name, table)) } }
}

/// A figure over its spread, where it has one.
pub(super) fn cell(spread: Spread) -> Markup {
    html! { (figure(spread.median)) @if spread.min < spread.max { span.range { (range(spread)) } } }
}

/// The same where there may be none.
pub(super) fn cell_or_none(spread: Option<&Spread>) -> Markup {
    spread.map_or_else(|| html! { "-" }, |spread| cell(*spread))
}

/// A name whose words are joined by `_`, which a narrow column may break between them.
pub(super) fn breaking(name: &str) -> Markup {
    html! { @for word in name.split_inclusive('_') { (word) wbr; } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_once_shows_no_spread() {
        assert_eq!(cell(Spread { min: 2.0, median: 2.0, max: 2.0 }).0, "2.00");
        assert!(cell(Spread { min: 1.0, median: 2.0, max: 3.0 }).0.contains("1.00\u{2013}3.00"));
    }
}
