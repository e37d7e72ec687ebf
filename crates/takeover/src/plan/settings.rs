//! Which settings come along: those that whoever serves the directory knows, with values that it takes.

use std::collections::BTreeMap;

use pagewire_metadata::model::ConfigScope;

use crate::kraft::Owner;
use crate::options::Settings;
use crate::report::SettingLeft;

/// Set for topics whose records lie elsewhere as well.
const TIERED: &str = "remote.storage.enable";

/// Own settings by name.
pub(crate) type Own = BTreeMap<String, String>;

/// Sorts the settings of one owner; what stays behind goes to `left`.
pub(super) fn sort(owner: &Owner, own: &Own, settings: &dyn Settings, left: &mut Vec<SettingLeft>) -> Own {
    let mut stays = |name: &str, why: String| {
        left.push(SettingLeft { owner: owner.to_string(), name: name.to_owned(), why });
    };
    let mut kept = Own::new();
    for (name, value) in own {
        match settings.refuse(owner, name, value) {
            Some(why) => stays(name, why),
            None => {
                kept.insert(name.clone(), value.clone());
            }
        }
    }
    if let Some(why) = settings.refuse_together(owner, &kept) {
        for name in kept.keys() {
            stays(name, why.clone());
        }
        kept.clear();
    }
    kept
}

/// Where the settings of an owner are kept; a topic keeps its own.
pub(super) fn scope(owner: &Owner) -> Option<ConfigScope> {
    match owner {
        Owner::Brokers => Some(ConfigScope::BrokerDefault),
        Owner::Broker(node) => Some(ConfigScope::Broker(*node)),
        Owner::Group(name) => Some(ConfigScope::Group(name.clone())),
        Owner::Topic(_) | Owner::Other { .. } => None,
    }
}

/// Whether records of a topic may lie in remote storage.
pub(super) fn is_tiered(own: &Own) -> bool {
    own.get(TIERED).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}
