//! What a schema file says, as data.

/// A closed range of versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Versions {
    pub(crate) min: i16,
    pub(crate) max: i16,
}

impl Versions {
    pub(crate) fn covers(self, other: Self) -> bool {
        self.min <= other.min && self.max >= other.max
    }
}

#[derive(Debug, Default)]
pub(crate) struct Schema {
    pub(crate) apis: Vec<Api>,
    pub(crate) messages: Vec<Message>,
}

/// One row of the table of API keys.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) code: i16,
    pub(crate) name: String,
    pub(crate) versions: Versions,
    pub(crate) stable_max: i16,
    pub(crate) flexible_from: Option<i16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Request,
    Response,
    Data,
}

/// One message: its structures, itself the last of them.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) kind: Kind,
    /// Name and number of the API; `None` for data.
    pub(crate) api: Option<(String, i16)>,
    pub(crate) name: String,
    pub(crate) versions: Versions,
    pub(crate) flexible_from: Option<i16>,
    pub(crate) structs: Vec<Struct>,
}

#[derive(Debug)]
pub(crate) struct Struct {
    pub(crate) name: String,
    pub(crate) versions: Versions,
    pub(crate) fields: Vec<Field>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Type {
    Bool,
    Int8,
    Int16,
    Int32,
    Int64,
    Uint16,
    Uint32,
    Float64,
    Uuid,
    Text,
    Bytes,
    Records,
    Struct(String),
    Array(Box<Type>),
}

#[derive(Debug)]
pub(crate) struct Field {
    /// As Kafka writes it.
    pub(crate) name: String,
    pub(crate) ty: Type,
    pub(crate) versions: Versions,
    pub(crate) nullable: Option<Versions>,
    pub(crate) tag: Option<u32>,
    pub(crate) default: Option<String>,
    pub(crate) ignorable: bool,
}
