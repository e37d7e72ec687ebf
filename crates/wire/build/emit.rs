//! Writes one Rust module per message: its structures, and for each how to read, write and measure it.
//!
//! The generated functions are plain: a line or two per field, in the order of the wire, conditions on the version
//! `v` where the schema has them, and calls into the hand-written `Reader`, `Writer` and `Size`.

use std::fmt::Write as _;

use crate::model::{Field, Kind, Message, Struct, Type};
use crate::types::{condition, describe, ident};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The line of `messages.rs` that brings a module in.
pub(crate) fn module(message: &Message, module: &str, path: &str) -> String {
    let range = if message.versions.min == message.versions.max {
        format!("version {}", message.versions.min)
    } else {
        format!("versions {}-{}", message.versions.min, message.versions.max)
    };
    format!("#[doc = \"{}, {range}.\"]\n#[path = {path:?}]\npub mod {module};\n", message.name)
}

pub(crate) fn message(message: &Message) -> Result<String> {
    let mut out = String::from(
        "use bytes::Bytes;\n\nuse crate::element::Element;\nuse crate::error::{DecodeError, EncodeError};\n\
         use crate::reader::Reader;\nuse crate::records::Records;\nuse crate::text::Str;\nuse crate::uuid::Uuid;\n\
         use crate::writer::{Size, Writer};\n",
    );
    // The message itself closes last in the schema; readers want it first.
    for s in message.structs.iter().rev() {
        Emitter { message, s, name: &s.name }.all(&mut out)?;
    }
    trait_impls(message, &mut out)?;
    Ok(out)
}

fn trait_impls(message: &Message, out: &mut String) -> Result<()> {
    let name = &message.name;
    let flexible = message.flexible_from.map_or("i16::MAX".into(), |from| from.to_string());
    write!(
        out,
        "\nimpl crate::Message for {name} {{\n    const NAME: &'static str = \"{name}\";\n    \
         const VERSION_MIN: i16 = {};\n    const VERSION_MAX: i16 = {};\n    \
         const FLEXIBLE_FROM: i16 = {flexible};\n}}\n",
        message.versions.min, message.versions.max
    )?;
    if let Some((api, _)) = &message.api {
        let (role, response) = match message.kind {
            Kind::Request => {
                let module = crate::types::snake(&format!("{api}Response"));
                ("Request", format!("    type Response = super::{module}::{api}Response;\n"))
            }
            _ => ("Response", String::new()),
        };
        write!(
            out,
            "\nimpl crate::{role} for {name} {{\n    const KEY: crate::ApiKey = crate::ApiKey::{api};\n{response}}}\n"
        )?;
    }
    Ok(())
}

/// Writes the code of one structure.
struct Emitter<'a> {
    message: &'a Message,
    s: &'a Struct,
    name: &'a str,
}

