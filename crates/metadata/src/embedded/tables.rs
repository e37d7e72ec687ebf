//! Rows and leases inside redb: encoding, reading, and the engine's tables over a write transaction.

use bytes::Bytes;
use redb::{
    Database, ReadTransaction, ReadableDatabase, ReadableTable, Table, TableDefinition, TableError,
    WriteTransaction,
};

use super::backend::is_full;
use crate::engine::{Lease, Row, Tables};
use crate::store::{Entry, LeaseId, Listing, Revision, StoreError, Versioned};

const ROWS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("rows");
const LEASES: TableDefinition<'_, i64, (i64, i64)> = TableDefinition::new("leases");
const META: TableDefinition<'_, &str, i64> = TableDefinition::new("meta");

const REVISION: &str = "revision";
const LAST_LEASE: &str = "last-lease";
const FORMAT: &str = "format";
const FORMAT_VERSION: i64 = 1;

const ROW_FORMAT: u8 = 1;
const ROW_HEAD: usize = 17;

/// Any of redb's errors, as the store's.
pub(super) fn failed(error: impl Into<redb::Error>) -> StoreError {
    match error.into() {
        redb::Error::Corrupted(detail) => StoreError::Damaged(detail),
        redb::Error::Io(error) if is_full(error.kind()) => StoreError::Full,
        other => StoreError::Unavailable(other.to_string()),
    }
}

fn encode(row: &Row) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ROW_HEAD + row.value.len());
    bytes.push(ROW_FORMAT);
    bytes.extend_from_slice(&row.version.to_be_bytes());
    bytes.extend_from_slice(&row.lease.to_be_bytes());
    bytes.extend_from_slice(&row.value);
    bytes
}

fn decode(key: &str, bytes: &[u8]) -> Result<Row, StoreError> {
    let damaged = || StoreError::Damaged(format!("the row {key} has an unknown shape"));
    let (&format, rest) = bytes.split_first().ok_or_else(damaged)?;
    let (version, rest) = rest.split_first_chunk::<8>().ok_or_else(damaged)?;
    let (lease, value) = rest.split_first_chunk::<8>().ok_or_else(damaged)?;
    if format != ROW_FORMAT {
        return Err(damaged());
    }
    let value = Bytes::copy_from_slice(value);
    Ok(Row { value, version: i64::from_be_bytes(*version), lease: i64::from_be_bytes(*lease) })
}

/// A row, read and written again.
#[cfg(feature = "fuzzing")]
pub(crate) fn row_again(bytes: &[u8]) -> Result<Vec<u8>, StoreError> {
    decode("key", bytes).map(|row| encode(&row))
}

/// The last revision, and when the next lease runs out.
pub(super) type Found = (Revision, Option<i64>);

/// Creates the tables in a new file.
pub(super) fn create(database: &Database) -> Result<(), StoreError> {
    let mut writing = database.begin_write().map_err(failed)?;
    writing.set_two_phase_commit(true);
    writing.open_table(ROWS).map_err(failed)?;
    writing.open_table(LEASES).map_err(failed)?;
    writing.open_table(META).map_err(failed)?.insert(FORMAT, FORMAT_VERSION).map_err(failed)?;
    writing.commit().map_err(failed)
}

/// The revision and the earliest lease expiry in a file that was made by [`create`].
pub(super) fn look(database: &Database) -> Result<Found, StoreError> {
    let reading = database.begin_read().map_err(failed)?;
    let meta = reading.open_table(META).map_err(|error| match error {
        TableError::Storage(error) => failed(error),
        other => StoreError::Damaged(other.to_string()),
    })?;
    let format = meta.get(FORMAT).map_err(failed)?.map(|guard| guard.value());
    if format != Some(FORMAT_VERSION) {
        let detail = format!("its format is {format:?}, this program knows {FORMAT_VERSION}");
        return Err(StoreError::Damaged(detail));
    }
    let revision = meta.get(REVISION).map_err(failed)?.map_or(0, |guard| guard.value());
    let leases = reading.open_table(LEASES).map_err(failed)?;
    let mut earliest = None;
    for item in leases.iter().map_err(failed)? {
        let (_, times) = item.map_err(failed)?;
        let (_, expires_ms) = times.value();
        earliest = Some(earliest.map_or(expires_ms, |earlier: i64| earlier.min(expires_ms)));
    }
    Ok((revision, earliest))
}

/// Whether the lease a row hangs on has ended, though its end was not yet written.
fn outlived(transaction: &ReadTransaction, row: &Row, now_ms: i64) -> Result<bool, StoreError> {
    if row.lease == 0 {
        return Ok(false);
    }
    let leases = transaction.open_table(LEASES).map_err(failed)?;
    let lease = leases.get(row.lease).map_err(failed)?;
    Ok(lease.is_none_or(|times| times.value().1 <= now_ms))
}

