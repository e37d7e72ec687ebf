//! What must be known to read a cell: what was not as asked for, what could not be seen, what is not over all rounds.

use std::collections::BTreeMap;

use crate::spread::Spread;

use super::latency::TOLD;
use super::plan::Case;
use super::steal;

/// A log of which less than this share came from the disk was not cold.
const COLD: f64 = 0.9;
/// One of which more than this share did was not hot.
const HOT: f64 = 0.01;

/// A round of which more than this share was stolen is no round of the case; what is less is told and moves no middle far.
const STOLEN: f64 = 0.05;

/// Cores of the other brokers that are worth a word: at rest two of them come to 0.04.
const OTHERS: f64 = 0.05;
/// Those that went elsewhere. Where nothing else ran it was 0.04 of one in the middle of 164 rounds, and 0.11 at most: interrupts.
const ELSEWHERE: f64 = 0.1;
/// A client that was later than this, in ms, is seen in the latencies.
const LATE_MS: f64 = 1.0;

/// What the notes are about.
#[derive(Debug)]
pub(super) struct About<'a> {
    pub(super) case: Case,
    /// How many rounds there are and why, where these are fewer than were asked for.
    pub(super) short: Option<&'a str>,
    /// Why the broker's CPU is unknown.
    pub(super) cpu_unknown: Option<&'a str>,
    /// Why its system calls were not counted in a round that was for that.
    pub(super) uncounted: Option<&'a str>,
    /// The broker's most memory is that since it began.
    pub(super) peak_since_start: bool,
    pub(super) figures: &'a BTreeMap<String, Spread>,
    /// The round in which most of the machine went elsewhere, from 1, and how many cores that were.
    pub(super) elsewhere: Option<(usize, f64)>,
    /// Latencies in the round that has the fewest.
    pub(super) fewest_latencies: u64,
    /// Figures that were measured once, before the rounds.
    pub(super) once: Vec<&'a str>,
    /// Figures without a ratio, because the first broker's was zero.
    pub(super) over_zero: Vec<String>,
}

/// The notes, the gravest first.
pub(super) fn notes(about: &About<'_>) -> Vec<String> {
    let short = about.short.map(str::to_owned);
    let unknown = about.cpu_unknown.map(|why| format!("CPU unknown: {why}"));
    let all = [
        short,
        unknown,
        peak(about),
        residency(about),
        others(about),
        elsewhere(about),
        stolen(about),
        missing(about),
        uncounted(about),
        late(about),
        few(about),
        once(about),
        over_zero(about),
    ];
    all.into_iter().flatten().collect()
}

/// Those by which what was measured is not, or not known to be, the case.
pub(super) fn unlike(about: &About<'_>) -> Vec<String> {
    let most = about.figures.get("stolen_cpu_share").map_or(0.0, |share| share.max);
    let stolen = (most > STOLEN).then(|| stolen(about)).flatten();
    residency(about).into_iter().chain(stolen).collect()
}

/// Whether the records lay where the case wants them, in its worst round.
fn residency(about: &About<'_>) -> Option<String> {
    let from_disk = about.figures.get("disk_bytes_per_byte");
    let percent = |share: f64| format!("{:.0} % of the bytes came from the disk", share * 100.0);
    match (about.case, from_disk) {
        (Case::FetchCold, None) => Some(
            "not verified: what the broker read from the disk cannot be seen (/proc/PID/io; run as its user or as root)"
                .to_owned(),
        ),
        (Case::FetchCold, Some(share)) if share.min < COLD => {
            Some(format!("not cold: in a round {}", percent(share.min)))
        }
        (Case::FetchHot, Some(share)) if share.max > HOT => {
            Some(format!("not hot: in a round {}", percent(share.max)))
        }
        _ => None,
    }
}

fn peak(about: &About<'_>) -> Option<String> {
    let said = "peak memory is since the broker began, not of these rounds (run as its user or as root)";
    about.peak_since_start.then(|| said.to_owned())
}

/// Whose process is unknown has said so.
fn uncounted(about: &About<'_>) -> Option<String> {
    let why = about.uncounted.filter(|_| about.cpu_unknown.is_none())?;
    Some(format!("system calls not counted: {why}"))
}

fn missing(about: &About<'_>) -> Option<String> {
    let most = about.figures.get("missing_records")?.max;
    let what = match about.case {
        Case::Connections => "due and not answered before the round was over",
        _ => "that never came",
    };
    let said = format!("up to {most} records a round {what}: their latency counts to the end of the round");
    (most > 0.0).then_some(said)
}

/// What is not in the machine's CPU.
fn others(about: &About<'_>) -> Option<String> {
    let most = about.figures.get("others_cpu_cores")?.max;
    (most >= OTHERS).then(|| {
        format!(
            "the other brokers used up to {:.1} % of a core meanwhile, which is not in the machine's CPU",
            most * 100.0
        )
    })
}

