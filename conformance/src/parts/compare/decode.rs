//! An answer's body becomes fields by name, as the schema has it. Those of other versions are not there.

use anyhow::{Context as _, Result, bail, ensure};
use pagewire_wire::Uuid;
use pagewire_wire::testing::shape::{Field, Type};
use serde_json::{Map, Value};

use super::batches;

/// A cursor over a body.
#[derive(Debug)]
pub(super) struct Body<'b> {
    rest: &'b [u8],
    version: i16,
    flexible: bool,
}

/// The whole body; bytes that are left over are an error.
pub(super) fn body(bytes: &[u8], shape: &'static [Field], version: i16, flexible: bool) -> Result<Value> {
    let mut body = Body { rest: bytes, version, flexible };
    let fields = body.fields(shape)?;
    ensure!(body.rest.is_empty(), "{} bytes after the answer", body.rest.len());
    Ok(fields)
}

impl<'b> Body<'b> {
    fn take(&mut self, len: usize) -> Result<&'b [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len).context("the answer is cut short")?;
        self.rest = rest;
        Ok(taken)
    }

    fn number<const N: usize>(&mut self) -> Result<[u8; N]> {
        Ok(self.take(N)?.try_into()?)
    }

    fn uvarint(&mut self) -> Result<usize> {
        let mut value = 0usize;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.number()?;
            value |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        bail!("a number of more than five bytes")
    }

    fn length(&mut self, short: bool) -> Result<Option<usize>> {
        if self.flexible {
            return Ok(self.uvarint()?.checked_sub(1));
        }
        let length = if short {
            i32::from(i16::from_be_bytes(self.number()?))
        } else {
            i32::from_be_bytes(self.number()?)
        };
        Ok(usize::try_from(length).ok())
    }

    fn fields(&mut self, shape: &'static [Field]) -> Result<Value> {
        let mut fields = Map::new();
        let version = self.version;
        let here = || shape.iter().filter(|field| field.is_in(version));
        for field in here().filter(|field| field.tag.is_none()) {
            let value = self.field(field).with_context(|| field.name)?;
            fields.insert(field.name.to_owned(), value);
        }
        if self.flexible {
            for _ in 0..self.uvarint()? {
                let (tag, len) = (self.uvarint()?, self.uvarint()?);
                let mut inner = Body { rest: self.take(len)?, version, flexible: true };
                let of_tag = |field: &&Field| field.tag.is_some_and(|known| known as usize == tag);
                let field = here().find(of_tag).with_context(|| format!("an unknown tag {tag}"))?;
                let value = inner.field(field).with_context(|| field.name)?;
                ensure!(inner.rest.is_empty(), "{} is shorter than its tag says", field.name);
                fields.insert(field.name.to_owned(), value);
            }
        }
        Ok(Value::Object(fields))
    }

    fn field(&mut self, field: &Field) -> Result<Value> {
        if let (Type::Struct(_), Some(_)) = (field.ty, field.nullable)
            && i8::from_be_bytes(self.number()?) < 0
        {
            return Ok(Value::Null);
        }
        self.value(field.ty)
    }

    fn value(&mut self, ty: Type) -> Result<Value> {
        Ok(match ty {
            Type::Bool => Value::from(self.number()? != [0u8]),
            Type::Int8 => i8::from_be_bytes(self.number()?).into(),
            Type::Int16 => i16::from_be_bytes(self.number()?).into(),
            Type::Int32 => i32::from_be_bytes(self.number()?).into(),
            Type::Int64 => i64::from_be_bytes(self.number()?).into(),
            Type::Uint16 => u16::from_be_bytes(self.number()?).into(),
            Type::Uint32 => u32::from_be_bytes(self.number()?).into(),
            Type::Float64 => f64::from_be_bytes(self.number()?).into(),
            Type::Uuid => Uuid(self.number()?).to_string().into(),
            Type::Text => match self.length(true)? {
                None => Value::Null,
                Some(len) => String::from_utf8_lossy(self.take(len)?).into_owned().into(),
            },
            Type::Bytes => match self.length(false)? {
                None => Value::Null,
                Some(len) => self.take(len)?.escape_ascii().to_string().into(),
            },
            Type::Records => match self.length(false)? {
                None => Value::Null,
                Some(len) => batches::read(self.take(len)?)?,
            },
            Type::Struct(shape) => self.fields(shape)?,
            Type::Array(inner) => match self.length(false)? {
                None => Value::Null,
                Some(count) => Value::Array((0..count).map(|_| self.value(*inner)).collect::<Result<_>>()?),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parts::compare::encode::Form;
    use crate::parts::compare::notation::{Fields, Value as Written};
    use crate::parts::compare::variables::Variables;
    use pagewire_wire::testing::{ALL, Rng};

    /// What was read, as a case would write it.
    fn written(value: &Value) -> Written {
        match value {
            Value::Null => Written::Word("null".to_owned()),
            Value::Array(list) => Written::List(list.iter().map(written).collect()),
            Value::Object(fields) => Written::Fields(Fields(
                fields.iter().map(|(name, value)| (name.clone(), written(value))).collect(),
            )),
            Value::String(text) => Written::Word(text.clone()),
            plain => Written::Word(plain.to_string()),
        }
    }

    fn holds_what_words_cannot_say(fields: &[Field]) -> bool {
        fields.iter().any(|field| {
            matches!(field.ty, Type::Bytes | Type::Records | Type::Float64)
                || field.ty.fields().is_some_and(holds_what_words_cannot_say)
        })
    }

    #[test]
    fn messages_of_the_codec_are_read_and_written_back_by_their_shapes() {
        let (mut rng, variables) = (Rng::new(6), Variables::default());
        let mut seen = 0;
        for entry in ALL.iter().filter(|entry| !holds_what_words_cannot_say(entry.fields)) {
            for version in entry.min..=entry.max {
                let bytes = (entry.random)(&mut rng, version).expect("a message");
                let flexible = version >= entry.flexible_from;
                let read = body(&bytes, entry.fields, version, flexible).expect(entry.name);
                let Written::Fields(fields) = written(&read) else { panic!("{read}") };
                let mut again = Vec::new();
                let form = Form { version, flexible, variables: &variables };
                form.fields(&mut again, entry.fields, &fields).expect(entry.name);
                assert_eq!(again, bytes, "{} v{version}: {read}", entry.name);
                seen += 1;
            }
        }
        assert!(seen > 300, "{seen}");
    }

    #[test]
    fn a_body_that_is_cut_or_too_long_is_an_error() {
        let entry = ALL.iter().find(|entry| entry.name == "HeartbeatResponse").expect("an entry");
        let bytes = [0, 0, 0, 0, 0, 25];
        assert!(body(&bytes, entry.fields, 1, false).is_ok());
        assert!(body(&bytes[..5], entry.fields, 1, false).is_err());
        assert!(body(&[bytes.as_slice(), &[0]].concat(), entry.fields, 1, false).is_err());
    }
}
