//! Which way is cheapest at which size, how sure that is, and how far the others are from the bare loop.
//!
//! Who is first and whether that is settled is for [`cheapest`](crate::routes::cheapest) to say, here as on the
//! terminal. The winners of the front page are those that are settled; where none is, the page says so.

use std::collections::BTreeSet;

use crate::record::RouteCell;
use crate::report::number::{percent, row, size, times};
use crate::report::records::BARE;
use crate::report::setting::Setting;
use crate::routes::First;

/// What the library chooses by itself.
const AUTO: &str = "auto";

/// What else the cells of a setting say, beside who wins.
pub(in crate::report) fn sentences(setting: &Setting<'_>) -> Vec<String> {
    let said = [single(setting), settled(setting), to_bare(setting), auto(setting), refused(setting)];
    said.into_iter().flatten().collect()
}

/// Neighbouring sizes with the same outcome.
struct Stretch<'a> {
    /// The settled winner; `None` where it is open.
    winner: Option<&'a str>,
    /// Who it is open between.
    between: BTreeSet<&'a str>,
    from: u64,
    to: u64,
}

/// The settled winner of each size, and between whom it is open where there is none; neighbours taken together.
pub(in crate::report) fn cheapest(setting: &Setting<'_>) -> Option<String> {
    let stretches = stretches(setting);
    let won = stretches.iter().filter_map(|of| Some(format!("{} {}", of.winner?, span(of.from, of.to))));
    let won: Vec<String> = won.collect();
    let open = stretches.iter().filter(|of| of.winner.is_none()).map(|of| {
        let names: Vec<&str> = of.between.iter().copied().collect();
        format!("open {} between {}", span(of.from, of.to), row(&names))
    });
    let won = (!won.is_empty()).then(|| row(&won));
    let words: Vec<String> = won.into_iter().chain(open).collect();
    (!words.is_empty()).then(|| format!("cheapest route for the sender's CPU: {}.", words.join("; ")))
}

fn stretches<'a>(setting: &Setting<'a>) -> Vec<Stretch<'a>> {
    let mut stretches: Vec<Stretch<'a>> = Vec::new();
    for bytes in setting.sizes() {
        // One alone has won nothing.
        let Some(first) = setting.first(bytes).filter(|first| !first.is_alone) else { continue };
        let winner = first.is_settled().then_some(first.cell.route.as_str());
        let rivals = std::iter::once(first.cell).chain(first.rivals).map(|cell| cell.route.as_str());
        match stretches.last_mut() {
            Some(last) if last.winner == winner => {
                last.to = bytes;
                last.between.extend(rivals);
            }
            _ => stretches.push(Stretch { winner, between: rivals.collect(), from: bytes, to: bytes }),
        }
    }
    stretches
}

/// Sizes in words.
fn span(from: u64, to: u64) -> String {
    if from == to { format!("at {}", size(from)) } else { format!("from {} to {}", size(from), size(to)) }
}

/// Where there was one round, and so no spread.
fn single(setting: &Setting<'_>) -> Option<String> {
    let sizes: Vec<String> = setting
        .sizes()
        .into_iter()
        .filter(|bytes| setting.by_cost(*bytes).iter().any(|cell| cell.rounds < 2))
        .map(size)
        .collect();
    (!sizes.is_empty()).then(|| {
        format!(
            "Of a single round, without any spread, are figures at {}: no first place there is certain.",
            row(&sizes)
        )
    })
}

