//! What a write does, decided over any ordered map: no disk, no clock, no lock.
//!
//! The memory and the embedded store both run this, so that they cannot differ in meaning.

use bytes::Bytes;

use crate::store::{Batch, Entry, Event, Expect, LeaseId, Op, PutError, Revision, StoreError, Versioned};

/// A key's row as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) value: Bytes,
    pub(crate) version: Revision,
    /// Zero when no lease holds the key.
    pub(crate) lease: LeaseId,
}

/// A lease as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) ttl_ms: i64,
    pub(crate) expires_ms: i64,
}

/// The maps the engine works on; one store is one implementation.
pub(crate) trait Tables {
    fn row(&self, key: &str) -> Result<Option<Row>, StoreError>;
    fn set_row(&mut self, key: &str, row: &Row) -> Result<(), StoreError>;
    fn remove_row(&mut self, key: &str) -> Result<(), StoreError>;
    /// The keys a lease holds. May look at every row: leases end rarely.
    fn keys_of(&self, lease: LeaseId) -> Result<Vec<String>, StoreError>;
    fn lease(&self, id: LeaseId) -> Result<Option<Lease>, StoreError>;
    fn set_lease(&mut self, id: LeaseId, lease: Option<Lease>) -> Result<(), StoreError>;
    /// The lowest id above every lease ever granted.
    fn take_lease_id(&mut self) -> Result<LeaseId, StoreError>;
    fn revision(&self) -> Result<Revision, StoreError>;
    fn set_revision(&mut self, revision: Revision) -> Result<(), StoreError>;
}

/// The effect of one write: the revision after it, and what watchers are told.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    pub(crate) revision: Revision,
    pub(crate) events: Vec<Event>,
}

fn holds(expect: Expect, found: Option<Revision>) -> bool {
    match expect {
        Expect::Any => true,
        Expect::Absent => found.is_none(),
        Expect::Version(version) => found == Some(version),
    }
}

/// Checks every condition, then applies every operation. `batch` was validated by the caller.
/// On an error nothing has been changed, unless the error came from the tables themselves.
pub(crate) fn commit(tables: &mut impl Tables, batch: Batch, now_ms: i64) -> Result<Applied, PutError> {
    for op in &batch.ops {
        let found = tables.row(op.key())?.map(|row| row.version);
        let (Op::Put { expect, .. } | Op::Delete { expect, .. } | Op::Check { expect, .. }) = op;
        if !holds(*expect, found) {
            return Err(PutError::Conflict { key: op.key().to_owned(), found });
        }
        if let Op::Put { lease: Some(id), .. } = op
            && tables.lease(*id)?.is_none_or(|lease| lease.expires_ms <= now_ms)
        {
            return Err(PutError::NoSuchLease(*id));
        }
    }
    let before = tables.revision()?;
    let revision = before + 1;
    let mut events = Vec::new();
    for op in batch.ops {
        match op {
            Op::Check { .. } => {}
            Op::Delete { key, .. } => {
                if tables.row(&key)?.is_some() {
                    tables.remove_row(&key)?;
                    events.push(Event::Delete { key, revision });
                }
            }
            Op::Put { key, value, lease, .. } => {
                let row = Row { value, version: revision, lease: lease.unwrap_or(0) };
                tables.set_row(&key, &row)?;
                events.push(Event::Put(Entry {
                    key,
                    value: Versioned { value: row.value, version: revision },
                }));
            }
        }
    }
    if events.is_empty() {
        return Ok(Applied { revision: before, events });
    }
    tables.set_revision(revision)?;
    Ok(Applied { revision, events })
}

/// Grants a lease of at least one millisecond.
pub(crate) fn grant(
    tables: &mut impl Tables,
    ttl_ms: i64,
    now_ms: i64,
) -> Result<(LeaseId, Lease), StoreError> {
    let ttl_ms = ttl_ms.max(1);
    let lease = Lease { ttl_ms, expires_ms: now_ms.saturating_add(ttl_ms) };
    let id = tables.take_lease_id()?;
    tables.set_lease(id, Some(lease))?;
    Ok((id, lease))
}

/// Renews a lease that has not ended.
pub(crate) fn keep_alive(tables: &mut impl Tables, id: LeaseId, now_ms: i64) -> Result<Lease, PutError> {
    match tables.lease(id)? {
        Some(lease) if lease.expires_ms > now_ms => {
            let renewed = Lease { ttl_ms: lease.ttl_ms, expires_ms: now_ms.saturating_add(lease.ttl_ms) };
            tables.set_lease(id, Some(renewed))?;
            Ok(renewed)
        }
        _ => Err(PutError::NoSuchLease(id)),
    }
}

/// Ends a lease: its keys go in one revision.
pub(crate) fn end_lease(tables: &mut impl Tables, id: LeaseId) -> Result<Applied, StoreError> {
    let before = tables.revision()?;
    if tables.lease(id)?.is_none() {
        return Ok(Applied { revision: before, events: Vec::new() });
    }
    tables.set_lease(id, None)?;
    let revision = before + 1;
    let mut events = Vec::new();
    for key in tables.keys_of(id)? {
        tables.remove_row(&key)?;
        events.push(Event::Delete { key, revision });
    }
    if events.is_empty() {
        return Ok(Applied { revision: before, events });
    }
    tables.set_revision(revision)?;
    Ok(Applied { revision, events })
}
