//! What the figures say, in plain sentences computed from the records.

pub(super) mod drive;
pub(super) mod proof;
pub(super) mod routes;

use super::Records;
use super::setting::settings;

/// A sentence and what it is about.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// A setting or a case; nothing where the words say it themselves.
    pub(super) about: Option<String>,
    /// The sentence.
    pub(super) words: String,
}

/// What stands at the top of the page: the winners. How sure they are and who loses by how much stands beside the
/// plots.
pub(super) fn everything(records: &Records) -> Vec<Said> {
    let plain = |words: String| Said { about: None, words };
    let winners = settings(&records.routes)
        .iter()
        .filter_map(|setting| Some(Said { about: Some(setting.name()), words: routes::cheapest(setting)? }))
        .collect::<Vec<_>>();
    let proof = proof::routes(&records.proof).into_iter().chain(proof::claims(&records.claims));
    winners.into_iter().chain(proof.map(plain)).chain(drive::sentences(&records.drive)).collect()
}
