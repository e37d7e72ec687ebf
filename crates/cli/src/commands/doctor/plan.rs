//! From the broker's settings, found as `serve` finds them, to what the checks want to know of them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::anyhow;
use pagewire_broker::config::{
    BrokerConfig, THRESHOLDS_FILE, ThresholdsOrigin, TopicConfig, thresholds_in_use,
};
use pagewire_doctor::{Finding, Origin, Plan, State, within};
use pagewire_zcopy::Thresholds;

use crate::args::doctor::DoctorArgs;
use crate::args::serve::ServeArgs;
use crate::commands::serve::settings;

/// Longest wait for the settings' file, and for the data directory.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// More bytes are no thresholds.
const THRESHOLDS_MAX: usize = 4096;

/// What the checks are to judge against, and how the settings themselves stand. Settings that cannot be read are a
/// finding; the checks then go by the defaults.
pub(super) fn plan(args: &DoctorArgs) -> (Plan, Finding) {
    let serve = ServeArgs {
        config: args.config.clone(),
        data_dir: args.data_dir.clone(),
        set: args.set.clone(),
        ..ServeArgs::default()
    };
    let loaded = within(ANSWER_MAX, move || settings::load(&serve));
    match loaded.unwrap_or_else(|| Err(anyhow!("the file of the settings gives no answer"))) {
        Ok((config, notices)) => (of(&config), read(file(args).as_deref(), &notices)),
        Err(error) => (without_settings(args), unread(&error)),
    }
}

/// The file that is read, if one is named.
fn file(args: &DoctorArgs) -> Option<PathBuf> {
    let variable = || std::env::var_os("PAGEWIRE_CONFIG").filter(|name| !name.is_empty()).map(PathBuf::from);
    args.config.clone().or_else(variable)
}

fn of(config: &BrokerConfig) -> Plan {
    let (thresholds, thresholds_from) = thresholds(config);
    Plan {
        data_dir: config.data_dir().to_path_buf(),
        backlog: u32::try_from(config.socket_listen_backlog_size).unwrap_or(0),
        segment_bytes: TopicConfig::resolve(&BTreeMap::new(), config).segment_bytes.into(),
        open_files: config.open_files_max as u64,
        connections_with: Some(connections_with),
        route: config.transfer_route,
        thresholds,
        thresholds_from,
        acks_all_is_stable: config.acks_all_is_stable,
    }
}

/// The broker's own reckoning. More than can be counted is what it takes for no limit.
fn connections_with(descriptors: u64, open_files: u64) -> u64 {
    let count = |number| usize::try_from(number).unwrap_or(usize::MAX);
    pagewire_broker::connections_with(count(descriptors), count(open_files)) as u64
}

/// The thresholds of the routes, and where they come from. They may lie in the data directory, whose disk may not
/// answer.
fn thresholds(config: &BrokerConfig) -> (Thresholds, Origin) {
    let (set, dir) = (config.transfer_thresholds, config.data_dir().to_path_buf());
    within(ANSWER_MAX, move || found(set, &dir)).unwrap_or_else(|| {
        let silent = Origin::Unusable("the data directory gives no answer".to_owned());
        (Thresholds::default(), silent)
    })
}

fn found(set: Option<Thresholds>, dir: &Path) -> (Thresholds, Origin) {
    let text = set.is_none().then(|| head(&dir.join(THRESHOLDS_FILE))).flatten();
    if text.as_ref().is_some_and(|text| text.len() > THRESHOLDS_MAX) {
        let long = format!("{THRESHOLDS_FILE} in the data directory has more than {THRESHOLDS_MAX} bytes");
        return (Thresholds::default(), Origin::Unusable(long));
    }
    let (thresholds, origin, problem) = thresholds_in_use(set, dir);
    let origin = match (origin, problem) {
        (_, Some(problem)) => Origin::Unusable(problem),
        (ThresholdsOrigin::Setting, None) => Origin::Setting,
        (ThresholdsOrigin::Measured, None) => Origin::Measured(text.unwrap_or_default()),
        (ThresholdsOrigin::Default, None) => Origin::Default,
    };
    (thresholds, origin)
}

/// The beginning of a file, one byte longer than it may be. None where it cannot be read.
fn head(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(THRESHOLDS_MAX as u64 + 1).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn without_settings(args: &DoctorArgs) -> Plan {
    let defaults = of(&BrokerConfig::defaults());
    let named = args.data_dir.clone();
    let variable = || std::env::var_os("PAGEWIRE_DATA_DIR").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    Plan { data_dir: named.or_else(variable).unwrap_or(defaults.data_dir.clone()), ..defaults }
}

fn read(file: Option<&Path>, notices: &[String]) -> Finding {
    let from = file.map_or_else(
        || "no file is named (--config): defaults, and what the environment and options say".to_owned(),
        |file| format!("{} is understood", file.display()),
    );
    let (state, found, advice) = match notices {
        [] => (State::Ok, from, ""),
        notices => (
            State::CouldBeBetter,
            format!("{from}; {}", notices.join("; ")),
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
    use crate::args::OutputAs;
    use crate::output::Format;

    #[test]
    fn settings_that_cannot_be_read_are_a_finding_and_the_named_directory_still_counts() {
        let args = DoctorArgs {
            config: Some("/nowhere/server.properties".into()),
            data_dir: Some("/there".into()),
            set: Vec::new(),
            output: OutputAs { format: Format::Json },
        };
        let (plan, finding) = plan(&args);
        assert_eq!((plan.data_dir, finding.state), (PathBuf::from("/there"), State::Broken));
        assert!(finding.found.contains("/nowhere/server.properties"), "{finding:?}");
    }

    #[test]
    fn a_setting_that_is_given_is_judged_as_serve_would_take_it() {
        let with = |set: &str| {
            let output = OutputAs { format: Format::Json };
            plan(&DoctorArgs { config: None, data_dir: None, set: vec![set.to_owned()], output })
        };
        assert_eq!(with("socket.listen.backlog.size=77").0.backlog, 77);
        let (_, misspelt) = with("log.segment.byte=1");
        assert!(
            misspelt.state == State::Broken && misspelt.found.contains("log.segment.bytes"),
            "{misspelt:?}"
        );
    }

    #[test]
    fn what_was_measured_keeps_the_comments_that_say_where_and_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(THRESHOLDS_FILE);
        let text = "# kernel: 1.2.3\n4096 copy, max splice\n";
        std::fs::write(&file, text).unwrap();
        assert_eq!(found(None, dir.path()).1, Origin::Measured(text.to_owned()));
        assert_eq!(found(Some(Thresholds::default()), dir.path()).1, Origin::Setting);
        std::fs::write(&file, "#".repeat(THRESHOLDS_MAX + 1)).unwrap();
        let (thresholds, origin) = found(None, dir.path());
        assert_eq!(thresholds, Thresholds::default());
        assert!(matches!(origin, Origin::Unusable(why) if why.contains("more than 4096 bytes")));
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
        assert_eq!(read(None, &[]).state, State::Ok);
        let told = read(Some(Path::new("/x.properties")), &["x has no meaning".to_owned()]);
        assert_eq!(told.state, State::CouldBeBetter);
        assert_eq!(told.found, "/x.properties is understood; x has no meaning");
    }
}
