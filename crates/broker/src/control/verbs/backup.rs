//! `{"verb":"backup","to":DIR}`.

use serde_json::{Map, Value};

use super::{Call, Work};

pub(super) fn begin(_request: Map<String, Value>, call: Call) -> Result<Work, String> {
    let _ = (call.progress, call.ending);
    Err("not yet".to_owned())
}
