//! Fields as a case writes them become a request's body, as the schema has it.
//!
//! It writes what it is told to: null where the schema allows none, numbers that make no sense, a body in a version
//! that nobody has. What the schema does not let it write at all (a word where a number is wanted) is an error of the
//! case. A field that is left out has the schema's default; one that the version does not have is left out.

use anyhow::{Context as _, Result, bail, ensure};
use pagewire_wire::Uuid;
use pagewire_wire::testing::shape::{Field, Type};

use super::batches;
use super::notation::{Fields, Value};
use super::variables::Variables;

/// Which form the bytes have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form<'v> {
    pub(super) version: i16,
    pub(super) flexible: bool,
    pub(super) variables: &'v Variables,
}

impl Form<'_> {
    /// Writes a structure.
    pub(super) fn fields(self, out: &mut Vec<u8>, shape: &'static [Field], given: &Fields) -> Result<()> {
        for (name, _) in &given.0 {
            ensure!(shape.iter().any(|field| field.name == name), "no field is named {name}");
        }
        let here = || shape.iter().filter(|field| field.is_in(self.version));
        for field in here().filter(|field| field.tag.is_none()) {
            self.field(out, field, given.get(field.name)).with_context(|| field.name)?;
        }
        if !self.flexible {
            return Ok(());
        }
        let mut tagged: Vec<_> = here().filter_map(|field| Some((field.tag?, field))).collect();
        tagged.retain(|(_, field)| given.get(field.name).is_some());
        tagged.sort_by_key(|(tag, _)| *tag);
        uvarint(out, tagged.len());
        for (tag, field) in tagged {
            let mut inner = Vec::new();
            self.field(&mut inner, field, given.get(field.name)).with_context(|| field.name)?;
            uvarint(out, usize::try_from(tag)?);
            uvarint(out, inner.len());
            out.extend(inner);
        }
        Ok(())
    }

    fn field(self, out: &mut Vec<u8>, field: &Field, given: Option<&Value>) -> Result<()> {
        let default;
        let value = match (given, field.default) {
            (Some(value), _) => value,
            (None, Some(word)) => {
                default = Value::Word(word.to_owned());
                &default
            }
            (None, None) => return self.nothing(out, field),
        };
        if let (Type::Struct(_), Some(_)) = (field.ty, field.nullable) {
            let null = *value == Value::Word("null".to_owned());
            out.push(if null { 0xff } else { 1 });
            if null {
                return Ok(());
            }
        }
        self.value(out, field.ty, value)
    }

    /// Zero, false or empty.
    fn nothing(self, out: &mut Vec<u8>, field: &Field) -> Result<()> {
        match field.ty {
            Type::Text => self.length(out, Some(0), true),
            Type::Bytes | Type::Array(_) => self.length(out, Some(0), false),
            Type::Records => self.length(out, None, false),
            Type::Struct(shape) => {
                out.extend(field.nullable.map(|_| 1));
                return self.fields(out, shape, &Fields::default());
            }
            fixed => out.extend(std::iter::repeat_n(0, width(fixed))),
        }
        Ok(())
    }

    fn value(self, out: &mut Vec<u8>, ty: Type, value: &Value) -> Result<()> {
        match (ty, value) {
            (Type::Struct(shape), Value::Fields(fields)) => self.fields(out, shape, fields),
            (Type::Array(_), Value::Word(word)) if word == "null" => {
                self.length(out, None, false);
                Ok(())
            }
            (Type::Array(inner), Value::List(list)) => {
                self.length(out, Some(list.len()), false);
                list.iter().try_for_each(|element| self.value(out, *inner, element))
            }
            (Type::Array(inner), one) => {
                self.length(out, Some(1), false);
                self.value(out, *inner, one)
            }
            (Type::Records, Value::Fields(_) | Value::List(_)) => {
                let bytes = batches::write(value, self.variables)?;
                self.bytes(out, Some(&bytes), false);
                Ok(())
            }
            (_, Value::Text(text)) => {
                let text = self.variables.fill(text)?;
                self.bytes(out, Some(text.as_bytes()), ty == Type::Text);
                Ok(())
            }
            (_, Value::Word(word)) => self.word(out, ty, &self.variables.fill(word)?),
            (ty, value) => bail!("{value:?} is no {ty:?}"),
        }
    }

    fn word(self, out: &mut Vec<u8>, ty: Type, word: &str) -> Result<()> {
        match ty {
            Type::Bool => out.push(u8::from(word.parse::<bool>()?)),
            Type::Text | Type::Bytes | Type::Records if word == "null" => {
                self.length(out, None, ty == Type::Text);
            }
            Type::Text => self.bytes(out, Some(&text(word)?), true),
            Type::Bytes | Type::Records => self.bytes(out, Some(&text(word)?), false),
            Type::Uuid => out.extend(id(word)?.0),
            Type::Float64 => out.extend(word.parse::<f64>()?.to_be_bytes()),
            number => {
                let value = sum(word)?;
                let bytes = value.to_be_bytes();
                out.extend(bytes.get(bytes.len() - width(number)..).context("a width")?);
            }
        }
        Ok(())
    }

    fn bytes(self, out: &mut Vec<u8>, bytes: Option<&[u8]>, short: bool) {
        self.length(out, bytes.map(<[u8]>::len), short);
        out.extend(bytes.unwrap_or_default());
    }

    /// The length of what follows, or that nothing does. `short` is two bytes where lengths are not compact.
    fn length(self, out: &mut Vec<u8>, length: Option<usize>, short: bool) {
        if self.flexible {
            return uvarint(out, length.map_or(0, |length| length + 1));
        }
        // A case is far from the limits of either.
        let length = length.map_or(-1, |length| length as i32);
        if short {
            out.extend((length as i16).to_be_bytes());
        } else {
            out.extend(length.to_be_bytes());
        }
    }
}