impl Emitter<'_> {
    fn all(&self, out: &mut String) -> Result<()> {
        self.definition(out)?;
        write!(out, "\nimpl Element for {} {{\n", self.name)?;
        self.get(out)?;
        self.put(out)?;
        self.measure(out)?;
        self.least(out)?;
        out.push_str("}\n");
        Ok(())
    }

    fn plain(&self) -> impl Iterator<Item = &Field> {
        self.s.fields.iter().filter(|f| f.tag.is_none())
    }

    fn tagged(&self) -> impl Iterator<Item = (u32, &Field)> {
        self.s.fields.iter().filter_map(|f| f.tag.map(|tag| (tag, f)))
    }

    /// When this structure ends with tagged fields: `None` never, else a condition (`true` if always).
    fn flex(&self) -> Option<&'static str> {
        let from = self.message.flexible_from.filter(|from| *from <= self.s.versions.max)?;
        Some(if from <= self.s.versions.min { "true" } else { "flex" })
    }

    fn flex_value(&self) -> &'static str {
        self.flex().unwrap_or("false")
    }

    fn path(&self, field: &Field) -> String {
        format!("\"{}.{}\"", self.name, crate::types::snake(&field.name))
    }

    fn condition(&self, field: &Field) -> Option<String> {
        condition(field.versions, self.s.versions)
    }

    fn definition(&self, out: &mut String) -> Result<()> {
        let about = if self.name == self.message.name {
            format!("{}, versions {}-{}.", self.name, self.s.versions.min, self.s.versions.max)
        } else {
            format!(
                "Part of [`{}`], {}.",
                self.message.name,
                describe(self.s.versions, self.message.versions)
            )
        };
        write!(out, "\n/// {about}\n#[derive(Debug, Clone, PartialEq)]\npub struct {} {{\n", self.name)?;
        for field in &self.s.fields {
            writeln!(out, "    /// {}\n    pub {}: {},", self.doc(field)?, ident(&field.name), field.rust())?;
        }
        write!(
            out,
            "}}\n\nimpl Default for {} {{\n    fn default() -> Self {{\n        Self {{\n",
            self.name
        )?;
        for field in &self.s.fields {
            writeln!(out, "            {}: {},", ident(&field.name), field.default_value()?)?;
        }
        out.push_str("        }\n    }\n}\n");
        Ok(())
    }

    /// Facts of a field, in words.
    fn doc(&self, field: &Field) -> Result<String> {
        let mut doc = format!("`{}`, {}", field.name, describe(field.versions, self.message.versions));
        if let Some(tag) = field.tag {
            write!(doc, ", tag {tag}")?;
        }
        if let Some(when) = field.nullable {
            write!(doc, ", nullable")?;
            if when != field.versions {
                write!(doc, " in {}", describe(when, self.message.versions))?;
            }
        }
        if let Some(default) = &field.default {
            write!(doc, ", default {default}")?;
        }
        if field.ignorable && !field.versions.covers(self.message.versions) {
            write!(doc, ", dropped silently elsewhere")?;
        }
        doc.push('.');
        Ok(doc)
    }

    fn read(&self, field: &Field) -> String {
        let (path, flex) = (self.path(field), self.flex_value());
        if let Some((method, _)) = field.ty.fixed() {
            return format!("r.{method}({path})?");
        }
        let allowed = field.null_allowed();
        match (&field.ty, field.optional()) {
            (Type::Text, false) => format!("r.string({path}, {flex})?"),
            (Type::Text, true) => format!("r.nullable_string({path}, {flex}, {allowed})?"),
            (Type::Bytes, false) => format!("r.bytes({path}, {flex})?"),
            (Type::Bytes, true) => format!("r.nullable_bytes({path}, {flex}, {allowed})?"),
            (Type::Records, _) => format!("r.records({path}, {flex}, {allowed})?"),
            (Type::Array(_), false) => format!("r.array({path}, v, {flex})?"),
            (Type::Array(_), true) => format!("r.nullable_array({path}, v, {flex}, {allowed})?"),
            (_, false) => format!("Element::get(r, {path}, v, {flex})?"),
            (_, true) => format!("r.nullable_struct({path}, v, {flex}, {allowed})?"),
        }
    }

    fn get(&self, out: &mut String) -> Result<()> {
        out.push_str(
            "    fn get(r: &mut Reader, field: &'static str, v: i16, flex: bool) -> Result<Self, DecodeError> {\n",
        );
        for field in self.plain() {
            let name = crate::types::snake(&field.name);
            let read = self.read(field);
            match self.condition(field) {
                None => writeln!(out, "        let f_{name} = {read};")?,
                Some(when) => {
                    let default = field.default_value()?;
                    writeln!(out, "        let f_{name} = if {when} {{ {read} }} else {{ {default} }};")?;
                }
            }
        }
        for (_, field) in self.tagged() {
            let name = crate::types::snake(&field.name);
            writeln!(out, "        let mut f_{name} = {};", field.default_value()?)?;
        }
        if let Some(flex) = self.flex() {
            let tags = format!("\"{}.tags\"", self.name);
            writeln!(out, "        if {flex} {{")?;
            if self.tagged().next().is_none() {
                writeln!(out, "            r.skip_tags({tags})?;")?;
            } else {
                write!(
                    out,
                    "            for _ in 0..r.uvarint({tags})? {{\n                \
                     let (tag, outer) = r.open_tag({tags})?;\n                match tag {{\n"
                )?;
                for (tag, field) in self.tagged() {
                    let guard = self.condition(field).map(|when| format!(" if {when}")).unwrap_or_default();
                    let name = crate::types::snake(&field.name);
                    writeln!(out, "                    {tag}{guard} => f_{name} = {},", self.read(field))?;
                }
                out.push_str(
                    "                    _ => {}\n                }\n                r.close_tag(outer);\n            }\n",
                );
            }
            out.push_str("        }\n");
        }
        out.push_str("        Ok(Self {\n");
        for field in &self.s.fields {
            writeln!(out, "            {}: f_{},", ident(&field.name), crate::types::snake(&field.name))?;
        }
        out.push_str("        })\n    }\n\n");
        Ok(())
    }

    fn write(&self, field: &Field) -> String {
        let (name, path, flex) = (ident(&field.name), self.path(field), self.flex_value());
        if let Some((method, _)) = field.ty.fixed() {
            return format!("w.{method}(self.{name});");
        }
        let allowed = field.null_allowed();
        match (&field.ty, field.optional()) {
            (Type::Text, false) => format!("w.string(&self.{name}, {path}, {flex})?;"),
            (Type::Text, true) => {
                format!("w.nullable_string(self.{name}.as_ref(), {path}, {flex}, {allowed})?;")
            }
            (Type::Bytes, false) => format!("w.bytes(&self.{name}, {path}, {flex})?;"),
            (Type::Bytes, true) => {
                format!("w.nullable_bytes(self.{name}.as_ref(), {path}, {flex}, {allowed})?;")
            }
            (Type::Records, _) => format!("w.records(&self.{name}, {path}, {flex}, {allowed})?;"),
            (Type::Array(_), false) => format!("w.array(&self.{name}, {path}, v, {flex})?;"),
            (Type::Array(_), true) => {
                format!("w.nullable_array(self.{name}.as_deref(), {path}, v, {flex}, {allowed})?;")
            }
            (_, false) => format!("self.{name}.put(w, {path}, v, {flex})?;"),
            (_, true) => format!("w.nullable_struct(self.{name}.as_ref(), {path}, v, {flex}, {allowed})?;"),
        }
    }

    fn put(&self, out: &mut String) -> Result<()> {
        out.push_str(
            "    fn put(&self, w: &mut Writer, field: &'static str, v: i16, flex: bool) -> Result<(), EncodeError> {\n",
        );
        for field in &self.s.fields {
            let refuse = format!(
                "if !({}) {{ return Err(EncodeError::FieldNotInVersion {{ field: {}, version: v }}); }}",
                field.is_default()?,
                self.path(field)
            );
            match (self.condition(field), field.ignorable, field.tag) {
                (None, _, None) => writeln!(out, "        {}", self.write(field))?,
                (Some(when), true, None) => writeln!(out, "        if {when} {{ {} }}", self.write(field))?,
                (Some(when), false, None) => {
                    writeln!(out, "        if {when} {{ {} }} else {refuse}", self.write(field))?;
                }
                (Some(when), false, Some(_)) => writeln!(out, "        if !({when}) {{ {refuse} }}")?,
                (_, _, Some(_)) => {}
            }
        }
        if let Some(flex) = self.flex() {
            writeln!(out, "        if {flex} {{")?;
            if self.tagged().next().is_none() {
                out.push_str("            w.uvarint(0);\n");
            } else {
                out.push_str("            let mut count = 0;\n");
                for (_, field) in self.tagged() {
                    writeln!(out, "            if {} {{ count += 1; }}", self.tag_is_sent(field)?)?;
                }
                out.push_str("            w.uvarint(count);\n");
                let mut tagged: Vec<_> = self.tagged().collect();
                tagged.sort_by_key(|(tag, _)| *tag);
                for (tag, field) in tagged {
                    writeln!(
                        out,
                        "            if {} {{\n                let size = &mut Size::default();\n                \
                         {}\n                w.tag({tag}, *size);\n                {}\n            }}",
                        self.tag_is_sent(field)?,
                        self.count(field),
                        self.write(field)
                    )?;
                }
            }
            out.push_str("        }\n");
        }
        out.push_str("        Ok(())\n    }\n\n");
        Ok(())
    }

    fn tag_is_sent(&self, field: &Field) -> Result<String> {
        let set = format!("!({})", field.is_default()?);
        Ok(self.condition(field).map_or(set.clone(), |when| format!("{when} && {set}")))
    }

    fn count(&self, field: &Field) -> String {
        let (name, flex) = (ident(&field.name), self.flex_value());
        if let Some((_, bytes)) = field.ty.fixed() {
            return format!("size.head += {bytes};");
        }
        match (&field.ty, field.optional()) {
            (Type::Text, false) => format!("size.string(&self.{name}, {flex});"),
            (Type::Text, true) => format!("size.nullable_string(self.{name}.as_ref(), {flex});"),
            (Type::Bytes, false) => format!("size.bytes(&self.{name}, {flex});"),
            (Type::Bytes, true) => format!("size.nullable_bytes(self.{name}.as_ref(), {flex});"),
            (Type::Records, _) => format!("size.records(&self.{name}, {flex});"),
            (Type::Array(_), false) => format!("size.array(&self.{name}, v, {flex});"),
            (Type::Array(_), true) => format!("size.nullable_array(self.{name}.as_deref(), v, {flex});"),
            (_, false) => format!("self.{name}.measure(&mut *size, v, {flex});"),
            (_, true) => format!("size.nullable_struct(self.{name}.as_ref(), v, {flex});"),
        }
    }

    fn measure(&self, out: &mut String) -> Result<()> {
        out.push_str("    fn measure(&self, size: &mut Size, v: i16, flex: bool) {\n");
        let always = |field: &&Field| self.condition(field).is_none();
        let constant: usize =
            self.plain().filter(always).filter_map(|field| field.ty.fixed()).map(|(_, bytes)| bytes).sum();
        if constant > 0 {
            writeln!(out, "        size.head += {constant};")?;
        }
        for field in self.plain() {
            match self.condition(field) {
                None if field.ty.fixed().is_some() => {}
                None => writeln!(out, "        {}", self.count(field))?,
                Some(when) => writeln!(out, "        if {when} {{ {} }}", self.count(field))?,
            }
        }
        if let Some(flex) = self.flex() {
            writeln!(out, "        if {flex} {{")?;
            if self.tagged().next().is_none() {
                out.push_str("            size.head += 1;\n");
            } else {
                out.push_str("            let outer = size;\n            let mut count = 0;\n");
                for (tag, field) in self.tagged() {
                    writeln!(
                        out,
                        "            if {} {{\n                count += 1;\n                \
                         let size = &mut Size::default();\n                {}\n                \
                         outer.tagged({tag}, *size);\n            }}",
                        self.tag_is_sent(field)?,
                        self.count(field)
                    )?;
                }
                out.push_str("            outer.head += crate::writer::uvarint_len(count);\n");
            }
            out.push_str("        }\n");
        }
        out.push_str("    }\n\n");
        Ok(())
    }

    fn least(&self, out: &mut String) -> Result<()> {
        out.push_str("    fn least(v: i16, flex: bool) -> usize {\n");
        let flex = self.flex();
        let mut constant = 0;
        let mut lines = String::new();
        for field in self.plain() {
            let bytes = match (&field.ty, field.optional()) {
                (ty, _) if ty.fixed().is_some() => ty.fixed().map_or(0, |(_, bytes)| bytes).to_string(),
                (Type::Struct(_), true) => "1".into(),
                (Type::Struct(name), false) => format!("{name}::least(v, {})", self.flex_value()),
                (Type::Text, _) if flex.is_none() => "2".into(),
                _ if flex.is_none() => "4".into(),
                _ if flex == Some("true") => "1".into(),
                (Type::Text, _) => "(if flex { 1 } else { 2 })".into(),
                _ => "(if flex { 1 } else { 4 })".into(),
            };
            match (self.condition(field), bytes.parse::<usize>()) {
                (None, Ok(bytes)) => constant += bytes,
                (None, Err(_)) => writeln!(lines, "        least += {bytes};")?,
                (Some(when), _) => writeln!(lines, "        if {when} {{ least += {bytes}; }}")?,
            }
        }
        match flex {
            Some("true") => constant += 1,
            Some(when) => writeln!(lines, "        if {when} {{ least += 1; }}")?,
            None => {}
        }
        write!(out, "        let mut least = {constant};\n{lines}        least\n    }}\n")?;
        Ok(())
    }
}
