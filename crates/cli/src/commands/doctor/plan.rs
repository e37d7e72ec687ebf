//! From the broker's settings, found as `serve` finds them, to what the checks want to know of them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use pagewire_broker::config::{BrokerConfig, ThresholdsOrigin, TopicConfig, thresholds_in_use};
use pagewire_doctor::{Finding, Origin, Plan, State};

use pagewire_zcopy::Thresholds;

use crate::args::doctor::DoctorArgs;
use crate::args::serve::ServeArgs;
use crate::commands::serve::settings;

/// Longest wait for the data directory.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// What the checks are to judge against, and how the settings themselves stand. Settings that cannot be read are a
/// finding; the checks then go by the defaults.
pub(super) fn plan(args: &DoctorArgs) -> (Plan, Finding) {
    let serve =
        ServeArgs { config: args.config.clone(), data_dir: args.data_dir.clone(), ..ServeArgs::default() };
    match settings::load(&serve) {
        Ok((config, notices)) => (of(&config), read(&notices)),
        Err(error) => (without_settings(args), unread(&error)),
    }
}

fn of(config: &BrokerConfig) -> Plan {
    let (thresholds, thresholds_from) = thresholds(config);
    Plan {
        data_dir: config.log_dir.clone(),
        backlog: u32::try_from(config.socket_listen_backlog_size).unwrap_or(0),
        segment_bytes: TopicConfig::resolve(&BTreeMap::new(), config).segment_bytes.into(),
        open_files: config.open_files_max as u64,
        thresholds,
        thresholds_from,
        acks_all_is_stable: config.acks_all_is_stable,
    }
}

/// The thresholds of the routes, and where they come from. They may lie in the data directory, whose disk may not answer.
fn thresholds(config: &BrokerConfig) -> (Thresholds, Origin) {
    let (set, dir) = (config.transfer_thresholds, config.log_dir.clone());
    let (answer, answered) = mpsc::sync_channel(1);
    // Nobody waits for an answer that comes too late.
    thread::spawn(move || drop(answer.send(thresholds_in_use(set, &dir))));
    let Ok((thresholds, origin, problem)) = answered.recv_timeout(ANSWER_MAX) else {
        let silent = Origin::Unusable("the data directory gives no answer".to_owned());
        return (Thresholds::default(), silent);
    };
    let origin = match (origin, problem) {
        (_, Some(problem)) => Origin::Unusable(problem),
        (ThresholdsOrigin::Setting, None) => Origin::Setting,
        (ThresholdsOrigin::Measured, None) => Origin::Measured,
        (ThresholdsOrigin::Default, None) => Origin::Default,
    };
    (thresholds, origin)
}

fn without_settings(args: &DoctorArgs) -> Plan {
    let defaults = of(&BrokerConfig::defaults());
    let named = args.data_dir.clone();
    let variable = || std::env::var_os("PAGEWIRE_DATA_DIR").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    Plan { data_dir: named.or_else(variable).unwrap_or(defaults.data_dir.clone()), ..defaults }
}

fn read(notices: &[String]) -> Finding {
    let (state, found, advice) = match notices {
        [] => (State::Ok, "understood".to_owned(), ""),
        notices => (
            State::CouldBeBetter,
            notices.join("; "),
            "see `pagewire docs settings` for what each setting means here",
        ),
    };
    Finding { check: "settings".to_owned(), state, found, advice: advice.to_owned() }
}

fn unread(error: &anyhow::Error) -> Finding {
    Finding {
        check: "settings".to_owned(),
        state: State::Broken,
        found: crate::told(error),
        advice: "serve does not start with these settings: correct them; what follows goes by the defaults"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Format;

    #[test]
    fn settings_that_cannot_be_read_are_a_finding_and_the_named_directory_still_counts() {
        let args = DoctorArgs {
            config: Some("/nowhere/server.properties".into()),
            data_dir: Some("/there".into()),
            output: Format::Json,
        };
        let (plan, finding) = plan(&args);
        assert_eq!((plan.data_dir, finding.state), (PathBuf::from("/there"), State::Broken));
        assert!(finding.found.contains("/nowhere/server.properties"), "{finding:?}");
    }

    #[test]
    fn the_brokers_own_defaults_are_the_ones_the_checks_go_by_without_settings() {
        let (plan, defaults) = (of(&BrokerConfig::defaults()), Plan::default());
        assert_eq!((plan.backlog, plan.segment_bytes), (defaults.backlog, defaults.segment_bytes));
        assert!(plan.acks_all_is_stable);
        assert!(plan.data_dir.ends_with("pagewire-data"), "{plan:?}");
    }

    #[test]
    fn what_the_user_should_be_told_of_settings_could_be_better() {
        assert_eq!(read(&[]).state, State::Ok);
        assert_eq!(read(&["x has no meaning".to_owned()]).state, State::CouldBeBetter);
    }
}
