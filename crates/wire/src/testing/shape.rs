//! What the schema says of each structure, as data: for tools that read and write messages they were not compiled
//! for, such as those that send a table's requests.

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Type {
    /// One byte, zero or not.
    Bool,
    /// Big-endian, as are all numbers.
    Int8,
    /// See [`Type::Int8`].
    Int16,
    /// See [`Type::Int8`].
    Int32,
    /// See [`Type::Int8`].
    Int64,
    /// See [`Type::Int8`].
    Uint16,
    /// See [`Type::Int8`].
    Uint32,
    /// IEEE 754.
    Float64,
    /// Sixteen bytes.
    Uuid,
    /// A string.
    Text,
    /// Bytes with their length.
    Bytes,
    /// Record batches with their length.
    Records,
    /// A structure's fields.
    Struct(&'static [Field]),
    /// A count, then as many of these.
    Array(&'static Type),
}

impl Type {
    /// The fields of the structure that it is, or is a list of.
    pub const fn fields(self) -> Option<&'static [Field]> {
        match self {
            Self::Struct(fields) | Self::Array(&Self::Struct(fields)) => Some(fields),
            _ => None,
        }
    }
}

/// One field of a structure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Field {
    /// As Kafka writes it.
    pub name: &'static str,
    /// What it holds.
    pub ty: Type,
    /// First version that has it.
    pub min: i16,
    /// Last version that has it.
    pub max: i16,
    /// First and last version in which it may be null.
    pub nullable: Option<(i16, i16)>,
    /// Its tag, if it is a tagged field.
    pub tag: Option<u32>,
    /// The schema's default, where it is not zero, false or empty.
    pub default: Option<&'static str>,
}

impl Field {
    /// Whether this version of the message has it.
    pub const fn is_in(&self, version: i16) -> bool {
        self.min <= version && version <= self.max
    }
}

/// A structure that can describe itself.
pub trait Shaped {
    /// Its fields, in the order of the schema.
    const FIELDS: &'static [Field];
}
