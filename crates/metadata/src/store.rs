//! The seam every metadata store implements, in terms that etcd can keep too.
//!
//! Invariants every implementation holds (the suite in `testing` checks them):
//! - a batch of writes happens at once or not at all, and takes exactly one revision;
//! - a key's version is the revision that wrote it last, so a version never comes back;
//! - an answered write survives the loss of the process (and of power, for stores on disk);
//! - a watcher sees every change after its revision in order, or one [`Event::Resync`], never a silent gap.

use std::fmt::Debug;

use async_trait::async_trait;
use bytes::Bytes;

/// A point in the store's history. The first write has revision 1; an empty store is at 0.
pub type Revision = i64;

/// Names a lease; never zero.
pub type LeaseId = i64;

/// Longest key, in bytes.
pub const MAX_KEY_BYTES: usize = 1024;
/// Longest value, in bytes. etcd's default request limit is 1.5 MiB.
pub const MAX_VALUE_BYTES: usize = 1024 * 1024;
/// Bytes of one batch: its values, and its keys twice, as conditions name them again. etcd's default limit of a request
/// is 1.5 MiB; what is left is for its framing.
pub const MAX_BATCH_BYTES: usize = 1472 * 1024;
/// Most operations in one batch (etcd's default limit).
pub const MAX_BATCH_OPS: usize = 128;

/// A value with the revision that wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned {
    /// The bytes that were put.
    pub value: Bytes,
    /// The revision of that put.
    pub version: Revision,
}

/// One row of a [`Listing`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The whole key, prefix included.
    pub key: String,
    /// Its value and version.
    pub value: Versioned,
}

/// What [`Store::list`] found at one revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The revision the listing shows: watch from here to miss nothing.
    pub revision: Revision,
    /// In key order.
    pub entries: Vec<Entry>,
}

/// What must be true of a key for a write to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Nothing: write in any case.
    Any,
    /// The key does not exist.
    Absent,
    /// The key exists and was last written by this revision.
    Version(Revision),
}

/// One conditional operation of a [`Batch`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Writes `value`. With a lease the key goes away when the lease ends.
    Put {
        /// The key to write.
        key: String,
        /// Its new value.
        value: Bytes,
        /// The condition.
        expect: Expect,
        /// The lease that keeps the key, if any; a put without one takes the key out of its lease.
        lease: Option<LeaseId>,
    },
    /// Removes the key. Removing an absent key under [`Expect::Any`] succeeds and changes nothing.
    Delete {
        /// The key to remove.
        key: String,
        /// The condition.
        expect: Expect,
    },
    /// Only checks a condition, for instance that a leader's claim still stands.
    Check {
        /// The key to look at.
        key: String,
        /// The condition.
        expect: Expect,
    },
}

impl Op {
    /// The key this operation is about.
    pub fn key(&self) -> &str {
        match self {
            Self::Put { key, .. } | Self::Delete { key, .. } | Self::Check { key, .. } => key,
        }
    }

    fn bytes(&self) -> usize {
        let value = if let Self::Put { value, .. } = self { value.len() } else { 0 };
        2 * self.key().len() + value
    }
}

/// Operations that happen together or not at all. At most one operation a key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// The operations; their order does not matter.
    pub ops: Vec<Op>,
}

impl Batch {
    /// A batch without operations.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a write.
    #[must_use]
    pub fn put(mut self, key: impl Into<String>, value: impl Into<Bytes>, expect: Expect) -> Self {
        self.ops.push(Op::Put { key: key.into(), value: value.into(), expect, lease: None });
        self
    }

    /// Adds a write that ends with `lease`.
    #[must_use]
    pub fn put_leased(
        mut self,
        key: impl Into<String>,
        value: impl Into<Bytes>,
        expect: Expect,
        lease: LeaseId,
    ) -> Self {
        self.ops.push(Op::Put { key: key.into(), value: value.into(), expect, lease: Some(lease) });
        self
    }

    /// Adds a removal.
    #[must_use]
    pub fn delete(mut self, key: impl Into<String>, expect: Expect) -> Self {
        self.ops.push(Op::Delete { key: key.into(), expect });
        self
    }

    /// Adds a condition on a key that is not written.
    #[must_use]
    pub fn check(mut self, key: impl Into<String>, expect: Expect) -> Self {
        self.ops.push(Op::Check { key: key.into(), expect });
        self
    }

    /// Refuses what no store can keep.
    pub(crate) fn validate(&self) -> Result<(), StoreError> {
        if self.ops.len() > MAX_BATCH_OPS {
            return Err(StoreError::TooLarge { what: "operations in a batch", limit: MAX_BATCH_OPS });
        }
        if self.ops.iter().map(Op::bytes).sum::<usize>() > MAX_BATCH_BYTES {
            return Err(StoreError::TooLarge { what: "bytes in a batch", limit: MAX_BATCH_BYTES });
        }
        for (index, op) in self.ops.iter().enumerate() {
            if op.key().is_empty() || op.key().len() > MAX_KEY_BYTES {
                return Err(StoreError::TooLarge {
                    what: "bytes in a key (and at least 1)",
                    limit: MAX_KEY_BYTES,
                });
            }
            if let Op::Put { value, .. } = op
                && value.len() > MAX_VALUE_BYTES
            {
                return Err(StoreError::TooLarge { what: "bytes in a value", limit: MAX_VALUE_BYTES });
            }
            if self.ops.iter().take(index).any(|earlier| earlier.key() == op.key()) {
                return Err(StoreError::KeyTwice { key: op.key().to_owned() });
            }
        }
        Ok(())
    }
}

