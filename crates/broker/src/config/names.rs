//! What a misspelt name may have meant.

/// The known name nearest to `name`, if one is near enough to be meant.
pub(super) fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let name = name.to_ascii_lowercase();
    known
        .map(|candidate| (strsim::osa_distance(&name, candidate), candidate))
        .min_by_key(|(distance, candidate)| (*distance, candidate.len()))
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 4).max(2))
        .map(|(_, candidate)| candidate)
}

/// `log.segment.bytes` as it stands in the environment: `PAGEWIRE_LOG_SEGMENT_BYTES`.
pub(super) fn variable(name: &str) -> String {
    let name = name.strip_prefix("pagewire.").unwrap_or(name);
    let mut variable = String::from("PAGEWIRE_");
    variable.extend(name.chars().map(|c| match c {
        '.' | '-' => '_',
        other => other.to_ascii_uppercase(),
    }));
    variable
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::table::broker_settings;

    #[test]
    fn a_slip_of_the_finger_finds_its_name_and_nonsense_does_not() {
        let known = || broker_settings().map(|setting| setting.name);
        for (slip, meant) in [
            ("log.segment.byte", "log.segment.bytes"),
            ("log.retention.hour", "log.retention.hours"),
            ("num.partition", "num.partitions"),
            ("listners", "listeners"),
            ("Auto.Create.Topics.Enable", "auto.create.topics.enable"),
        ] {
            assert_eq!(nearest(slip, known()), Some(meant), "{slip}");
        }
        assert_eq!(nearest("entirely.different", known()), None);
    }

    #[test]
    fn no_two_settings_share_a_variable() {
        let mut seen = BTreeMap::new();
        for setting in broker_settings() {
            assert_eq!(seen.insert(variable(setting.name), setting.name), None, "{}", setting.name);
        }
    }
}