/// The machine was not idle beside the round.
fn elsewhere(about: &About<'_>) -> Option<String> {
    let (round, cores) = about.elsewhere.filter(|(_, cores)| *cores > ELSEWHERE)?;
    Some(format!(
        "in round {round} at least {:.1} % of a core went to somebody else, or to interrupts: to neither broker nor client nor the \
         kernel's threads",
        cores * 100.0
    ))
}

/// Rounds in which the machine was another's too.
fn stolen(about: &About<'_>) -> Option<String> {
    let most = about.figures.get("stolen_cpu_share")?.max;
    Some(format!("in a round {}", steal::words(most)?))
}

/// The client itself was late: what it could not send is charged to the broker.
fn late(about: &About<'_>) -> Option<String> {
    late_words(about.figures.get("behind_ms")?.max)
}

/// Of a client that was late by so many ms at most, where that is seen in the latencies.
#[must_use]
pub fn late_words(most: f64) -> Option<String> {
    (most > LATE_MS).then(|| {
        format!("the client was up to {most:.1} ms late by its own fault: so much of the largest latencies may be its")
    })
}

/// Percentiles that so few latencies do not have: the largest stands in their place.
fn few(about: &About<'_>) -> Option<String> {
    let count = about.fewest_latencies;
    let beyond = |at: &&(&str, f64)| at.1 < 100.0 && (count as f64) < (100.0 / (100.0 - at.1)).round();
    let names: Vec<&str> = TOLD.iter().filter(beyond).map(|(name, _)| *name).collect();
    let some = count > 0 && !names.is_empty();
    some.then(|| {
        format!(
            "{count} latencies in a round are too few for {}: the largest stands there",
            names.join(" and ")
        )
    })
}

fn once(about: &About<'_>) -> Option<String> {
    let names = about.once.join(", ");
    (!names.is_empty()).then(|| format!("measured once, before the rounds, so without a spread: {names}"))
}

