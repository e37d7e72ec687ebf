//! What a setting is: the shape of one row of the tables in `table/`.

/// The type of a value, with Kafka's names and codes (kafka: ConfigDef.Type, DescribeConfigs `ConfigType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`, in any case.
    Boolean,
    /// Text.
    Text,
    /// 32 bits.
    Int,
    /// 16 bits.
    Short,
    /// 64 bits.
    Long,
    /// A decimal fraction.
    Double,
    /// Texts between commas.
    List,
    /// The name of a Java class: kept and shown, never loaded.
    Class,
    /// Text that is never shown.
    Password,
}

impl Kind {
    /// The code in a DescribeConfigs answer.
    pub const fn code(self) -> i8 {
        match self {
            Self::Boolean => 1,
            Self::Text => 2,
            Self::Int => 3,
            Self::Short => 4,
            Self::Long => 5,
            Self::Double => 6,
            Self::List => 7,
            Self::Class => 8,
            Self::Password => 9,
        }
    }

    /// Kafka's name, as it stands in error messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::Text => "STRING",
            Self::Int => "INT",
            Self::Short => "SHORT",
            Self::Long => "LONG",
            Self::Double => "DOUBLE",
            Self::List => "LIST",
            Self::Class => "CLASS",
            Self::Password => "PASSWORD",
        }
    }
}

/// Which values of the type are allowed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule {
    /// All.
    Any,
    /// At least this.
    Min(i64),
    /// Both ends included.
    Between(i64, i64),
    /// A fraction, both ends included.
    Fraction(f64, f64),
    /// One of these texts; in a list every item is one of them.
    OneOf(&'static [&'static str]),
    /// The same whatever the case.
    OneOfAnyCase(&'static [&'static str]),
    /// -1, or 1 to 9.
    GzipLevel,
    /// `*`, or pairs `partition:broker`.
    ThrottledReplicas,
    /// `earliest`, `latest`, or `by_duration:` and a duration.
    OffsetReset,
    /// At least one character, or one item.
    NotEmpty,
}

/// Whether a setting can change while the broker runs (kafka: DynamicBrokerConfig).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Update {
    /// Only by a restart.
    ReadOnly,
    /// For one broker at a time.
    PerBroker,
    /// For one broker or for all at once.
    ClusterWide,
}

/// What a setting does in this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// What its documentation says.
    Acts,
    /// It is checked, kept and shown; what it would govern is not built yet.
    NotYet,
    /// What it governs in Kafka does not exist here.
    Moot(Area),
}

/// Why a setting of Kafka's is moot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Area {
    /// Controllers, quorums and the metadata log.
    Kraft,
    /// Copies of partitions on other brokers.
    Replication,
    /// Threads, purgatories and buffers of Kafka's own construction.
    Machinery,
    /// Metrics reporters and JMX.
    Reporters,
    /// Java classes plugged into the broker.
    Plugins,
    /// TLS.
    Tls,
    /// SASL and delegation tokens.
    Sasl,
    /// Remote log storage.
    RemoteStorage,
    /// Quotas.
    Quotas,
    /// Settings that Kafka itself no longer has.
    Removed,
}

impl Area {
    /// The reason in one clause, after "has no meaning here:".
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Kraft => "there is no controller quorum and no metadata log",
            Self::Replication => "a partition has no copies on other brokers",
            Self::Machinery => "the part of Kafka it tunes does not exist here",
            Self::Reporters => "there are no Java metrics reporters",
            Self::Plugins => "Java classes cannot be loaded",
            Self::Tls => "TLS is not served yet",
            Self::Sasl => "SASL is not served yet",
            Self::RemoteStorage => "tiered storage is not served yet",
            Self::Quotas => "quotas are not enforced yet",
            Self::Removed => "Kafka 4 no longer has it",
        }
    }
}

/// One row: everything that is known about a setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Kafka's name, or ours under `pagewire.`.
    pub name: &'static str,
    /// The type.
    pub kind: Kind,
    /// The default as text; none is Kafka's null.
    pub default: Option<&'static str>,
    /// Allowed values.
    pub rule: Rule,
    /// Whether it can change while running.
    pub update: Update,
    /// What it does here.
    pub standing: Standing,
    /// What it means, with its unit.
    pub doc: &'static str,
    /// For tests of Kafka itself: accepted, never listed.
    pub internal: bool,
}

impl Setting {
    /// A row that acts, changed only by a restart.
    pub(super) const fn new(
        name: &'static str,
        kind: Kind,
        default: Option<&'static str>,
        rule: Rule,
    ) -> Self {
        let (update, standing) = (Update::ReadOnly, Standing::Acts);
        Self { name, kind, default, rule, update, standing, doc: "", internal: false }
    }

    /// A row of Kafka's that governs nothing here.
    pub(super) const fn moot(
        area: Area,
        name: &'static str,
        kind: Kind,
        default: Option<&'static str>,
        rule: Rule,
    ) -> Self {
        Self { standing: Standing::Moot(area), ..Self::new(name, kind, default, rule) }
    }

    /// What it means.
    pub(super) const fn doc(self, doc: &'static str) -> Self {
        Self { doc, ..self }
    }

    /// It can change while running, for one broker or all.
    pub(super) const fn dynamic(self) -> Self {
        Self { update: Update::ClusterWide, ..self }
    }

    /// It can change while running, for one broker.
    pub(super) const fn per_broker(self) -> Self {
        Self { update: Update::PerBroker, ..self }
    }

    /// It does not act yet.
    pub(super) const fn not_yet(self) -> Self {
        Self { standing: Standing::NotYet, ..self }
    }

    /// It is never listed.
    pub(super) const fn internal(self) -> Self {
        Self { internal: true, ..self }
    }

    /// Its meaning for people: the documentation, or why there is none.
    pub const fn documentation(&self) -> &'static str {
        match self.standing {
            Standing::Moot(area) if self.doc.is_empty() => match area {
                Area::Kraft => "Accepted without effect: there is no controller quorum and no metadata log.",
                Area::Replication => "Accepted without effect: a partition has no copies on other brokers.",
                Area::Machinery => "Accepted without effect: the part of Kafka it tunes does not exist here.",
                Area::Reporters => "Accepted without effect: there are no Java metrics reporters.",
                Area::Plugins => "Accepted without effect: Java classes cannot be loaded.",
                Area::Tls => "Accepted without effect: TLS is not served yet.",
                Area::Sasl => "Accepted without effect: SASL is not served yet.",
                Area::RemoteStorage => "Accepted without effect: tiered storage is not served yet.",
                Area::Quotas => "Accepted without effect: quotas are not enforced yet.",
                Area::Removed => "Accepted without effect: Kafka 4 no longer has it.",
            },
            _ => self.doc,
        }
    }
}
