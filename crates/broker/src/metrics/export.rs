//! The table of numbers as programs take it: as a map, and as text in Prometheus' exposition format.
//!
//! What there is of each route or log directory has its name or path as a label: `pagewire_file_bytes_sent_total{route="sendfile"}`,
//! `pagewire_log_dir_size_bytes{dir="/a"}`.

use std::collections::BTreeMap;
use std::fmt::Write;

use pagewire_log::DirDescription;
use pagewire_zcopy::RouteCounts;

use super::table::{NUMBERS, OF_DIRS, OF_ROUTES, Seen};
use crate::bounded::fitting;

/// So many directories have numbers of their own: an answer is one line of bounded length.
const DIRS_MAX: usize = 32;
/// And as many as take no more bytes than this.
const DIRS_BYTES_MAX: usize = 16 << 10;

/// All numbers by name, with the label where there is one.
pub(crate) fn export(seen: &Seen<'_>) -> BTreeMap<String, u64> {
    let of_all = NUMBERS.iter().map(|row| (row.name.to_owned(), (row.read)(seen)));
    let of_dirs = OF_DIRS.iter().flat_map(|row| {
        let known = labelled(seen).filter_map(|(label, dir)| Some((label, (row.read)(dir)?)));
        known.map(|(label, number)| (format!("{}{label}", row.name), number))
    });
    let of_routes = OF_ROUTES.iter().flat_map(|row| {
        seen.sent.routes.iter().map(|route| (format!("{}{}", row.name, of_route(route)), (row.read)(route)))
    });
    of_all.chain(of_routes).chain(fitting(of_dirs, DIRS_BYTES_MAX)).collect()
}

/// <https://prometheus.io/docs/instrumenting/exposition_formats/>: a line of help and one of its type before each.
pub(crate) fn exposition(seen: &Seen<'_>) -> String {
    let mut text = String::new();
    for row in NUMBERS {
        head(&mut text, row.name, row.help);
        line(&mut text, row.name, "", (row.read)(seen));
    }
    for row in OF_ROUTES {
        head(&mut text, row.name, row.help);
        for route in &seen.sent.routes {
            line(&mut text, row.name, &of_route(route), (row.read)(route));
        }
    }
    for row in OF_DIRS {
        head(&mut text, row.name, row.help);
        for (label, dir) in labelled(seen) {
            if let Some(number) = (row.read)(dir) {
                line(&mut text, row.name, &label, number);
            }
        }
    }
    text
}

fn of_route(counts: &RouteCounts) -> String {
    format!("{{route=\"{}\"}}", counts.route.name())
}

/// Directories, each with the label that names it.
fn labelled<'s>(seen: &'s Seen<'_>) -> impl Iterator<Item = (String, &'s DirDescription)> + use<'s> {
    let labels = seen.dirs.iter().take(DIRS_MAX).map(|dir| {
        let path = dir.path.display().to_string();
        let path = path.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        format!("{{dir=\"{path}\"}}")
    });
    fitting(labels, DIRS_BYTES_MAX / OF_DIRS.len()).into_iter().zip(seen.dirs)
}

fn head(text: &mut String, name: &str, help: &str) {
    let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
    // Writing to a string does not fail.
    let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
}

fn line(text: &mut String, name: &str, label: &str, number: u64) {
    let _ = writeln!(text, "{name}{label} {number}");
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use pagewire_log::ScrubCounts;

    use super::*;
    use crate::cleaner::CleanerGauges;
    use crate::metrics::Metrics;

    fn dir(path: &str) -> DirDescription {
        DirDescription {
            path: PathBuf::from(path),
            away: true,
            opening: None,
            offline: None,
            full: false,
            space: None,
            logs: Vec::new(),
            missing: Vec::new(),
            scrub: ScrubCounts { bytes: 7, ..ScrubCounts::default() },
        }
    }

    #[test]
    fn text_and_map_say_the_same_and_each_number_has_its_help() {
        let (metrics, dirs, cleaner) =
            (Metrics::default(), [dir("/a"), dir("/b\"\\")], CleanerGauges::default());
        metrics.connection_opened();
        let seen = Seen {
            metrics: &metrics,
            sent: &pagewire_zcopy::Stats::default().snapshot(),
            dirs: &dirs,
            cleaner: &cleaner,
            offline_partitions: 3,
            hanging_dirs: 0,
            moves: crate::moves::MoveGauges::default(),
            metadata_trouble: false,
        };
        let (text, map) = (exposition(&seen), export(&seen));
        let said: BTreeMap<String, u64> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.rsplit_once(' '))
            .map(|(name, number)| (name.to_owned(), number.parse().expect("a number")))
            .collect();
        assert_eq!(said, map);
        assert_eq!((map["pagewire_scrub_bytes_total"], map["pagewire_partitions_offline"]), (14, 3));
        assert_eq!(map["pagewire_log_dir_offline{dir=\"/b\\\"\\\\\"}"], 0);
        assert!(!text.contains("pagewire_log_dir_usable_bytes{"), "what is not known is left out");
        assert!(text.starts_with(
            "# HELP pagewire_connections_total Connections accepted\n# TYPE pagewire_connections_total counter\n\
             pagewire_connections_total 1\n# HELP pagewire_connections Connections that are open\n\
             # TYPE pagewire_connections gauge\n"
        ));
        let heads = text.lines().filter(|line| line.starts_with("# HELP ")).count();
        assert_eq!(heads, NUMBERS.len() + OF_ROUTES.len() + OF_DIRS.len());
    }
}
