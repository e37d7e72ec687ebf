//! ApiVersions: the first thing a client asks. The answer is the API table, plus the features in force (KIP-584).
//!
//! Its response header is always the oldest, so that a client of any age can read it. A request of an unknown version
//! gets the oldest body with UNSUPPORTED_VERSION and the one range it needs to ask again (KIP-511).

use pagewire_wire::{
    ApiKey, ErrorCode, Str,
    messages::{
        api_versions_request::ApiVersionsRequest,
        api_versions_response::{ApiVersion, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey},
    },
};

use crate::{
    api::{APIS, Api},
    cluster::{FEATURES, Feature},
    net::Outcome,
    request::{Context, encode},
};

/// First version with features.
const FEATURES_FROM: i16 = 3;
/// First version in which a feature may have 0 as its lowest level.
const LEVEL_0_FROM: i16 = 4;

pub(crate) async fn handle(ctx: Context, request: ApiVersionsRequest) -> ApiVersionsResponse {
    let named =
        valid_software(&request.client_software_name) && valid_software(&request.client_software_version);
    if ctx.version >= FEATURES_FROM && !named {
        return ApiVersionsResponse { error_code: ErrorCode::InvalidRequest.code(), ..Default::default() };
    }
    let mut response =
        ApiVersionsResponse { api_keys: APIS.iter().map(range).collect(), ..Default::default() };
    if ctx.version >= FEATURES_FROM {
        let levels = ctx.broker.cluster().features();
        let supported = |feature: &Feature| SupportedFeatureKey {
            name: Str::from_static(feature.name),
            min_version: feature.min,
            max_version: feature.max,
            ..Default::default()
        };
        let finalized = |(feature, level): (&Feature, i16)| FinalizedFeatureKey {
            name: Str::from_static(feature.name),
            min_version_level: level,
            max_version_level: level,
            ..Default::default()
        };
        // Clients of the version before take a lowest level of 0 for an error.
        let shown = |feature: &&Feature| ctx.version >= LEVEL_0_FROM || feature.min > 0;
        response.supported_features = FEATURES.iter().filter(shown).map(supported).collect();
        // A feature at level 0 is not there.
        let in_force = FEATURES.iter().map(|feature| (feature, levels.of(feature)));
        response.finalized_features = in_force.filter(|(_, level)| *level > 0).map(finalized).collect();
        response.finalized_features_epoch = levels.epoch();
    }
    response
}

/// The answer to a version this broker does not know.
pub(crate) fn unsupported(ctx: &Context) -> Outcome {
    let api_keys = APIS.iter().filter(|api| api.key == ApiKey::ApiVersions).map(range).collect();
    let response = ApiVersionsResponse {
        error_code: ErrorCode::UnsupportedVersion.code(),
        api_keys,
        ..Default::default()
    };
    encode(&response, 0, ctx.correlation_id)
}

fn range(api: &Api) -> ApiVersion {
    ApiVersion { api_key: api.key.code(), min_version: api.min, max_version: api.max, ..Default::default() }
}

/// KIP-511: letters, digits, dots and dashes, beginning and ending with a letter or digit.
fn valid_software(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    edge(text.chars().next())
        && edge(text.chars().next_back())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn software_names_follow_kip_511() {
        for good in ["librdkafka", "apache-kafka-java", "4.3.1", "a"] {
            assert!(valid_software(good), "{good}");
        }
        for bad in ["", "-a", "a-", "te t", "a_b", "ü"] {
            assert!(!valid_software(bad), "{bad}");
        }
    }
}
