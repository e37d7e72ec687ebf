//! Transparent huge pages: `always` lets a page fault stop for compaction, and small buffers take two MiB each.

use std::io;

use crate::finding::Finding;
use crate::{Plan, read};

const CHECK: &str = "transparent huge pages";
const DIR: &str = "/sys/kernel/mm/transparent_hugepage";

pub(crate) fn look(_: &Plan) -> Vec<Finding> {
    let mode = |file: &str| read::text(format!("{DIR}/{file}")).map(|text| read::chosen(&text).to_owned());
    vec![match mode("enabled") {
        Ok(enabled) => judge(&enabled, mode("defrag").ok().as_deref()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Finding::ok(CHECK, "this kernel has none"),
        Err(error) => Finding::unseen(CHECK, &error),
    }]
}

fn judge(enabled: &str, defrag: Option<&str>) -> Finding {
    let found = match defrag {
        Some(defrag) => format!("{enabled}, defrag {defrag}"),
        None => enabled.to_owned(),
    };
    if enabled == "always" && defrag.is_none_or(|defrag| defrag == "always") {
        let advice = "a page fault of the broker may wait until the kernel has made a huge page: \
                      echo madvise > /sys/kernel/mm/transparent_hugepage/enabled";
        return Finding::better(CHECK, found, advice);
    }
    Finding::ok(CHECK, found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    #[test]
    fn only_always_with_compaction_in_the_fault_could_be_better() {
        assert_eq!(judge("always", Some("always")).state, State::CouldBeBetter);
        assert_eq!(judge("always", Some("madvise")).state, State::Ok);
        assert_eq!(judge("madvise", Some("always")).state, State::Ok);
        assert_eq!(judge("never", None).state, State::Ok);
    }
}