/// One row, without those whose lease has ended.
pub(super) fn get(
    transaction: &ReadTransaction,
    key: &str,
    now_ms: i64,
) -> Result<Option<Versioned>, StoreError> {
    let rows = transaction.open_table(ROWS).map_err(failed)?;
    let Some(bytes) = rows.get(key).map_err(failed)? else { return Ok(None) };
    let row = decode(key, bytes.value())?;
    if outlived(transaction, &row, now_ms)? {
        return Ok(None);
    }
    Ok(Some(Versioned { value: row.value, version: row.version }))
}

/// All rows under a prefix, without those whose lease has ended.
pub(super) fn list(transaction: &ReadTransaction, prefix: &str, now_ms: i64) -> Result<Listing, StoreError> {
    let rows = transaction.open_table(ROWS).map_err(failed)?;
    let meta = transaction.open_table(META).map_err(failed)?;
    let revision = meta.get(REVISION).map_err(failed)?.map_or(0, |guard| guard.value());
    let mut entries = Vec::new();
    for item in rows.range(prefix..).map_err(failed)? {
        let (key, bytes) = item.map_err(failed)?;
        let key = key.value();
        if !key.starts_with(prefix) {
            break;
        }
        let row = decode(key, bytes.value())?;
        if !outlived(transaction, &row, now_ms)? {
            let value = Versioned { value: row.value, version: row.version };
            entries.push(Entry { key: key.to_owned(), value });
        }
    }
    Ok(Listing { revision, entries })
}

/// The engine's tables inside one write transaction.
pub(super) struct Writing<'t> {
    rows: Table<'t, &'static str, &'static [u8]>,
    leases: Table<'t, i64, (i64, i64)>,
    meta: Table<'t, &'static str, i64>,
    /// Whether anything was changed, so that there is something to commit.
    pub(super) dirty: bool,
}

impl<'t> Writing<'t> {
    /// Opens the tables of `transaction`.
    pub(super) fn open(transaction: &'t WriteTransaction) -> Result<Self, StoreError> {
        Ok(Self {
            rows: transaction.open_table(ROWS).map_err(failed)?,
            leases: transaction.open_table(LEASES).map_err(failed)?,
            meta: transaction.open_table(META).map_err(failed)?,
            dirty: false,
        })
    }

    /// Every lease with the time it ends.
    pub(super) fn expiries(&self) -> Result<Vec<(LeaseId, i64)>, StoreError> {
        let mut expiries = Vec::new();
        for item in self.leases.iter().map_err(failed)? {
            let (id, times) = item.map_err(failed)?;
            expiries.push((id.value(), times.value().1));
        }
        Ok(expiries)
    }

    fn number(&self, name: &str) -> Result<i64, StoreError> {
        Ok(self.meta.get(name).map_err(failed)?.map_or(0, |guard| guard.value()))
    }
}

impl Tables for Writing<'_> {
    fn row(&self, key: &str) -> Result<Option<Row>, StoreError> {
        match self.rows.get(key).map_err(failed)? {
            Some(bytes) => decode(key, bytes.value()).map(Some),
            None => Ok(None),
        }
    }

    fn set_row(&mut self, key: &str, row: &Row) -> Result<(), StoreError> {
        self.dirty = true;
        self.rows.insert(key, encode(row).as_slice()).map_err(failed)?;
        Ok(())
    }

    fn remove_row(&mut self, key: &str) -> Result<(), StoreError> {
        self.dirty = true;
        self.rows.remove(key).map_err(failed)?;
        Ok(())
    }

    fn keys_of(&self, lease: LeaseId) -> Result<Vec<String>, StoreError> {
        let mut keys = Vec::new();
        for item in self.rows.iter().map_err(failed)? {
            let (key, bytes) = item.map_err(failed)?;
            if decode(key.value(), bytes.value())?.lease == lease {
                keys.push(key.value().to_owned());
            }
        }
        Ok(keys)
    }

    fn lease(&self, id: LeaseId) -> Result<Option<Lease>, StoreError> {
        let times = self.leases.get(id).map_err(failed)?.map(|guard| guard.value());
        Ok(times.map(|(ttl_ms, expires_ms)| Lease { ttl_ms, expires_ms }))
    }

    fn set_lease(&mut self, id: LeaseId, lease: Option<Lease>) -> Result<(), StoreError> {
        self.dirty = true;
        match lease {
            Some(lease) => self.leases.insert(id, (lease.ttl_ms, lease.expires_ms)).map_err(failed)?,
            None => self.leases.remove(id).map_err(failed)?,
        };
        Ok(())
    }

    fn take_lease_id(&mut self) -> Result<LeaseId, StoreError> {
        let id = self.number(LAST_LEASE)? + 1;
        self.dirty = true;
        self.meta.insert(LAST_LEASE, id).map_err(failed)?;
        Ok(id)
    }

    fn revision(&self) -> Result<Revision, StoreError> {
        self.number(REVISION)
    }

    fn set_revision(&mut self, revision: Revision) -> Result<(), StoreError> {
        self.dirty = true;
        self.meta.insert(REVISION, revision).map_err(failed)?;
        Ok(())
    }
}