/// Whether the first places are more than chance.
fn settled(setting: &Setting<'_>) -> Option<String> {
    let firsts: Vec<(u64, First<'_>)> =
        setting.sizes().into_iter().filter_map(|bytes| Some((bytes, setting.first(bytes)?))).collect();
    let open: Vec<String> =
        firsts.iter().filter(|(_, first)| !first.rivals.is_empty()).map(|(bytes, _)| size(*bytes)).collect();
    let words = match open.len() {
        0 => return None,
        all if all == firsts.len() => "every size".to_owned(),
        _ => row(&open),
    };
    Some(format!(
        "The spread of the rounds leaves the first place open at {words}: another route's least lies below the first's largest."
    ))
}

/// The largest win and the largest loss beside the bare loop.
fn to_bare(setting: &Setting<'_>) -> Option<String> {
    let mut ratios: Vec<(f64, &RouteCell)> = setting
        .cells()
        .filter(|cell| cell.route != BARE)
        .filter_map(|cell| Some((setting.to_bare(cell)?, cell)))
        .collect();
    ratios.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (least, most) = (ratios.first()?, ratios.last()?);
    let words = |(ratio, cell): &(f64, &RouteCell)| {
        format!("{} ({} at {})", times(*ratio), cell.route, size(cell.bytes))
    };
    Some(format!("Beside the bare sendfile loop the routes cost from {} to {}.", words(least), words(most)))
}

/// How far the library's own choice is from the best it could have chosen.
fn auto(setting: &Setting<'_>) -> Option<String> {
    let worst = setting
        .sizes()
        .into_iter()
        .filter_map(|bytes| {
            let chosen = setting.cell(AUTO, bytes)?.cpu_s_per_gb.median;
            let best = setting.first(bytes)?.cell;
            (best.cpu_s_per_gb.median > 0.0).then(|| (chosen / best.cpu_s_per_gb.median, best))
        })
        .max_by(|one, other| one.0.total_cmp(&other.0))?;
    let (ratio, best) = worst;
    Some(format!(
        "What the library chooses by itself (auto) is furthest from the best single route at {}: {} the cost of {}.",
        size(best.bytes),
        times(ratio),
        best.route
    ))
}

/// Where another way carried a part, so that the figures are not those of the route.
fn refused(setting: &Setting<'_>) -> Option<String> {
    let mut words: Vec<String> = Vec::new();
    for cell in setting.astray() {
        let why = cell.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        let by_it = percent(cell.by_route);
        words.push(format!("{} at {} (it took {by_it}{why})", cell.route, size(cell.bytes)));
    }
    (!words.is_empty())
        .then(|| format!("Not compared, because another way took some of the bytes: {}.", row(&words)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::setting::settings;
    use crate::report::testing::route;

    fn said(cells: &[RouteCell]) -> Vec<String> {
        settings(cells).iter().flat_map(sentences).collect()
    }

    #[test]
    fn neighbouring_sizes_with_one_winner_are_one_stretch() {
        let cells = [
            route("copy", 1024, 1.0),
            route("sendfile", 1024, 2.0),
            route("copy", 4096, 1.0),
            route("sendfile", 4096, 2.0),
            route("copy", 8192, 2.0),
            route("sendfile", 8192, 1.0),
        ];
        let settings = settings(&cells);
        let expected = "cheapest route for the sender's CPU: copy from 1\u{a0}KiB to 4\u{a0}KiB and sendfile at 8\u{a0}KiB.";
        assert_eq!(cheapest(&settings[0]).as_deref(), Some(expected));
        assert!(said(&cells).is_empty());
    }

    #[test]
    fn a_first_place_within_the_spread_of_another_is_left_open() {
        let near = [route("splice", 1024, 1.0), route("sendfile", 1024, 1.1)];
        assert!(said(&near)[0].contains("open at every size:"));
        let one =
            [near[0].clone(), near[1].clone(), route("splice", 4096, 1.0), route("sendfile", 4096, 3.0)];
        assert!(said(&one)[0].contains("open at 1\u{a0}KiB:"));
    }

    #[test]
    fn nobody_is_crowned_where_the_rounds_leave_it_open() {
        let cells = [
            route("copy", 1024, 1.0),
            route("mmap", 1024, 1.1),
            route("copy", 4096, 1.0),
            route("mmap", 4096, 3.0),
        ];
        let expected = "cheapest route for the sender's CPU: copy at 4\u{a0}KiB; open at 1\u{a0}KiB between copy and mmap.";
        assert_eq!(cheapest(&settings(&cells)[0]).as_deref(), Some(expected));
    }

    #[test]
    fn neither_auto_nor_a_bare_loop_is_crowned() {
        let cells = [
            route(BARE, 1024, 0.1),
            route(AUTO, 1024, 0.1),
            route("copy", 1024, 1.0),
            route("mmap", 1024, 3.0),
        ];
        let expected = "cheapest route for the sender's CPU: copy at 1\u{a0}KiB.";
        assert_eq!(cheapest(&settings(&cells)[0]).as_deref(), Some(expected));
    }

    #[test]
    fn one_alone_has_won_nothing_and_one_round_settles_nothing() {
        let alone = [RouteCell { rounds: 1, ..route("zerocopy", 1024, 1.0) }];
        assert_eq!(cheapest(&settings(&alone)[0]), None);
        assert!(said(&alone)[0].ends_with("at 1\u{a0}KiB: no first place there is certain."));
    }

    #[test]
    fn losses_to_the_bare_loop_are_said_like_wins() {
        let cells = [route(BARE, 1024, 1.0), route("uring", 1024, 3.06), route("splice", 1024, 0.76)];
        assert!(said(&cells).iter().any(|sentence| {
            sentence.ends_with("from 0.76\u{d7} (splice at 1\u{a0}KiB) to 3.06\u{d7} (uring at 1\u{a0}KiB).")
        }));
    }

    #[test]
    fn the_choice_of_the_library_is_held_against_the_best() {
        let cells = [route("copy", 1024, 1.0), route(AUTO, 1024, 1.4)];
        assert!(
            said(&cells)[0].ends_with("the best single route at 1\u{a0}KiB: 1.40\u{d7} the cost of copy.")
        );
    }

    #[test]
    fn a_refused_route_is_named() {
        let mut cell = route("ktls", 1024, 1.0);
        cell.by_route = 0.0;
        cell.why = Some("no module".into());
        assert!(said(&[cell]).iter().any(|sentence| {
            sentence.ends_with("some of the bytes: ktls at 1\u{a0}KiB (it took 0\u{a0}%: no module).")
        }));
        assert!(said(&[]).is_empty());
    }
}
