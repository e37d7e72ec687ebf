//! Which way is cheapest at which size, how sure that is, and how far the others are from the bare loop.
//!
//! Cheap means: the median of the sender's CPU per GB. Where the least sample of another route is below the largest of
//! the winner the two are not told apart, and the sentence says so.

use crate::record::RouteCell;
use crate::report::number::{percent, row, size, times};
use crate::report::records::BARE;
use crate::report::setting::Setting;

/// What the library chooses by itself.
const AUTO: &str = "auto";

/// What else the cells of a setting say, beside who wins.
pub(in crate::report) fn sentences(setting: &Setting<'_>) -> Vec<String> {
    let said = [single(setting), settled(setting), to_bare(setting), auto(setting), refused(setting)];
    said.into_iter().flatten().collect()
}

/// The winner of each size, neighbours with the same one taken together.
pub(in crate::report) fn cheapest(setting: &Setting<'_>) -> Option<String> {
    let mut stretches: Vec<(&str, u64, u64)> = Vec::new();
    for bytes in setting.sizes() {
        // One alone has won nothing.
        let [best, _, ..] = setting.by_cost(bytes)[..] else { continue };
        match stretches.last_mut() {
            Some((route, _, to)) if *route == best.route => *to = bytes,
            _ => stretches.push((&best.route, bytes, bytes)),
        }
    }
    let words: Vec<String> = stretches
        .iter()
        .map(|(route, from, to)| {
            if from == to {
                format!("{route} at {}", size(*from))
            } else {
                format!("{route} from {} to {}", size(*from), size(*to))
            }
        })
        .collect();
    (!words.is_empty()).then(|| format!("cheapest for the sender's CPU: {}.", row(&words)))
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

/// Whether those first places are more than chance.
fn settled(setting: &Setting<'_>) -> Option<String> {
    let sizes = setting.sizes();
    let open: Vec<String> =
        sizes.iter().filter(|bytes| is_open(setting, **bytes)).map(|bytes| size(*bytes)).collect();
    let words = match open.len() {
        0 => return None,
        all if all == sizes.len() => "every size".to_owned(),
        _ => row(&open),
    };
    Some(format!(
        "The spread of the rounds leaves the first place open at {words}: another route's least lies below the winner's largest."
    ))
}

fn is_open(setting: &Setting<'_>, bytes: u64) -> bool {
    let cells = setting.by_cost(bytes);
    let Some((best, others)) = cells.split_first() else { return false };
    others.iter().any(|other| other.cpu_s_per_gb.min <= best.cpu_s_per_gb.max)
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
            let best = setting.by_cost(bytes).into_iter().find(|cell| cell.route != AUTO)?;
            (best.cpu_s_per_gb.median > 0.0).then(|| (chosen / best.cpu_s_per_gb.median, best))
        })
        .max_by(|one, other| one.0.total_cmp(&other.0))?;
    let (ratio, best) = worst;
    Some(format!(
        "What the library chooses by itself (auto) is furthest from the best single way at {}: {} the cost of {}.",
        size(best.bytes),
        times(ratio),
        best.route
    ))
}

/// Where the kernel did not let a route be measured.
fn refused(setting: &Setting<'_>) -> Option<String> {
    let mut words: Vec<String> = Vec::new();
    for cell in setting.astray() {
        let why = cell.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        let said = format!("{} ({} of the bytes{why})", cell.route, percent(cell.by_route));
        if !words.contains(&said) {
            words.push(said);
        }
    }
    (!words.is_empty()).then(|| {
        format!("Not compared, because the kernel did not let the bytes go that way: {}.", row(&words))
    })
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
        let expected =
            "cheapest for the sender's CPU: copy from 1\u{a0}KiB to 4\u{a0}KiB and sendfile at 8\u{a0}KiB.";
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
        assert!(said(&cells)[0].ends_with("the best single way at 1\u{a0}KiB: 1.40\u{d7} the cost of copy."));
    }

    #[test]
    fn a_refused_route_is_named() {
        let mut cell = route("ktls", 1024, 1.0);
        cell.by_route = 0.0;
        cell.why = Some("no module".into());
        assert!(
            said(&[cell])
                .iter()
                .any(|sentence| sentence.ends_with("go that way: ktls (0\u{a0}% of the bytes: no module)."))
        );
        assert!(said(&[]).is_empty());
    }
}
