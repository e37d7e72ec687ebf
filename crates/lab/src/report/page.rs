//! The page: head, style, what the figures say, the sections.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::Records;
use super::files::{DRIVE, PROOF, ROUTES};
use super::looks::Looks;
use super::number::{figure, moment};
use super::records::BARE;
use super::say::{self, Said};
use super::section::{Page, claims, copies, cost, drive, machine, throughput};
use super::theme;

/// Everything about looks but the colours.
const STYLE: &str = include_str!("style.css");

/// The whole document.
pub(super) fn page(records: &Records) -> anyhow::Result<String> {
    let looks = Page {
        routes: Looks::new(records.routes.iter().map(|cell| &*cell.route), Some(BARE)),
        brokers: Looks::new(records.drive.iter().map(|cell| &*cell.broker), None),
    };
    let sections = html! {
        (machine::section(records))
        (cost::section(&records.routes, &looks)?)
        (throughput::section(&records.routes, &looks)?)
        (copies::section(&records.proof, &records.routes)?)
        (claims::section(&records.claims))
        (drive::section(&records.drive, &looks)?)
    };
    let style = format!("{}{STYLE}", theme::rules());
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                // An icon of its own, or a browser asks for one.
                link rel="icon" href="data:,";
                title { (title(records)) }
                style { (PreEscaped(style)) }
            }
            body {
                header { h1 { (title(records)) } p { (subtitle(records)) } (contents(records)) }
                main { (says(records)) (sections) }
                footer { (raw(records)) }
            }
        }
    };
    Ok(document.into_string())
}

/// What the page is called.
fn title(records: &Records) -> &'static str {
    let moved = !(records.routes.is_empty() && records.proof.is_empty() && records.claims.is_empty());
    let only_driven = !moved && !records.drive.is_empty();
    if only_driven { "Kafka brokers under load" } else { "How data moves on this machine" }
}

fn subtitle(records: &Records) -> String {
    let first = records.machines().min_by(|one, other| one.began.cmp(&other.began));
    let measured = first.map_or_else(String::new, |machine| {
        format!(
            " on {} ({} CPUs), Linux {}, congestion control {}, file system {}, load {}, beginning at {}",
            machine.cpu,
            machine.cpus,
            machine.kernel,
            machine.congestion_control,
            machine.file_system,
            figure(machine.load),
            moment(&machine.began)
        )
    });
    format!("What the pagewire lab measured{measured}.")
}

fn contents(records: &Records) -> Markup {
    let (routes, proof) = (!records.routes.is_empty(), !records.proof.is_empty());
    let entries = [
        (true, "#says", "What the figures say"),
        (records.machines().next().is_some(), "#machine", "Where and when"),
        (routes, "#cost", "Cost by size"),
        (routes, "#throughput", "Throughput beside its cost"),
        (routes || proof, "#copies", "Which route copies"),
        (!records.claims.is_empty(), "#claims", "What people say"),
        (!records.drive.is_empty(), "#drive", "Brokers under load"),
    ];
    html! {
        nav aria-label="Contents" { ul {
            @for (_, href, name) in entries.iter().filter(|entry| entry.0) { li { a href=(href) { (name) } } }
        } }
    }
}

fn says(records: &Records) -> Markup {
    let sentences = say::everything(records);
    html! {
        section #says {
            h2 { "What the figures say" }
            @if sentences.is_empty() { p { "There is nothing to compare." } }
            ul { @for Said { about, words } in sentences { li {
                @if let Some(about) = about { strong { (about) ": " } }
                (words)
            } } }
        }
    }
}

fn raw(records: &Records) -> Markup {
    let files = [
        (!records.routes.is_empty(), ROUTES),
        (!records.proof.is_empty() || !records.claims.is_empty(), PROOF),
        (!records.drive.is_empty(), DRIVE),
    ];
    html! {
        p {
            "The records behind this page, one JSON object a line:"
            @for (_, file) in files.iter().filter(|file| file.0) { " " a href=(file) { (file) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;

    #[test]
    fn what_comes_from_outside_is_text_everywhere() {
        let hostile = "<img src=x onerror=alert(1)>\"'&";
        let mut records = testing::records();
        for cell in &mut records.routes {
            cell.route = format!("{hostile}{}", cell.route);
            cell.machine.cpu = hostile.into();
        }
        records.proof.push(testing::missing(hostile, hostile));
        records.claims.push(testing::claim(hostile, None));
        records.drive.push(testing::drive(hostile, hostile, 1.0));
        let page = page(&records).unwrap();
        assert!(page.contains("&lt;img src=x"));
        assert!(!page.contains("<img"));
    }

    #[test]
    fn the_page_names_no_other_address_and_has_no_script() {
        let page = page(&testing::records()).unwrap();
        for word in ["http:", "https:", "//", "<script", "url(", "@import", "NaN"] {
            assert!(!page.contains(word), "{word}");
        }
    }

    #[test]
    fn a_section_without_records_is_left_out() {
        let all = testing::records();
        let sections = |records: &Records| {
            let page = page(records).unwrap();
            ["cost", "throughput", "copies", "claims", "drive"]
                .map(|id| page.contains(&format!("<section id=\"{id}\"")))
        };
        assert_eq!(sections(&all), [true; 5]);
        assert_eq!(sections(&Records::default()), [false; 5]);
        let only = Records { claims: all.claims.clone(), ..Records::default() };
        assert_eq!(sections(&only), [false, false, false, true, false]);
        let only = Records { drive: vec![testing::drive("one", "produce", 1.0)], ..Records::default() };
        assert_eq!(sections(&only), [false, false, false, false, true]);
    }

    #[test]
    fn a_page_is_called_what_it_is_about() {
        let all = testing::records();
        let driven = Records { drive: all.drive.clone(), ..Records::default() };
        assert_eq!(title(&driven), "Kafka brokers under load");
        assert_eq!([title(&all), title(&Records::default())], ["How data moves on this machine"; 2]);
    }

    #[test]
    fn one_record_of_each_kind_makes_a_page() {
        let mut one = testing::records();
        one.routes.truncate(1);
        one.proof.truncate(1);
        one.drive.truncate(1);
        assert!(page(&one).unwrap().contains("sendfile-bare"));
    }

    #[test]
    fn no_id_is_given_twice() {
        let page = page(&testing::records()).unwrap();
        let mut ids: Vec<&str> =
            page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count);
    }
}