const fn width(ty: Type) -> usize {
    match ty {
        Type::Bool | Type::Int8 => 1,
        Type::Int16 | Type::Uint16 => 2,
        Type::Int32 | Type::Uint32 => 4,
        Type::Uuid => 16,
        _ => 8,
    }
}

fn uvarint(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A number, or one and what is added to it or taken from it: `$epoch+1`.
pub(super) fn sum(word: &str) -> Result<i64> {
    if let Ok(number) = word.parse() {
        return Ok(number);
    }
    let split = word.rfind(['+', '-']).filter(|at| *at > 0).with_context(|| format!("no number: {word}"))?;
    let (number, change) = word.split_at(split);
    let part = |part: &str| part.parse::<i64>().with_context(|| format!("no number: {word}"));
    Ok(part(number)?.wrapping_add(part(change)?))
}

/// `nil`, `other` (an id that nothing has) or an id in Kafka's form.
fn id(word: &str) -> Result<Uuid> {
    match word {
        "nil" => Ok(Uuid::NIL),
        "other" => Ok(Uuid([0x5a; 16])),
        word => word.parse().ok().with_context(|| format!("no id: {word}")),
    }
}

/// A word's bytes: `hex:00ff`, `repeat:a:300`, `subscription:orders` (what a consumer tells of itself when it joins),
/// or the word itself.
pub(super) fn text(word: &str) -> Result<Vec<u8>> {
    if let Some(digits) = word.strip_prefix("hex:") {
        ensure!(digits.len().is_multiple_of(2), "an odd number of digits: {digits}");
        let byte = |at: usize| digits.get(at..at + 2).and_then(|two| u8::from_str_radix(two, 16).ok());
        let bytes = (0..digits.len()).step_by(2).map(byte).collect::<Option<_>>();
        return bytes.with_context(|| format!("not hexadecimal: {digits}"));
    }
    if let Some(rest) = word.strip_prefix("repeat:") {
        let (what, times) = rest.split_once(':').context("repeat:TEXT:TIMES")?;
        return Ok(what.repeat(times.parse()?).into_bytes());
    }
    if let Some(topic) = word.strip_prefix("subscription:") {
        let mut bytes = vec![0, 0, 0, 0, 0, 1];
        bytes.extend(u16::try_from(topic.len())?.to_be_bytes());
        bytes.extend(topic.as_bytes());
        bytes.extend((-1i32).to_be_bytes());
        return Ok(bytes);
    }
    Ok(word.as_bytes().to_vec())
}
