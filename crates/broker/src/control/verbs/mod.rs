//! What can be asked for: a table, one file a verb.

mod backup;
mod metrics;
mod online;
mod opening;
mod status;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::Control;
use crate::broker::Broker;

/// A verb.
struct Verb {
    name: &'static str,
    begin: fn(Map<String, Value>, Call) -> Result<Work, String>,
}

/// Every verb.
const VERBS: &[Verb] = &[
    Verb { name: "backup", begin: backup::begin },
    Verb { name: "metrics", begin: metrics::begin },
    Verb { name: "online", begin: online::begin },
    Verb { name: "status", begin: status::begin },
];

/// A verb at work: its result, or in words why there is none.
pub(super) type Work = Pin<Box<dyn Future<Output = Result<Value, String>> + Send>>;

/// What verbs share.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    /// One backup at a time.
    backups: Arc<Semaphore>,
}

impl Default for Shared {
    fn default() -> Self {
        Self { backups: Arc::new(Semaphore::new(1)) }
    }
}

/// One request, and the way back to whoever made it.
pub(super) struct Call {
    pub(super) broker: Arc<Broker>,
    pub(super) shared: Shared,
    /// Told now and then how far it is; only the last word counts.
    pub(super) progress: watch::Sender<Value>,
    /// Nobody wants the answer any more.
    pub(super) ending: CancellationToken,
}

impl Call {
    pub(super) fn new(control: &Control) -> (Self, watch::Receiver<Value>) {
        let (progress, told) = watch::channel(Value::Null);
        let (broker, shared) = (Arc::clone(&control.broker), control.verbs.clone());
        (Self { broker, shared, progress, ending: CancellationToken::new() }, told)
    }
}

/// Begins what a line asks for, or says what is wrong with it.
pub(super) fn begin(line: &[u8], call: Call) -> Result<Work, String> {
    let (verb, fields) = parse(line)?;
    (verb.begin)(fields, call)
}

/// What a line asks for.
fn parse(line: &[u8]) -> Result<(&'static Verb, Map<String, Value>), String> {
    let request: Value =
        serde_json::from_slice(line).map_err(|error| format!("the request is no JSON: {error}"))?;
    let Value::Object(mut fields) = request else { return Err("the request is no JSON object".to_owned()) };
    let name = fields.remove("verb");
    let name = name.as_ref().and_then(Value::as_str).ok_or("the request has no verb")?;
    let verb = VERBS.iter().find(|verb| verb.name == name).ok_or_else(|| {
        let known: Vec<&str> = VERBS.iter().map(|verb| verb.name).collect();
        format!("this broker knows no verb '{name}', only {}", known.join(", "))
    })?;
    Ok((verb, fields))
}

/// The verb of a line, if its fields fit.
#[cfg(feature = "fuzzing")]
pub(super) fn understood(line: &[u8]) -> Result<&'static str, String> {
    let (verb, request) = parse(line)?;
    if verb.name == "backup" {
        fields::<crate::backup::BackupOptions>(request)?;
    }
    Ok(verb.name)
}

/// The fields of a request besides its verb. Unknown ones are refused by their type: what a newer client asks for is
/// not to be passed over.
fn fields<T: DeserializeOwned>(fields: Map<String, Value>) -> Result<T, String> {
    serde_json::from_value(Value::Object(fields))
        .map_err(|error| format!("the request does not fit: {error}"))
}
