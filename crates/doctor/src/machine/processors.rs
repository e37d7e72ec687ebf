//! How many processors there are, and how many of them this process may use.

use std::num::NonZero;
use std::thread;

use super::cgroup;
use crate::finding::Finding;
use crate::{Plan, read};

/// Made up in tests.
#[derive(Debug, Clone, PartialEq)]
struct Facts {
    /// As `/proc/cpuinfo` names it.
    model: Option<String>,
    /// What the machine has switched on, such as `0-3`.
    online: Option<String>,
    /// Workers that the broker starts.
    usable: usize,
    /// Processors' worth of time that the control group may take.
    quota: Option<f64>,
    /// Which control group.
    group: String,
}

pub(crate) fn look(plan: &Plan) -> Vec<Finding> {
    let (limits, group) = cgroup::limits(&plan.data_dir);
    vec![judge(&Facts {
        model: model(),
        online: read::text("/sys/devices/system/cpu/online").ok(),
        usable: thread::available_parallelism().map_or(1, NonZero::get),
        quota: limits.processors,
        group,
    })]
}

/// The processor's name, where the kernel tells one.
pub(crate) fn model() -> Option<String> {
    let info = read::text("/proc/cpuinfo").ok()?;
    let (_, name) = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'))?;
    Some(name.trim().to_owned())
}

fn judge(facts: &Facts) -> Finding {
    let mut found = format!("{} usable", facts.usable);
    if let Some(online) = &facts.online {
        found = format!("{found}, {online} online");
    }
    if let Some(model) = &facts.model {
        found = format!("{found}, {model}");
    }
    found = match facts.quota {
        Some(quota) => format!("{found}; {} may use {quota:.1} processors' worth of time", facts.group),
        None => format!("{found}, no quota"),
    };
    match facts.quota {
        Some(quota) if quota < 1.0 => Finding::better(
            "processors",
            found,
            "the broker stands still when its quota is used up, which clients see as latency: give it one whole \
             processor at least (cpu.max, or the container's CPU limit)",
        ),
        _ if facts.usable < 2 => Finding::better(
            "processors",
            found,
            "with one processor connections, syncs and clients on this machine wait for each other: two do better",
        ),
        _ => Finding::ok("processors", found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    fn facts() -> Facts {
        Facts {
            model: None,
            online: Some("0-3".to_owned()),
            usable: 4,
            quota: None,
            group: "a group".to_owned(),
        }
    }

    #[test]
    fn a_quota_below_one_processor_could_be_better() {
        assert_eq!(judge(&facts()).state, State::Ok);
        assert_eq!(judge(&Facts { quota: Some(2.0), ..facts() }).state, State::Ok);
        let throttled = judge(&Facts { quota: Some(0.5), ..facts() });
        assert!(throttled.state == State::CouldBeBetter && throttled.found.contains("0.5"), "{throttled:?}");
    }

    #[test]
    fn a_single_processor_could_be_better() {
        assert_eq!(judge(&Facts { usable: 1, ..facts() }).state, State::CouldBeBetter);
    }
}
