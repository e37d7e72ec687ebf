//! What the data directory holds.

use std::io;

use pagewire_disk::OsDisk;
use pagewire_log::{Survey, survey};

use crate::finding::Finding;
use crate::{Plan, words};

pub(crate) fn look(plan: &Plan) -> Vec<Finding> {
    match survey(&OsDisk::new(), &plan.data_dir) {
        Ok(survey) => vec![judge(&survey)],
        // The line about the directory says so.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Vec::new()
        }
        Err(error) => vec![Finding::unseen("contents", &error)],
    }
}

fn judge(survey: &Survey) -> Finding {
    let Survey { partitions, measured, segments, bytes, doomed, set_aside, unknown } = *survey;
    let mut found = format!("{partitions} partitions, {segments} segments, {}", words::bytes(bytes));
    if measured < partitions {
        found = format!("{found} in the first {measured}");
    }
    if doomed > 0 {
        found = format!("{found}; {doomed} deleted, waiting for their unlink");
    }
    if set_aside > 0 {
        let found = format!("{found}; {set_aside} set aside (…-stray, …-future)");
        let advice = "data of topics that were made anew under the same name: look whether it is wanted, then delete \
                      the directories by hand";
        return Finding::better("contents", found, advice);
    }
    if unknown > 0 {
        let advice = "give the broker a directory of its own: what it does not know it leaves alone";
        return Finding::better(
            "contents",
            format!("{found}; directories that are no partitions: {unknown}"),
            advice,
        );
    }
    Finding::ok("contents", found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    #[test]
    fn what_was_set_aside_or_is_nobodys_could_be_better() {
        let plain = Survey { partitions: 3, measured: 3, segments: 4, bytes: 1 << 20, ..Survey::default() };
        assert_eq!(judge(&plain).found, "3 partitions, 4 segments, 1.0 MiB");
        assert_eq!(judge(&Survey { doomed: 1, ..plain }).state, State::Ok);
        assert_eq!(judge(&Survey { set_aside: 1, ..plain }).state, State::CouldBeBetter);
        assert_eq!(judge(&Survey { unknown: 1, ..plain }).state, State::CouldBeBetter);
        assert!(judge(&Survey { measured: 2, ..plain }).found.contains("in the first 2"));
    }
}
