//! The metadata store: each record with its key, as it is stored. Read from a copy in memory, so nothing is locked or changed.

use std::path::Path;

use anyhow::Context;
use pagewire_metadata::{OpenError, Revision};
use serde::Serialize;
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use super::page::Page;
use crate::commands::log::topics::{opened, stored};

#[derive(Serialize)]
struct RecordLine<'a> {
    key: &'a str,
    revision: Revision,
    value: Value,
}

/// Prints the store at `path`.
pub(super) fn dump(path: &Path, page: &mut Page<'_>) -> anyhow::Result<()> {
    let bytes = stored(path)?.context("there is no such file")?;
    let catalog = match opened(&bytes) {
        Ok(catalog) => catalog,
        Err(error) => {
            return match error.downcast_ref() {
                Some(OpenError::Damaged { detail, .. }) => page.damage(None, detail),
                _ => Err(error),
            };
        }
    };
    let listing = block_in_place(|| Handle::current().block_on(catalog.store().list("")))?;
    for entry in &listing.entries {
        let (key, revision) = (entry.key.as_str(), entry.value.version);
        match serde_json::from_slice(&entry.value.value) {
            Ok(value) => {
                let line = RecordLine { key, revision, value };
                page.line("metadata", &line, |line| format!("{key} revision: {revision} {}", line.value))?;
            }
            Err(error) => page.damage(None, &format!("{key} cannot be read: {error}"))?,
        }
    }
    Ok(())
}