fn over_zero(about: &About<'_>) -> Option<String> {
    let names = about.over_zero.join(", ");
    (!names.is_empty()).then(|| format!("no ratio where the first broker's figure was 0 in a round: {names}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(case: Case, figures: &[(&str, [f64; 3])]) -> Vec<String> {
        let spread = |[min, median, max]: [f64; 3]| Spread { min, median, max };
        let figures = figures.iter().map(|(name, of)| ((*name).to_owned(), spread(*of))).collect();
        notes(&about(case, &figures))
    }

    /// Nothing to say but of the figures.
    fn about(case: Case, figures: &BTreeMap<String, Spread>) -> About<'_> {
        About {
            case,
            short: None,
            cpu_unknown: None,
            uncounted: None,
            peak_since_start: false,
            figures,
            elsewhere: None,
            fewest_latencies: 1_000_000,
            once: Vec::new(),
            over_zero: Vec::new(),
        }
    }

    #[test]
    fn percentiles_beyond_what_was_counted_are_said_to_be_the_largest() {
        let figures = BTreeMap::new();
        let of = |fewest_latencies| notes(&About { fewest_latencies, ..about(Case::FetchHot, &figures) });
        assert_eq!([of(1000), of(0)], [vec![], Vec::<String>::new()]);
        let said = of(999);
        assert!(said[0].starts_with("999 latencies") && said[0].contains("for p99.9:"), "{said:?}");
        assert!(of(64)[0].contains("for p99 and p99.9:"));
        assert!(of(1)[0].contains("for p50 and p99 and p99.9:"));
    }

    #[test]
    fn hot_and_cold_are_verified_in_their_worst_round() {
        let disk = |shares| [("disk_bytes_per_byte", shares)];
        assert_eq!(of(Case::FetchHot, &disk([0.0, 0.0, 0.005])), [""; 0]);
        assert_eq!(of(Case::FetchCold, &disk([0.95, 1.0, 1.0])), [""; 0]);
        assert_eq!(of(Case::Produce, &disk([0.5, 0.5, 0.5])), [""; 0]);
        let hot = of(Case::FetchHot, &disk([0.0, 0.0, 0.25]));
        assert_eq!(hot, ["not hot: in a round 25 % of the bytes came from the disk"]);
        let cold = of(Case::FetchCold, &disk([0.5, 1.0, 1.0]));
        assert_eq!(cold, ["not cold: in a round 50 % of the bytes came from the disk"]);
    }

    #[test]
    fn what_nobody_could_see_is_not_called_cold() {
        assert!(of(Case::FetchCold, &[])[0].starts_with("not verified: "));
        assert_eq!(of(Case::FetchHot, &[]), [""; 0]);
    }

    #[test]
    fn what_has_no_spread_or_no_ratio_is_named() {
        let figures = BTreeMap::new();
        let (once, over_zero) = (vec!["connects_per_s"], vec!["cpu_cores".to_owned()]);
        let about = About {
            short: Some("2 of 5 rounds"),
            cpu_unknown: Some("remote"),
            once,
            over_zero,
            ..about(Case::Connections, &figures)
        };
        let said = notes(&about);
        assert_eq!(said[..2], ["2 of 5 rounds", "CPU unknown: remote"]);
        assert!(said[2].contains("once") && said[2].ends_with(": connects_per_s"), "{said:?}");
        assert!(said[3].contains("no ratio") && said[3].ends_with(": cpu_cores"), "{said:?}");
    }

    #[test]
    fn a_peak_that_no_round_owns_is_said_to_be_older() {
        let figures = BTreeMap::new();
        let said = notes(&About { peak_since_start: true, ..about(Case::Produce, &figures) });
        assert!(said[0].starts_with("peak memory is since the broker began"), "{said:?}");
    }

    #[test]
    fn calls_that_were_not_counted_are_told_unless_nothing_is_known_of_the_process() {
        let figures = BTreeMap::new();
        let uncounted = About { uncounted: Some("no right to"), ..about(Case::Produce, &figures) };
        assert_eq!(notes(&uncounted), ["system calls not counted: no right to"]);
        assert_eq!(notes(&About { cpu_unknown: Some("remote"), ..uncounted }), ["CPU unknown: remote"]);
    }

    #[test]
    fn what_the_other_brokers_used_is_told() {
        let others = |worst| [("others_cpu_cores", [0.0, 0.0, worst])];
        assert!(
            of(Case::Produce, &others(0.05))[0].starts_with("the other brokers used up to 5.0 % of a core")
        );
        assert_eq!(of(Case::Produce, &others(0.03)), [""; 0]);
    }

    #[test]
    fn what_somebody_else_took_of_the_machine_is_told_with_its_round() {
        let figures = BTreeMap::new();
        let of = |cores| notes(&About { elsewhere: Some((2, cores)), ..about(Case::Produce, &figures) });
        assert_eq!(of(0.08), [""; 0]);
        assert!(of(0.123)[0].starts_with("in round 2 at least 12.3 % of a core went to somebody else"));
    }

    #[test]
    fn a_round_of_which_much_was_stolen_is_told() {
        let stolen = |worst| [("stolen_cpu_share", [0.001, 0.002, worst])];
        assert_eq!(of(Case::Produce, &stolen(0.01)), [""; 0]);
        assert!(
            of(Case::Produce, &stolen(0.032))[0]
                .starts_with("in a round 3.2 % of this machine's CPU was stolen")
        );
    }

    #[test]
    fn what_was_not_hot_or_on_a_machine_of_its_own_is_not_the_case_and_a_client_that_was_late_is() {
        let of = |figures: &[(&str, f64)]| {
            let figures = figures.iter().map(|(name, worst)| {
                ((*name).to_owned(), Spread { min: *worst, median: *worst, max: *worst })
            });
            let figures = figures.collect();
            let about = about(Case::FetchHot, &figures);
            (notes(&about), unlike(&about))
        };
        let (notes, unlike) =
            of(&[("disk_bytes_per_byte", 0.03), ("stolen_cpu_share", 0.06), ("behind_ms", 9.0)]);
        assert_eq!((notes.len(), unlike.len()), (3, 2), "{notes:?} {unlike:?}");
        assert!(unlike.iter().all(|why| notes.contains(why)), "{notes:?} {unlike:?}");
        assert!(unlike[0].starts_with("not hot") && unlike[1].contains("stolen"), "{unlike:?}");
        assert!(of(&[("behind_ms", 9.0), ("stolen_cpu_share", 0.04)]).1.is_empty());
    }

    #[test]
    fn a_client_that_was_late_says_so() {
        let behind = |worst| [("behind_ms", [0.0, 0.1, worst])];
        assert_eq!(of(Case::EndToEnd, &behind(1.0)), [""; 0]);
        assert!(of(Case::EndToEnd, &behind(2.5))[0].starts_with("the client was up to 2.5 ms late"));
    }

    #[test]
    fn records_that_a_broker_failed_are_counted_in_its_worst_round() {
        let missing = |worst| [("missing_records", [0.0, 0.0, worst])];
        let said = of(Case::Connections, &missing(12.0));
        assert!(said[0].starts_with("up to 12 records a round due and not answered"), "{said:?}");
        assert!(of(Case::EndToEnd, &missing(1.0))[0].contains("never came"));
        assert_eq!(of(Case::EndToEnd, &missing(0.0)), [""; 0]);
    }
}
