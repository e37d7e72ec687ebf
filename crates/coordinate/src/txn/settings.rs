//! What an operator sets, under Kafka's names, and the limits that hold whatever was set.

/// Settings of the transaction coordinator, in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `transaction.max.timeout.ms`
    pub max_timeout_ms: i32,
    /// `transactional.id.expiration.ms`
    pub id_expiration_ms: i64,
    /// `transaction.abort.timed.out.transaction.cleanup.interval.ms`
    pub abort_interval_ms: i64,
    /// `transaction.remove.expired.transaction.cleanup.interval.ms`
    pub expiry_interval_ms: i64,
    /// Bounds that are not Kafka's.
    pub limits: Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_timeout_ms: 900_000,
            id_expiration_ms: 7 * 24 * 3_600_000,
            abort_interval_ms: 10_000,
            expiry_interval_ms: 3_600_000,
            limits: Limits::default(),
        }
    }
}

/// Bounds that hold for every shard (one partition of `__transaction_state`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Transactional ids; one more is answered POLICY_VIOLATION.
    pub ids: usize,
    /// Bytes of a transactional id; answered INVALID_REQUEST.
    pub name_bytes: usize,
    /// Partitions of one transaction; answered UNKNOWN_SERVER_ERROR, as where its record grows too large.
    pub partitions: usize,
    /// Bytes of one record, so that its batch stays under `max.message.bytes`. A transaction that would not fit takes no more
    /// partitions, so that its end always fits; answered UNKNOWN_SERVER_ERROR.
    pub append_bytes: usize,
    /// Bytes that all transactional ids take in memory, about; answered POLICY_VIOLATION. What is in the log is loaded in
    /// any case.
    pub bytes: usize,
    /// Records of one append, where many transactional ids are forgotten.
    pub records_per_append: usize,
    /// Transactional ids that one part of the look for expired ones goes through.
    pub look_steps: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            ids: 1 << 20,
            name_bytes: 16 << 10,
            partitions: 1 << 16,
            append_bytes: 512 << 10,
            bytes: 256 << 20,
            records_per_append: 2_000,
            look_steps: 2_000,
        }
    }
}