/// One change, or the news that changes were missed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A key was written.
    Put(Entry),
    /// A key was removed, by a delete or by the end of its lease.
    Delete {
        /// The key.
        key: String,
        /// The revision that removed it.
        revision: Revision,
    },
    /// The changes between the watcher's place and `revision` are no longer kept. List again, watch from the
    /// listing's revision. Nothing follows this event.
    Resync {
        /// The store's revision when this was noticed.
        revision: Revision,
    },
}

/// A store could not answer. Retrying may help only for [`StoreError::Unavailable`].
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The disk or the server below failed; what was asked may or may not have happened.
    #[error("the metadata store is not available: {0}")]
    Unavailable(String),
    /// The disk below has no room. The change may be tried again when there is some.
    #[error("the broker's disk is full")]
    Full,
    /// What was read cannot be what was written.
    #[error("the metadata store is damaged: {0}")]
    Damaged(String),
    /// A key, value or batch exceeds a documented limit.
    #[error("too many {what}: the limit is {limit}")]
    TooLarge {
        /// What is limited.
        what: &'static str,
        /// How much is allowed.
        limit: usize,
    },
    /// A batch names a key twice.
    #[error("a batch names the key {key} twice")]
    KeyTwice {
        /// The key.
        key: String,
    },
    /// The store was closed.
    #[error("the metadata store is closed")]
    Closed,
}

/// A write did not happen.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PutError {
    /// A condition did not hold: read again and decide anew.
    #[error("the key {key} has version {found:?}, another one was expected")]
    Conflict {
        /// The first key whose condition failed.
        key: String,
        /// Its version; none when it does not exist.
        found: Option<Revision>,
    },
    /// The lease named by a put has ended or never was.
    #[error("there is no lease {0}")]
    NoSuchLease(LeaseId),
    /// The store itself failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Where a [`Watch`] gets its events from.
#[async_trait]
pub trait WatchSource: Send {
    /// The next event; none when the store is gone.
    async fn next(&mut self) -> Option<Event>;
}

/// Changes under a prefix, in order. Dropping it ends the watch.
pub struct Watch(Box<dyn WatchSource>);

impl Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Watch")
    }
}

impl Watch {
    /// Wraps a store's own source of events.
    pub fn new(source: impl WatchSource + 'static) -> Self {
        Self(Box::new(source))
    }

    /// Waits for the next event; none when the store is gone. Cancel-safe.
    pub async fn next(&mut self) -> Option<Event> {
        self.0.next().await
    }
}

/// A change that a store could not make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedChange {
    /// When it was tried, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// Why it could not be made.
    pub reason: String,
}

/// A versioned key-value store with conditional writes. Keys are paths such as `/topics/orders`.
#[async_trait]
pub trait Store: Send + Sync + Debug {
    /// The value under `key`, if there is one.
    async fn get(&self, key: &str) -> Result<Option<Versioned>, StoreError>;

    /// Everything whose key starts with `prefix`, at one revision.
    async fn list(&self, prefix: &str) -> Result<Listing, StoreError>;

    /// Does all of `batch` in one revision, or nothing. A batch that changes nothing answers the current revision.
    async fn commit(&self, batch: Batch) -> Result<Revision, PutError>;

    /// Changes under `prefix` that came after the revision `after`.
    async fn watch(&self, prefix: &str, after: Revision) -> Result<Watch, StoreError>;

    /// A new lease that ends `ttl_ms` after its last [`Store::keep_alive`].
    async fn grant(&self, ttl_ms: i64) -> Result<LeaseId, StoreError>;

    /// Starts the lease's time anew.
    async fn keep_alive(&self, lease: LeaseId) -> Result<(), PutError>;

    /// Ends the lease and removes its keys. Ending a lease that is gone is not an error.
    async fn revoke(&self, lease: LeaseId) -> Result<(), StoreError>;

    /// The last change that was tried, if it was refused for the store's own sake, or what a [look](Self::look) has found. Waits for
    /// nothing.
    fn trouble(&self) -> Option<FailedChange> {
        None
    }

    /// Looks whether what is in the store would be found by the next one who opens it. What it finds is said once. Blocks.
    fn look(&self) {}

    /// The last call before the process ends: what the next one who opens the store would not find is put where somebody finds it,
    /// which is said. Blocks.
    fn rescue(&self) {}

    /// Writes one key if `expect` holds; answers the new version.
    async fn put_if(&self, key: &str, value: Bytes, expect: Expect) -> Result<Revision, PutError> {
        self.commit(Batch::new().put(key, value, expect)).await
    }

    /// Removes one key if `expect` holds.
    async fn delete_if(&self, key: &str, expect: Expect) -> Result<Revision, PutError> {
        self.commit(Batch::new().delete(key, expect)).await
    }
}
