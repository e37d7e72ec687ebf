//! Writes what only tests want, with the feature `testing`: random messages, and a table of all messages.

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
