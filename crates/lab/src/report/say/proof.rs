//! Which routes copy here, and how many of the claims hold.

use crate::record::{Claim, ProofLine};
use crate::report::number::{percent, row};

/// What the proof says.
pub(in crate::report) fn routes(proof: &[ProofLine]) -> Vec<String> {
    let named = |of: fn(&ProofLine) -> bool| -> Vec<&str> {
        proof.iter().filter(|line| of(line)).map(|line| line.route.as_str()).collect()
    };
    let without = named(|line| line.cpu_copies == Some(0) && line.is_measured());
    let copying = named(|line| line.cpu_copies.is_some_and(|copies| copies > 0));
    let open = named(|line| line.available && !is_known(line));
    let missing = named(|line| !line.available);
    let mut said = Vec::new();
    if !without.is_empty() {
        said.push(format!("Without a copy by the CPU on the sending side: {}.", row(&without)));
    }
    if !copying.is_empty() {
        said.push(format!("The CPU copies with {}.", row(&copying)));
    }
    if !open.is_empty() {
        said.push(format!("Not decided here: {}.", row(&open)));
    }
    if !missing.is_empty() {
        said.push(format!("Not to be had on this kernel: {}.", row(&missing)));
    }
    said.extend(spoilt(proof));
    said
}

/// A path that has copies makes them; that one has none must have been seen.
fn is_known(line: &ProofLine) -> bool {
    line.cpu_copies.is_some_and(|copies| copies > 0 || line.is_measured())
}

/// A control that changed as well takes the proof away, and has to be said.
fn spoilt(proof: &[ProofLine]) -> Option<String> {
    let changed = |line: &ProofLine| line.control.filter(|share| *share > 0.0);
    let worst = proof.iter().filter_map(changed).max_by(f64::total_cmp)?;
    Some(format!(
        "The copying control changed with the file as well (up to {} of its bytes): the aliasing test proves nothing here.",
        percent(worst)
    ))
}

/// How many claims hold.
pub(in crate::report) fn claims(claims: &[Claim]) -> Option<String> {
    let of = |holds: Option<bool>| claims.iter().filter(|claim| claim.holds == holds).count();
    let open = of(None);
    let open = if open == 0 { String::new() } else { format!(" {open} stay open.") };
    (!claims.is_empty()).then(|| {
        format!(
            "Of {} things people say, {} hold here and {} do not.{open}",
            claims.len(),
            of(Some(true)),
            of(Some(false))
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::{claim, missing, proof};

    #[test]
    fn routes_are_told_apart_by_what_the_cpu_did() {
        let lines =
            [proof("sendfile", 1.0), proof("splice", 1.0), proof("copy", 0.0), missing("ktls", "no module")];
        assert_eq!(
            routes(&lines),
            [
                "Without a copy by the CPU on the sending side: sendfile and splice.",
                "The CPU copies with copy.",
                "Not to be had on this kernel: ktls.",
            ]
        );
        assert!(routes(&[]).is_empty());
    }

    #[test]
    fn what_no_witness_decided_is_not_said_to_be_without_a_copy() {
        let by_path = ProofLine { how: Some("path".into()), ..proof("zerocopy", 1.0) };
        let untried = ProofLine { available: true, ..missing("splice", "disk full") };
        assert_eq!(routes(&[by_path, untried]), ["Not decided here: zerocopy and splice."]);
    }

    #[test]
    fn a_control_that_changed_is_said() {
        let mut line = proof("sendfile", 1.0);
        line.control = Some(1.0);
        assert!(
            routes(&[line])
                .last()
                .unwrap()
                .contains("(up to 100\u{a0}% of its bytes): the aliasing test proves nothing")
        );
    }

    #[test]
    fn claims_are_counted() {
        let made = [claim("a", Some(true)), claim("b", Some(false)), claim("c", None)];
        assert_eq!(claims(&made).unwrap(), "Of 3 things people say, 1 hold here and 1 do not. 1 stay open.");
        assert_eq!(claims(&[]), None);
    }
}
