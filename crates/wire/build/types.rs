//! How names, types, defaults and version conditions look in the generated Rust.

use crate::model::{Field, Type, Versions};

/// `TopicId` becomes `topic_id`.
pub(crate) fn snake(name: &str) -> String {
    let mut out = String::new();
    let mut before = '_';
    for c in name.chars() {
        if c.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit()) {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
        before = c;
    }
    out
}

/// A field's name in Rust.
pub(crate) fn ident(name: &str) -> String {
    let name = snake(name);
    match name.as_str() {
        "type" | "match" | "ref" | "use" | "in" | "loop" | "move" => format!("r#{name}"),
        _ => name,
    }
}

impl Type {
    /// The type of one value, without null.
    pub(crate) fn rust(&self) -> String {
        match self {
            Self::Bool => "bool".into(),
            Self::Int8 => "i8".into(),
            Self::Int16 => "i16".into(),
            Self::Int32 => "i32".into(),
            Self::Int64 => "i64".into(),
            Self::Uint16 => "u16".into(),
            Self::Uint32 => "u32".into(),
            Self::Float64 => "f64".into(),
            Self::Uuid => "Uuid".into(),
            Self::Text => "Str".into(),
            Self::Bytes => "Bytes".into(),
            Self::Records => "Records".into(),
            Self::Struct(name) => name.clone(),
            Self::Array(inner) => format!("Vec<{}>", inner.rust()),
        }
    }

    /// Reader and writer method, and bytes, of types of fixed size.
    pub(crate) fn fixed(&self) -> Option<(&'static str, usize)> {
        Some(match self {
            Self::Bool => ("bool", 1),
            Self::Int8 => ("i8", 1),
            Self::Int16 => ("i16", 2),
            Self::Int32 => ("i32", 4),
            Self::Int64 => ("i64", 8),
            Self::Uint16 => ("u16", 2),
            Self::Uint32 => ("u32", 4),
            Self::Float64 => ("f64", 8),
            Self::Uuid => ("uuid", 16),
            _ => return None,
        })
    }
}

impl Field {
    /// True if null is a value of its Rust type's `Option`; records carry null themselves.
    pub(crate) fn optional(&self) -> bool {
        self.nullable.is_some() && self.ty != Type::Records
    }

    pub(crate) fn rust(&self) -> String {
        if self.optional() { format!("Option<{}>", self.ty.rust()) } else { self.ty.rust() }
    }

    fn null_by_default(&self) -> bool {
        self.default.as_deref() == Some("null")
    }

    /// The schema's default as an expression.
    pub(crate) fn default_value(&self) -> Result<String, String> {
        let plain = match (&self.ty, self.default.as_deref()) {
            (_, Some("null")) if self.optional() => return Ok("None".into()),
            (Type::Bool, value) => value.unwrap_or("false").to_owned(),
            (Type::Float64, None) => "0.0".to_owned(),
            (Type::Uuid, None) => "Uuid::NIL".to_owned(),
            (Type::Text, None) => "Str::new()".to_owned(),
            (Type::Bytes, None) => "Bytes::new()".to_owned(),
            (Type::Records, None) => "Records::Null".to_owned(),
            (Type::Array(_), None) => "Vec::new()".to_owned(),
            (Type::Struct(name), None) => format!("{name}::default()"),
            (ty, value) if ty.fixed().is_some() => value.unwrap_or("0").to_owned(),
            (ty, value) => return Err(format!("{}: no default {value:?} for {ty:?}", self.name)),
        };
        Ok(if self.optional() { format!("Some({plain})") } else { plain })
    }

    /// An expression that is true if `self.field` holds the default.
    pub(crate) fn is_default(&self) -> Result<String, String> {
        let name = ident(&self.name);
        Ok(match (&self.ty, self.optional()) {
            (_, true) if self.null_by_default() => format!("self.{name}.is_none()"),
            (Type::Text | Type::Bytes | Type::Array(_), true) => {
                format!("self.{name}.as_ref().is_some_and(|x| x.is_empty())")
            }
            (Type::Text | Type::Bytes | Type::Array(_), false) => format!("self.{name}.is_empty()"),
            (Type::Uuid, _) => format!("self.{name}.is_nil()"),
            (Type::Records, _) => format!("self.{name}.is_null()"),
            _ => format!("self.{name} == {}", self.default_value()?),
        })
    }

    /// When null may stand on the wire, as an expression on the version.
    pub(crate) fn null_allowed(&self) -> String {
        self.nullable
            .map_or("false".into(), |when| condition(when, self.versions).unwrap_or_else(|| "true".into()))
    }
}

/// `when` as a condition on the version `v`, given that it lies in `within`; `None` if it always holds.
pub(crate) fn condition(when: Versions, within: Versions) -> Option<String> {
    match (when.min > within.min, when.max < within.max) {
        (false, false) => None,
        _ if when.min == when.max => Some(format!("v == {}", when.min)),
        (true, false) => Some(format!("v >= {}", when.min)),
        (false, true) => Some(format!("v <= {}", when.max)),
        (true, true) => Some(format!("v >= {} && v <= {}", when.min, when.max)),
    }
}

/// Versions for people: `all versions`, `version 4`, `versions 4+`, `versions 4-7`.
pub(crate) fn describe(when: Versions, within: Versions) -> String {
    match when {
        _ if when.covers(within) => "all versions".into(),
        _ if when.min == when.max => format!("version {}", when.min),
        _ if when.max >= within.max => format!("versions {}+", when.min),
        _ => format!("versions {}-{}", when.min, when.max),
    }
}
