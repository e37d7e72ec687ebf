//! What the figures say, in plain sentences computed from the records.

pub(super) mod drive;
pub(super) mod proof;
pub(super) mod routes;

use super::Records;

/// All of it, each sentence by itself.
pub(super) fn everything(records: &Records) -> Vec<String> {
    let mut sentences: Vec<String> =
        super::setting::settings(&records.routes).iter().flat_map(routes::sentences).collect();
    sentences.extend(proof::routes(&records.proof));
    sentences.extend(proof::claims(&records.claims));
    sentences.extend(drive::sentences(&records.drive));
    sentences
}
