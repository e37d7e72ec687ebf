//! Which version of an API to speak: the highest that both sides have.

use std::collections::BTreeMap;

use pagewire_wire::messages::api_versions_response::ApiVersionsResponse;
use pagewire_wire::{ApiKey, Request};

use super::Result;
use super::error::Error;

/// What one broker advertises.
#[derive(Debug, Clone, Default)]
pub(crate) struct Versions {
    by_key: BTreeMap<i16, (i16, i16)>,
    features: Vec<(String, i16)>,
}

impl Versions {
    /// From the broker's answer.
    pub(crate) fn new(answer: &ApiVersionsResponse) -> Self {
        let by_key =
            answer.api_keys.iter().map(|api| (api.api_key, (api.min_version, api.max_version))).collect();
        let features = answer.finalized_features.iter();
        let features =
            features.map(|feature| (feature.name.to_string(), feature.max_version_level)).collect();
        Self { by_key, features }
    }

    /// All APIs with their lowest and highest version, by key.
    pub(crate) fn all(&self) -> impl Iterator<Item = (i16, i16, i16)> + '_ {
        self.by_key.iter().map(|(key, (min, max))| (*key, *min, *max))
    }

    /// Finalised features and their levels.
    pub(crate) fn features(&self) -> &[(String, i16)] {
        &self.features
    }

    /// Whether the broker has the API at all.
    pub(crate) fn has(&self, api: ApiKey) -> bool {
        self.by_key.contains_key(&api.code())
    }

    /// An error unless the broker speaks version `least` of `R`.
    pub(crate) fn demand<R: Request>(&self, least: i16) -> Result<()> {
        if self.choose::<R>(i16::MAX)? >= least {
            return Ok(());
        }
        let theirs = self.by_key.get(&R::KEY.code()).copied();
        Err(Error::Unsupported { api: R::KEY, theirs, ours: (least, R::VERSION_MAX) })
    }

    /// The version to use for `R`, at most `ceiling`.
    pub(crate) fn choose<R: Request>(&self, ceiling: i16) -> Result<i16> {
        let ours = (R::VERSION_MIN, (*R::KEY.stable_versions().end()).min(R::VERSION_MAX).min(ceiling));
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

    fn broker(min_version: i16, max_version: i16) -> Versions {
        let api_keys = vec![ApiVersion { api_key: 1, min_version, max_version }];
        Versions::new(&ApiVersionsResponse { api_keys, ..ApiVersionsResponse::default() })
    }

    #[test]
    fn the_highest_version_of_both_is_chosen() {
        assert_eq!(broker(0, 11).choose::<FetchRequest>(12).unwrap(), 11);
        assert_eq!(broker(4, 99).choose::<FetchRequest>(12).unwrap(), 12);
        assert_eq!(broker(4, 99).choose::<FetchRequest>(i16::MAX).unwrap(), 18);
    }

    #[test]
    fn no_common_version_is_a_clear_error() {
        let error = broker(0, 3).choose::<FetchRequest>(12).unwrap_err().to_string();
        assert!(error.contains("Fetch in versions 0 to 3") && error.contains("4 to 12"), "{error}");
        let error = broker(0, 3).choose::<MetadataRequest>(13).unwrap_err().to_string();
        assert!(error.contains("Metadata not at all"), "{error}");
    }
}
