//! What a seed makes of a file.

use anyhow::{Context as _, Result};
use pagewire_wire::testing::Rng;

use super::file::Sequence;

/// The steps of this seed, each as its lines: nothing but variables is left open in them.
pub(super) fn plan(file: &Sequence, seed: u64) -> Result<Vec<Vec<String>>> {
    // Seeds that follow each other are not to begin alike.
    let mut chance = Rng::new(Rng::new(seed).next_u64());
    let all: usize = file.steps.iter().map(|(times, _)| times).sum();
    (0..file.length)
        .map(|_| {
            let lines = chosen(file, chance.below(all)).context("no step")?;
            lines.iter().map(|line| pick(line, &mut chance)).collect()
        })
        .collect()
}

fn chosen(file: &Sequence, mut at: usize) -> Option<&[String]> {
    for (times, lines) in &file.steps {
        match at.checked_sub(*times) {
            None => return Some(lines),
            Some(left) => at = left,
        }
    }
    None
}

/// The line with one of every `<this|that>`.
fn pick(line: &str, chance: &mut Rng) -> Result<String> {
    let mut parts = line.split('<');
    let mut picked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (choices, rest) = part.split_once('>').with_context(|| format!("a < without its >: {line}"))?;
        let choices: Vec<&str> = choices.split('|').collect();
        picked += choices.get(chance.below(choices.len())).copied().unwrap_or_default();
        picked += rest;
    }
    Ok(picked)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
sequence 200
given Heartbeat 4 GroupId=g
step 3 Heartbeat 4 GroupId=<a|b|c> => x=ErrorCode
step:
  Heartbeat <0|4> GroupId=d
  Heartbeat 4
";

    #[test]
    fn a_seed_says_what_is_asked_and_all_of_it_is_asked() {
        let file = Sequence::parse("beats", TEXT, &[]).expect("good");
        let planned = plan(&file, 7).expect("good");
        assert_eq!(planned, plan(&file, 7).expect("good"));
        assert_ne!(planned, plan(&file, 8).expect("good"));
        assert_eq!(planned.len(), 200);
        for group in ["a", "b", "c"] {
            assert!(
                planned.contains(&vec![format!("Heartbeat 4 GroupId={group} => x=ErrorCode")]),
                "{group}"
            );
        }
        for version in [0, 4] {
            let both = vec![format!("Heartbeat {version} GroupId=d"), "Heartbeat 4".to_owned()];
            assert!(planned.contains(&both), "{version}");
        }
        let often = planned.iter().filter(|lines| lines.len() == 1).count();
        assert!((110..190).contains(&often), "three of four: {often}");
    }

    #[test]
    fn a_file_that_makes_no_sense_is_an_error() {
        for wrong in [
            "",
            "sequence 0\nstep Heartbeat 4\n",
            "sequence 3\n",
            "sequence 3\nstep 2:\n",
            "sequence 3\nstep Heartbeat 4\n  Heartbeat 4:\nwhat is this",
        ] {
            assert!(Sequence::parse("wrong", wrong, &[]).is_err(), "{wrong}");
        }
        assert!(pick("a <b|c", &mut Rng::new(1)).is_err());
    }
}
