//! Which version of an API to speak: the highest that both sides have. Nothing is assumed about a broker.

use std::collections::BTreeMap;

use pagewire_wire::messages::api_versions_response::ApiVersionsResponse;
use pagewire_wire::{ApiKey, Request};

use super::{Error, Result};

/// From the next version on a topic is named by its id alone, which only some brokers know.
pub(super) const PRODUCE_CEILING: i16 = 12;
/// The same for fetches.
pub(super) const FETCH_CEILING: i16 = 12;
/// From the next version on several coordinators are looked for at once.
const FIND_COORDINATOR_CEILING: i16 = 3;
/// From the next version on it is for brokers.
const ADD_PARTITIONS_CEILING: i16 = 3;
/// From the next version on the end of a transaction raises the producer's epoch (KIP-890).
const END_CEILING: i16 = 4;

/// What one broker offers.
#[derive(Debug, Clone, Default)]
pub struct Versions {
    by_key: BTreeMap<i16, (i16, i16)>,
}

impl Versions {
    /// From the broker's answer.
    pub(super) fn new(answer: &ApiVersionsResponse) -> Self {
        let apis = answer.api_keys.iter();
        Self { by_key: apis.map(|api| (api.api_key, (api.min_version, api.max_version))).collect() }
    }

    /// The version to use for `R`.
    pub fn choose<R: Request>(&self) -> Result<i16> {
        let ceiling = match R::KEY {
            ApiKey::Produce => PRODUCE_CEILING,
            ApiKey::Fetch => FETCH_CEILING,
            ApiKey::FindCoordinator => FIND_COORDINATOR_CEILING,
            ApiKey::AddPartitionsToTxn => ADD_PARTITIONS_CEILING,
            ApiKey::EndTxn => END_CEILING,
            _ => i16::MAX,
        };
        let stable = *R::KEY.stable_versions().end();
        let ours = (R::VERSION_MIN, stable.min(R::VERSION_MAX).min(ceiling));
        let theirs = self.by_key.get(&R::KEY.code()).copied();
        let common = theirs.map(|(min, max)| (min.max(ours.0), max.min(ours.1)));
        match common {
            Some((min, max)) if min <= max => Ok(max),
            _ => Err(Error::Unsupported { api: R::KEY, theirs, ours }),
        }
    }
}

#[cfg(test)]
mod tests {
    use pagewire_wire::messages::api_versions_response::ApiVersion;
    use pagewire_wire::messages::fetch_request::FetchRequest;
    use pagewire_wire::messages::metadata_request::MetadataRequest;

    use super::*;

    fn offered(api: ApiKey, min_version: i16, max_version: i16) -> Versions {
        let api = ApiVersion { api_key: api.code(), min_version, max_version, ..ApiVersion::default() };
        Versions::new(&ApiVersionsResponse { api_keys: vec![api], ..ApiVersionsResponse::default() })
    }

    #[test]
    fn the_highest_version_of_both_is_spoken_and_names_stay_names() {
        assert_eq!(offered(ApiKey::Fetch, 0, 10).choose::<FetchRequest>().unwrap(), 10);
        assert_eq!(offered(ApiKey::Fetch, 4, 18).choose::<FetchRequest>().unwrap(), FETCH_CEILING);
        assert_eq!(offered(ApiKey::Metadata, 0, 7).choose::<MetadataRequest>().unwrap(), 7);
    }

    #[test]
    fn nothing_in_common_is_said_with_both_ranges() {
        let error = offered(ApiKey::Fetch, 13, 18).choose::<FetchRequest>().unwrap_err().to_string();
        assert!(error.contains("13 to 18") && error.contains("to 12"), "{error}");
        let error = Versions::default().choose::<FetchRequest>().unwrap_err().to_string();
        assert!(error.contains("not at all"), "{error}");
    }
}
