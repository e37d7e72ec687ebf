//! From bytes to data, by a schema. Every length and count is checked against the bytes that are left before anything
//! is taken, and nothing is deeper than its schema.

use pagewire_disk::checkpoint::format_id;
use uuid::Uuid;

use super::data::Data;
use super::notation::{Field, Kind, Message};

/// Why bytes are not what the schema says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Broken {
    #[error("the bytes end inside a field")]
    Short,
    #[error("a length is out of range")]
    Length,
    #[error("a string is not UTF-8")]
    Utf8,
    #[error("version {0} is not known")]
    Version(i16),
}

/// A cursor over bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Input<'a>(pub(super) &'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Broken> {
        let (head, tail) = self.0.split_at_checked(len).ok_or(Broken::Short)?;
        self.0 = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Broken> {
        let (head, tail) = self.0.split_first_chunk::<N>().ok_or(Broken::Short)?;
        self.0 = tail;
        Ok(*head)
    }

    pub(super) fn int16(&mut self) -> Result<i16, Broken> {
        self.array().map(i16::from_be_bytes)
    }

    /// An unsigned variable-length integer of at most 32 bits.
    pub(super) fn varint(&mut self) -> Result<u32, Broken> {
        let mut value = 0u32;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.array::<1>()?;
            let bits = u32::from(byte & 0x7f);
            if shift == 28 && bits > 0x0f {
                return Err(Broken::Length);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Broken::Length)
    }

    /// A length or count that the bytes left can hold; none for null.
    fn length(
        &mut self,
        plain: impl FnOnce(&mut Self) -> Result<i64, Broken>,
        flexible: bool,
    ) -> Result<Option<usize>, Broken> {
        let length = if flexible { i64::from(self.varint()?) - 1 } else { plain(self)? };
        if length == -1 {
            return Ok(None);
        }
        let length = usize::try_from(length).map_err(|_| Broken::Length)?;
        if length > self.0.len() { Err(Broken::Short) } else { Ok(Some(length)) }
    }

    fn short_length(&mut self, flexible: bool) -> Result<Option<usize>, Broken> {
        self.length(|input| input.int16().map(i64::from), flexible)
    }

    fn long_length(&mut self, flexible: bool) -> Result<Option<usize>, Broken> {
        self.length(|input| input.array().map(|bytes| i64::from(i32::from_be_bytes(bytes))), flexible)
    }
}

/// Reads a message of this version. Bytes that remain are nobody's.
pub(super) fn read(message: &Message, version: i16, input: &mut Input<'_>) -> Result<Data, Broken> {
    if !message.versions.contain(version) {
        return Err(Broken::Version(version));
    }
    let form = Form { version, flexible: message.flexible_from.is_some_and(|from| version >= from) };
    form.structure(&message.fields, input)
}

/// The version being read.
#[derive(Debug, Clone, Copy)]
struct Form {
    version: i16,
    flexible: bool,
}

impl Form {
    fn structure(self, fields: &[Field], input: &mut Input<'_>) -> Result<Data, Broken> {
        let mut values = Vec::with_capacity(fields.len());
        for field in fields {
            let here = field.versions.contain(self.version) && field.tag.is_none();
            values.push(if here { Some(self.plain(field, input)?) } else { None });
        }
        if self.flexible {
            self.tagged(fields, &mut values, input)?;
        }
        let named = fields.iter().zip(values).filter_map(|(field, value)| Some((field.name, value?)));
        Ok(Data::Struct(named.collect()))
    }

    /// The tagged fields of a structure; those of no known tag are passed over.
    fn tagged(
        self,
        fields: &[Field],
        values: &mut [Option<Data>],
        input: &mut Input<'_>,
    ) -> Result<(), Broken> {
        for _ in 0..input.varint()? {
            let (tag, len) = (input.varint()?, input.varint()?);
            let mut bytes = Input(input.take(usize::try_from(len).map_err(|_| Broken::Length)?)?);
            let known = |field: &&Field| field.tag == Some(tag) && field.versions.contain(self.version);
            let Some((field, value)) = fields.iter().zip(values.iter_mut()).find(|(field, _)| known(field))
            else {
                continue;
            };
            let is_null = matches!(field.kind, Kind::Struct(_)) && field.nullable && bytes.varint()? == 0;
            *value = Some(if is_null { Data::Null } else { self.value(&field.kind, &mut bytes)? });
        }
        Ok(())
    }

