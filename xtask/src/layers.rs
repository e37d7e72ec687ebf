//! Imports only go down: which crate may depend on which, as `docs/architecture.md` draws it.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::run::cargo;

/// Each crate with the ones of ours it may import. Whatever is not listed may not be imported.
const ALLOWED: &[(&str, &[&str])] = &[
    ("pagewire-zcopy", &[]),
    ("pagewire-record", &[]),
    ("pagewire-disk", &[]),
    ("pagewire-wire", &[]),
    ("pagewire-coordinate", &["pagewire-record"]),
    ("pagewire-metadata", &["pagewire-disk"]),
    ("pagewire-log", &["pagewire-zcopy", "pagewire-record", "pagewire-disk"]),
    (
        "pagewire-broker",
        &[
            "pagewire-zcopy",
            "pagewire-record",
            "pagewire-disk",
            "pagewire-wire",
            "pagewire-log",
            "pagewire-coordinate",
            "pagewire-metadata",
        ],
    ),
    ("pagewire-built", &[]),
    ("pagewire-offload", &[]),
    ("pagewire-lab", &["pagewire-zcopy", "pagewire-record", "pagewire-wire", "pagewire-offload"]),
    ("pagewire-doctor", &["pagewire-zcopy", "pagewire-disk", "pagewire-log", "pagewire-offload"]),
    (
        "pagewire-takeover",
        &["pagewire-record", "pagewire-disk", "pagewire-log", "pagewire-coordinate", "pagewire-metadata"],
    ),
    (
        "pagewire-cli",
        &[
            "pagewire-broker",
            "pagewire-built",
            "pagewire-doctor",
            "pagewire-lab",
            "pagewire-takeover",
            "pagewire-coordinate",
            "pagewire-log",
            "pagewire-metadata",
            "pagewire-disk",
            "pagewire-wire",
            "pagewire-record",
            "pagewire-zcopy",
        ],
    ),
];

/// Says which import goes up or sideways. `Ok(true)`: none.
pub(crate) fn check(root: &Path) -> Result<bool> {
    let text = cargo(root, &["metadata", "--format-version", "1", "--no-deps", "--offline"]).output()?;
    let metadata: Value = serde_json::from_str(&text).context("cargo metadata printed no JSON")?;
    let mut clean = true;
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default();
        let Some((_, allowed)) = ALLOWED.iter().find(|(listed, _)| *listed == name) else { continue };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let imported = dependency["name"].as_str().unwrap_or_default();
            // A dev-dependency is a test's business: an oracle may come from anywhere.
            let ours = imported.starts_with("pagewire-") && dependency["kind"].is_null();
            if ours && !allowed.contains(&imported) {
                println!("{name} imports {imported}, which does not lie below it");
                clean = false;
            }
        }
    }
    Ok(clean)
}
