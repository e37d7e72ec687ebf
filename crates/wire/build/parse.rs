//! Reads the notation of `schema/README.md`, line by line, with a stack of open structures by indentation.

use crate::model::{Api, Field, Kind, Message, Schema, Struct, Type, Versions};

type Problem = (usize, String);

/// A structure whose fields are being read.
struct Open {
    indent: usize,
    name: String,
    versions: Versions,
    fields: Vec<Field>,
}

/// Reads one file into `schema`. The error is a line number and what is wrong there.
pub(crate) fn parse(text: &str, schema: &mut Schema) -> Result<(), Problem> {
    let mut api: Option<(String, i16)> = None;
    let mut open: Vec<Open> = Vec::new();
    for (at, raw) in text.lines().enumerate() {
        let line = raw.trim_end();
        if line.trim_start().starts_with('#') || line.is_empty() {
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        let words: Vec<&str> = line.split_whitespace().collect();
        close(&mut open, indent, schema).map_err(|why| (at + 1, why))?;
        let done = if indent > 0 {
            inner(&words, indent, &mut open)
        } else {
            top(&words, &mut api, &mut open, schema)
        };
        done.map_err(|why| (at + 1, why))?;
    }
    close(&mut open, 0, schema).map_err(|why| (0, why))
}

/// Ends every structure that is not further out than `indent`.
fn close(open: &mut Vec<Open>, indent: usize, schema: &mut Schema) -> Result<(), String> {
    while let Some(top) = open.pop_if(|top| top.indent >= indent) {
        if top.indent > 0 && top.fields.is_empty() {
            continue; // a field that only names a structure defined elsewhere
        }
        let message = schema.messages.last_mut().ok_or("a structure outside a message")?;
        if message.structs.iter().any(|s| s.name == top.name) {
            return Err(format!("{} is defined twice", top.name));
        }
        message.structs.push(Struct { name: top.name, versions: top.versions, fields: top.fields });
    }
    Ok(())
}

fn top(
    words: &[&str],
    api: &mut Option<(String, i16)>,
    open: &mut Vec<Open>,
    schema: &mut Schema,
) -> Result<(), String> {
    let (kind, name, rest) = match words {
        ["api", code, name] => {
            *api = Some(((*name).to_owned(), number(code)?));
            return Ok(());
        }
        ["key", code, name, rest @ ..] => {
            let head = Head::read(rest)?;
            schema.apis.push(head.api(number(code)?, name));
            return Ok(());
        }
        ["request", rest @ ..] => (Kind::Request, None, rest),
        ["response", rest @ ..] => (Kind::Response, None, rest),
        ["data", name, rest @ ..] => (Kind::Data, Some((*name).to_owned()), rest),
        _ => return Err(format!("not understood: {}", words.join(" "))),
    };
    let head = Head::read(rest)?;
    let name = match (name, &*api, kind) {
        (Some(name), ..) => name,
        (None, Some((api, code)), Kind::Request) => {
            schema.apis.push(head.api(*code, api));
            format!("{api}Request")
        }
        (None, Some((api, _)), _) => format!("{api}Response"),
        (None, None, _) => return Err("a request or response without an api line".to_owned()),
    };
    open.push(Open { indent: 0, name: name.clone(), versions: head.versions, fields: Vec::new() });
    schema.messages.push(Message {
        kind,
        api: api.clone().filter(|_| kind != Kind::Data),
        name,
        versions: head.versions,
        flexible_from: head.flexible_from,
        structs: Vec::new(),
    });
    Ok(())
}

fn inner(words: &[&str], indent: usize, open: &mut Vec<Open>) -> Result<(), String> {
    let parent = open.last_mut().ok_or("a field outside a structure")?;
    if let ["struct", name, rest @ ..] = words {
        let versions = rest.first().map_or(Ok(parent.versions), |word| versions(word, parent.versions))?;
        open.push(Open { indent, name: (*name).to_owned(), versions, fields: Vec::new() });
        return Ok(());
    }
    let field = field(words, parent.versions)?;
    let nested = match &field.ty {
        Type::Struct(name) => Some(name.clone()),
        Type::Array(inner) => {
            if let Type::Struct(name) = &**inner {
                Some(name.clone())
            } else {
                None
            }
        }
        _ => None,
    };
    let versions = field.versions;
    parent.fields.push(field);
    // Fields may follow, deeper; if none do, the name refers to a structure defined elsewhere.
    if let Some(name) = nested {
        open.push(Open { indent, name, versions, fields: Vec::new() });
    }
    Ok(())
}

/// What follows `request`, `response`, `data NAME` or `key N NAME`.
struct Head {
    versions: Versions,
    stable_max: i16,
    flexible_from: Option<i16>,
}

impl Head {
    fn read(words: &[&str]) -> Result<Self, String> {
        let (first, rest) = words.split_first().ok_or("versions are missing")?;
        let all = Versions { min: 0, max: i16::MAX };
        let versions = versions(first, all)?;
        let mut head = Self { versions, stable_max: versions.max, flexible_from: None };
        let mut rest = rest.iter();
        while let Some(word) = rest.next() {
            let value = rest.next().ok_or("a value is missing")?;
            match *word {
                "flexible" => head.flexible_from = Some(number(value.trim_end_matches('+'))?),
                "unstable" => head.stable_max = number::<i16>(value)? - 1,
                _ => return Err(format!("not understood: {word}")),
            }
        }
        Ok(head)
    }

    fn api(&self, code: i16, name: &str) -> Api {
        Api {
            code,
            name: name.to_owned(),
            versions: self.versions,
            stable_max: self.stable_max,
            flexible_from: self.flexible_from,
        }
    }
}

fn field(words: &[&str], outer: Versions) -> Result<Field, String> {
    let [name, ty, rest @ ..] = words else { return Err("a field needs a name and a type".to_owned()) };
    let mut rest = rest.iter().peekable();
    let is_versions = |word: &&&str| word.starts_with(|c: char| c.is_ascii_digit());
    let own = rest.next_if(is_versions).map_or(Ok(outer), |word| versions(word, outer))?;
    let mut field = Field {
        name: (*name).to_owned(),
        ty: kind(ty)?,
        versions: own,
        nullable: None,
        tag: None,
        default: None,
        ignorable: false,
    };
    while let Some(word) = rest.next() {
        match *word {
            "nullable" => {
                let when = rest.next_if(is_versions).map_or(Ok(own), |word| versions(word, own))?;
                field.nullable = Some(when);
            }
            "tag" => field.tag = Some(number(rest.next().ok_or("a tag is missing")?)?),
            "default" => field.default = Some((*rest.next().ok_or("a default is missing")?).to_owned()),
            "ignorable" => field.ignorable = true,
            _ => return Err(format!("not understood: {word}")),
        }
    }
    Ok(field)
}

fn kind(word: &str) -> Result<Type, String> {
    if let Some(inner) = word.strip_prefix("[]") {
        return Ok(Type::Array(Box::new(kind(inner)?)));
    }
    Ok(match word {
        "bool" => Type::Bool,
        "int8" => Type::Int8,
        "int16" => Type::Int16,
        "int32" => Type::Int32,
        "int64" => Type::Int64,
        "uint16" => Type::Uint16,
        "uint32" => Type::Uint32,
        "float64" => Type::Float64,
        "uuid" => Type::Uuid,
        "string" => Type::Text,
        "bytes" => Type::Bytes,
        "records" => Type::Records,
        _ if word.starts_with(|c: char| c.is_ascii_uppercase()) => Type::Struct(word.to_owned()),
        _ => return Err(format!("unknown type {word}")),
    })
}

/// `4`, `4-7` or `4+`; the last ends where `outer` ends.
fn versions(word: &str, outer: Versions) -> Result<Versions, String> {
    let found = if let Some(min) = word.strip_suffix('+') {
        Versions { min: number(min)?, max: outer.max }
    } else if let Some((min, max)) = word.split_once('-') {
        Versions { min: number(min)?, max: number(max)? }
    } else {
        Versions { min: number(word)?, max: number(word)? }
    };
    if found.min > found.max || !outer.covers(found) {
        return Err(format!("versions {word} lie outside {}-{}", outer.min, outer.max));
    }
    Ok(found)
}

fn number<N: std::str::FromStr>(word: &str) -> Result<N, String> {
    word.parse().map_err(|_| format!("not a number: {word}"))
}
