//! Writes what only tests want, with the feature `testing`: random messages, what each structure looks like, and a
//! table of all messages.

use std::fmt::Write as _;

use crate::model::{Field, Kind, Message, Struct, Type};
use crate::types::{condition, snake};

/// `impl Random` for every structure of a message.
pub(crate) fn random(message: &Message) -> String {
    let mut out = String::from("\nuse crate::testing::{Random, Rng};\n");
    for s in &message.structs {
        let _ = write!(
            out,
            "\nimpl Random for {} {{\n    fn random(rng: &mut Rng, v: i16) -> Self {{\n        \
             let mut out = Self::default();\n",
            s.name
        );
        for field in &s.fields {
            out.push_str(&assign(field, s));
        }
        out.push_str("        out\n    }\n}\n");
    }
    out
}

fn assign(field: &Field, s: &Struct) -> String {
    let name = crate::types::ident(&field.name);
    let value = match (&field.ty, field.nullable) {
        (Type::Records, Some(_)) => format!("rng.records({})", field.null_allowed()),
        (Type::Records, None) => "rng.records(false)".to_owned(),
        (_, Some(_)) => format!("rng.nullable(v, {})", field.null_allowed()),
        _ => "Random::random(rng, v)".to_owned(),
    };
    // Tagged fields are often left out, as in life.
    let value = if field.tag.is_some() {
        format!("if rng.coin() {{ out.{name} = {value}; }}")
    } else {
        format!("out.{name} = {value};")
    };
    match condition(field.versions, s.versions) {
        None => format!("        {value}\n"),
        Some(when) => format!("        if {when} {{ {value} }}\n"),
    }
}

/// `impl Shaped` for every structure of a message.
pub(crate) fn shapes(message: &Message) -> String {
    let mut out = String::from("\nuse crate::testing::shape::{self, Shaped};\n");
    for s in &message.structs {
        let _ =
            write!(out, "\nimpl Shaped for {} {{\n    const FIELDS: &'static [shape::Field] = &[\n", s.name);
        for field in &s.fields {
            let _ = writeln!(
                out,
                "        shape::Field {{ name: {:?}, ty: {}, min: {}, max: {}, nullable: {:?}, tag: {:?}, \
                 default: {:?} }},",
                field.name,
                kind(&field.ty),
                field.versions.min,
                field.versions.max,
                field.nullable.map(|when| (when.min, when.max)),
                field.tag,
                field.default
            );
        }
        out.push_str("    ];\n}\n");
    }
    out
}

/// A type as an expression of `shape::Type`.
fn kind(ty: &Type) -> String {
    match ty {
        Type::Struct(name) => format!("shape::Type::Struct(<{name} as Shaped>::FIELDS)"),
        Type::Array(inner) => format!("shape::Type::Array(&{})", kind(inner)),
        plain => format!("shape::Type::{plain:?}"),
    }
}

/// The table of all messages.
pub(crate) fn table(messages: &[Message]) -> String {
    let mut out = String::from(
        "\n/// Every message, for tests that go through all of them.\npub static ALL: &[crate::testing::Entry] = &[\n",
    );
    for message in messages {
        let kind = match message.kind {
            Kind::Request => "Request",
            Kind::Response => "Response",
            Kind::Data => "Data",
        };
        let key = message.api.as_ref().map_or("None".into(), |(_, code)| format!("Some({code})"));
        let _ = writeln!(
            out,
            "    crate::testing::Entry::of::<{}::{}>(crate::testing::Kind::{kind}, {key}),",
            snake(&message.name),
            message.name
        );
    }
    out.push_str("];\n");
    out
}
