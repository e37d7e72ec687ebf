//! Whose log directory this is: a Java properties file.
//!
//! ```text
//! version=1
//! cluster.id=5L6g3nShT-eMCtK--X86sw
//! directory.id=Ks2Ngwh4QyGZqbBVu7yjFw
//! node.id=1
//! ```

use std::fmt::Write;
use std::io;
use std::path::Path;

use uuid::Uuid;

use super::error::{CheckpointError, Damage, load};
use super::topic_id::{format_id, parse_id};
use crate::disk::Disk;
use crate::small::write_atomically;

/// Name of the file in a log directory.
pub const META_PROPERTIES_FILE: &str = "meta.properties";

const MAX_BYTES: u64 = 64 << 10;

/// The content of `meta.properties`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetaProperties {
    /// The cluster the directory belongs to.
    pub cluster_id: String,
    /// The node it belongs to.
    pub node_id: i32,
    /// Its own id; Kafka versions before 3.7 wrote none.
    pub directory_id: Option<Uuid>,
}

impl MetaProperties {
    /// Reads the file at `path`; `None` if it does not exist.
    pub fn read(disk: &dyn Disk, path: &Path) -> Result<Option<Self>, CheckpointError> {
        load(disk, path, MAX_BYTES, Self::parse)
    }

    /// Replaces the file at `path`, durably.
    pub fn write(&self, disk: &dyn Disk, path: &Path) -> io::Result<()> {
        write_atomically(disk, path, self.render().as_bytes())
    }

    /// Parses the file's text: version 1, or version 0 of a ZooKeeper broker, which names its node `broker.id`.
    /// Unknown keys are passed over.
    pub fn parse(text: &str) -> Result<Self, Damage> {
        let (mut version, mut cluster_id, mut node_id, mut directory_id) = (None, None, None, None);
        for line in text.lines() {
            let Some((key, value)) = property(line) else { continue };
            match key.as_str() {
                "version" => version = Some(value),
                "cluster.id" => cluster_id = Some(value),
                "node.id" | "broker.id" => node_id = Some(value),
                "directory.id" => directory_id = Some(value),
                _ => {}
            }
        }
        match version.as_deref() {
            Some("0" | "1") => {}
            Some(other) => {
                return Err(Damage::Version { found: other.chars().take(20).collect(), expected: 1 });
            }
            None => return Err(Damage::Key { key: "version" }),
        }
        let cluster_id = cluster_id.filter(|id| !id.is_empty()).ok_or(Damage::Key { key: "cluster.id" })?;
        let node_id = node_id
            .and_then(|id| id.parse().ok())
            .filter(|id| *id >= 0)
            .ok_or(Damage::Key { key: "node.id" })?;
        let directory_id = match directory_id {
            Some(id) => Some(parse_id(&id).ok_or(Damage::Key { key: "directory.id" })?),
            None => None,
        };
        Ok(Self { cluster_id, node_id, directory_id })
    }

    /// The file's text.
    pub fn render(&self) -> String {
        let mut text = format!("version=1\ncluster.id={}\n", escape(&self.cluster_id));
        if let Some(id) = self.directory_id {
            let _ = writeln!(text, "directory.id={}", format_id(id));
        }
        let _ = writeln!(text, "node.id={}", self.node_id);
        text
    }
}

/// Key and value of a line; `None` for blank lines and comments. A backslash takes the next character as it is.
fn property(line: &str) -> Option<(String, String)> {
    let line = line.trim_start();
    if line.is_empty() || line.starts_with(['#', '!']) {
        return None;
    }
    let mut key = String::new();
    let mut chars = line.chars();
    let rest = loop {
        match chars.next() {
            None => break "",
            Some('\\') => key.extend(chars.next()),
            Some('=' | ':') => break chars.as_str(),
            Some(c) if c.is_whitespace() => {
                let rest = chars.as_str().trim_start();
                break rest.strip_prefix(['=', ':']).unwrap_or(rest);
            }
            Some(c) => key.push(c),
        }
    };
    let mut value = String::new();
    let mut chars = rest.trim_start().chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => value.extend(chars.next()),
            c => value.push(c),
        }
    }
    Some((key, value))
}

fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for c in value.chars() {
        if matches!(c, '=' | ':' | '#' | '!' | '\\' | ' ') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