    fn plain(self, field: &Field, input: &mut Input<'_>) -> Result<Data, Broken> {
        if matches!(field.kind, Kind::Struct(_)) && field.nullable && i8::from_be_bytes(input.array()?) < 0 {
            return Ok(Data::Null);
        }
        self.value(&field.kind, input)
    }

    fn value(self, kind: &Kind, input: &mut Input<'_>) -> Result<Data, Broken> {
        Ok(match kind {
            Kind::Bool => Data::Bool(input.array::<1>()? != [0]),
            Kind::Int8 => Data::Int(i8::from_be_bytes(input.array()?).into()),
            Kind::Int16 => Data::Int(input.int16()?.into()),
            Kind::Uint16 => Data::Int(u16::from_be_bytes(input.array()?).into()),
            Kind::Int32 => Data::Int(i32::from_be_bytes(input.array()?).into()),
            Kind::Int64 => Data::Int(i64::from_be_bytes(input.array()?)),
            Kind::Float64 => Data::Float(f64::from_be_bytes(input.array()?)),
            Kind::Uuid => Data::Text(format_id(Uuid::from_bytes(input.array()?))),
            Kind::Text => match input.short_length(self.flexible)? {
                None => Data::Null,
                Some(len) => {
                    let text = std::str::from_utf8(input.take(len)?).map_err(|_| Broken::Utf8)?;
                    Data::Text(text.to_owned())
                }
            },
            Kind::Bytes => match input.long_length(self.flexible)? {
                None => Data::Null,
                Some(len) => Data::Bytes(input.take(len)?.to_vec()),
            },
            Kind::Struct(fields) => self.structure(fields, input)?,
            Kind::Array(of) => match input.long_length(self.flexible)? {
                None => Data::Null,
                Some(count) => {
                    // Grows as the items turn out to be there.
                    let mut items = Vec::new();
                    for _ in 0..count {
                        items.push(self.value(of, input)?);
                    }
                    Data::List(items)
                }
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::notation::GROUP;
    use super::*;

    /// A value of version 4: offset 17, epoch 0, "ab", time 5, and a topic id.
    fn committed() -> Vec<u8> {
        let mut bytes = 17i64.to_be_bytes().to_vec();
        bytes.extend([0, 0, 0, 0, 3, b'a', b'b']);
        bytes.extend(5i64.to_be_bytes());
        bytes.extend([2, 0, 16]);
        bytes.extend([7; 16]);
        bytes.extend([99, 1, 0]);
        bytes
    }

    fn read_committed(bytes: &[u8]) -> Result<Data, Broken> {
        read(GROUP.named("OffsetCommitValue").expect("known"), 4, &mut Input(bytes))
    }

    #[test]
    fn a_tagged_field_is_read_and_one_of_no_known_tag_passed_over() {
        let data = read_committed(&committed()).expect("read");
        let json = data.to_json();
        assert!(
            json.starts_with(
                r#"{"offset":17,"leaderEpoch":0,"metadata":"ab","commitTimestamp":5,"topicId":""#
            ),
            "{json}"
        );
    }

    #[test]
    fn bytes_that_end_too_early_are_an_error_wherever_they_end() {
        let bytes = committed();
        for len in 0..bytes.len() {
            assert_eq!(read_committed(bytes.get(..len).unwrap_or_default()), Err(Broken::Short), "{len}");
        }
    }

    #[test]
    fn a_count_is_not_believed() {
        let value = GROUP.named("GroupMetadataValue").expect("known");
        let mut bytes = vec![0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff];
        bytes.extend(i32::MAX.to_be_bytes());
        assert_eq!(read(value, 0, &mut Input(&bytes)), Err(Broken::Short));
        assert_eq!(read(value, 5, &mut Input(&bytes)), Err(Broken::Version(5)));
    }
}
