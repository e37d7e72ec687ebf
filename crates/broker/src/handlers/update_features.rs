//! UpdateFeatures: levels of features go up and down (KIP-584, KIP-778). All changes of a request are made, or none.

use pagewire_wire::{
    ErrorCode, Str,
    messages::{
        update_features_request::{FeatureUpdateKey, UpdateFeaturesRequest},
        update_features_response::{UpdatableFeatureResult, UpdateFeaturesResponse},
    },
};

use crate::{
    cluster::{Direction, LevelWish, Refused, change},
    request::Context,
};

/// From here on the answer is one for all; before, each feature has one of its own.
const ONE_ANSWER_FROM: i16 = 2;

pub(crate) async fn handle(ctx: Context, request: UpdateFeaturesRequest) -> UpdateFeaturesResponse {
    let names: Vec<Str> = request.feature_updates.iter().map(|update| update.feature.clone()).collect();
    let (code, error_message) = match update(&ctx, request).await {
        Ok(()) => (ErrorCode::None, None),
        Err(refused) => {
            let why = "The update failed for all features since the following feature had an error:";
            (refused.code, Some(Str::from(format!("{why} {}", refused.message))))
        }
    };
    // What Kafka says where nothing went wrong.
    let fine = || Some(Str::from_static("NONE"));
    let each = |feature: Str| UpdatableFeatureResult { feature, error_message: fine(), ..Default::default() };
    let told_apart = ctx.version < ONE_ANSWER_FROM && code == ErrorCode::None;
    UpdateFeaturesResponse {
        error_code: code.code(),
        error_message,
        results: if told_apart { names.into_iter().map(each).collect() } else { Vec::new() },
        ..Default::default()
    }
}

async fn update(ctx: &Context, request: UpdateFeaturesRequest) -> Result<(), Refused> {
    if request.validate_only {
        let wishes: Vec<LevelWish<'_>> = request.feature_updates.iter().map(wish).collect();
        return ctx.broker.cluster().check_features(&wishes);
    }
    let updates = request.feature_updates;
    change(&ctx.broker, move |change| async move {
        let wishes: Vec<LevelWish<'_>> = updates.iter().map(wish).collect();
        change.features(&wishes).await
    })
    .await
}

fn wish(update: &FeatureUpdateKey) -> LevelWish<'_> {
    let direction = Direction::from_code(update.upgrade_type);
    LevelWish { name: &update.feature, level: update.max_version_level, direction }
}
