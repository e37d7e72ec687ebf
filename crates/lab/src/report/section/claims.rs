//! What people say, and what this machine says to it.

use maud::{Markup, html};

use super::table::{breaking, scrolling};
use crate::record::Claim;
use crate::report::number::figure;

/// Each claim with its evidence.
pub(in crate::report) fn section(claims: &[Claim]) -> Markup {
    if claims.is_empty() {
        return html! {};
    }
    html! {
        section #claims {
            h2 { "What people say" }
            @for claim in claims {
                article.claim {
                    h3 { (claim.claim) }
                    p { (verdict(claim.holds)) " " (claim.evidence) }
                    @if !claim.figures.is_empty() { (scrolling(&format!("Figures: {}", claim.claim), &table(claim))) }
                }
            }
        }
    }
}

fn verdict(holds: Option<bool>) -> Markup {
    match holds {
        Some(true) => html! { strong.good { "\u{2713} Holds here." } },
        Some(false) => html! { strong.bad { "\u{2717} Does not hold here." } },
        None => html! { strong { "? Open." } },
    }
}

fn table(claim: &Claim) -> Markup {
    html! {
        table.fit { tbody { @for (name, value) in &claim.figures { tr {
            th scope="row" { (breaking(name)) }
            td.number { (figure(*value)) }
        } } } }
    }
}
