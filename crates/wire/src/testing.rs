//! What tests of the codec and fuzz targets use: a deterministic source of random messages, and a table of all
//! messages with functions that work on bytes. Behind the feature `testing`.

use bytes::Bytes;

use crate::error::{DecodeError, EncodeError};
use crate::message::Message;
use crate::reader::Reader;
use crate::records::Records;
use crate::text::Str;
use crate::uuid::Uuid;
use crate::writer::Writer;

pub mod shape;

use shape::{Field, Shaped};

pub use crate::messages::ALL;

/// A small deterministic random source (splitmix64): the same seed gives the same messages everywhere.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// Starts from `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 if `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next_u64() % (bound.max(1) as u64)) as usize
    }

    /// True half of the time.
    pub fn coin(&mut self) -> bool {
        self.next_u64() & 1 == 1
    }

    /// `len` random bytes.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next_u64() as u8).collect()
    }

    /// Null a quarter of the time if `allowed`, else a value.
    pub fn nullable<T: Random>(&mut self, version: i16, allowed: bool) -> Option<T> {
        if allowed && self.below(4) == 0 { None } else { Some(T::random(self, version)) }
    }

    /// Random bytes as records; null now and then if `allowed`.
    pub fn records(&mut self, allowed: bool) -> Records {
        let len = self.below(200);
        self.nullable(0, allowed).map_or(Records::Null, |()| Records::Bytes(self.bytes(len).into()))
    }
}

/// Values made up at random, such that `version` can carry them.
pub trait Random: Sized {
    /// Makes one.
    fn random(rng: &mut Rng, version: i16) -> Self;
}

impl Random for () {
    fn random(_: &mut Rng, _: i16) -> Self {}
}

/// Integers: small ones, the ends of the range, and anything.
macro_rules! integers {
    ($($kind:ty),*) => {$(
        impl Random for $kind {
            fn random(rng: &mut Rng, _: i16) -> Self {
                match rng.below(8) {
                    0 => 0,
                    1 => <$kind>::MAX,
                    2 => <$kind>::MIN,
                    3 => rng.below(100) as $kind,
                    _ => rng.next_u64() as $kind,
                }
            }
        }
    )*};
}

integers!(i8, i16, i32, i64, u16, u32);

impl Random for bool {
    fn random(rng: &mut Rng, _: i16) -> Self {
        rng.coin()
    }
}

impl Random for f64 {
    fn random(rng: &mut Rng, _: i16) -> Self {
        f64::from(rng.next_u64() as i32) / 1024.0
    }
}

impl Random for Uuid {
    fn random(rng: &mut Rng, _: i16) -> Self {
        if rng.below(8) == 0 {
            return Self::NIL;
        }
        Self((u128::from(rng.next_u64()) << 64 | u128::from(rng.next_u64())).to_be_bytes())
    }
}

impl Random for Str {
    fn random(rng: &mut Rng, _: i16) -> Self {
        const LETTERS: [&str; 6] = ["a", "Z", "9", "-", "ß", "☃"];
        // Now and then long enough for a two-byte length in the compact form.
        let letters = if rng.below(32) == 0 { 150 } else { rng.below(12) };
        let text: String = (0..letters).map(|_| LETTERS[rng.below(LETTERS.len())]).collect();
        Self::from(text)
    }
}

impl Random for Bytes {
    fn random(rng: &mut Rng, _: i16) -> Self {
        let len = rng.below(40);
        rng.bytes(len).into()
    }
}

impl<T: Random> Random for Vec<T> {
    fn random(rng: &mut Rng, version: i16) -> Self {
        (0..rng.below(4)).map(|_| T::random(rng, version)).collect()
    }
}

/// What a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// From client to broker.
    Request,
    /// From broker to client.
    Response,
    /// Neither: bytes inside a field.
    Data,
}

/// One message, by functions on bytes.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Kafka's name.
    pub name: &'static str,
    /// What it is for.
    pub kind: Kind,
    /// Key of its API; `None` for data.
    pub key: Option<i16>,
    /// First version.
    pub min: i16,
    /// Last version.
    pub max: i16,
    /// First flexible version; `i16::MAX` if there is none.
    pub flexible_from: i16,
    /// Its fields.
    pub fields: &'static [Field],
    /// Encodes a random message.
    pub random: fn(&mut Rng, i16) -> Result<Bytes, EncodeError>,
    /// Decodes and encodes again; also gives the bytes left over.
    pub recode: fn(Bytes, i16) -> Result<(Bytes, usize), RecodeError>,
}

/// Why [`Entry::recode`] failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecodeError {
    /// The bytes are no such message.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// They are, but what was read cannot be written: a fault of the codec.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

impl Entry {
    /// The entry of message `M`.
    pub const fn of<M: Message + Random + Shaped>(kind: Kind, key: Option<i16>) -> Self {
        Self {
            name: M::NAME,
            kind,
            key,
            min: M::VERSION_MIN,
            max: M::VERSION_MAX,
            flexible_from: M::FLEXIBLE_FROM,
            fields: M::FIELDS,
            random: random_bytes::<M>,
            recode: recode::<M>,
        }
    }
}

/// Encodes, and holds the codec to its word about the size.
fn encode<M: Message>(message: &M, version: i16) -> Result<Bytes, EncodeError> {
    let mut w = Writer::with_capacity(message.encoded_len(version));
    message.encode(&mut w, version)?;
    assert_eq!(w.len(), message.encoded_len(version), "{} v{version}: measured size", M::NAME);
    Ok(w.finish().0)
}

fn random_bytes<M: Message + Random>(rng: &mut Rng, version: i16) -> Result<Bytes, EncodeError> {
    let message = M::random(rng, version);
    let bytes = encode(&message, version)?;
    let mut r = Reader::new(bytes.clone());
    let back = M::decode(&mut r, version);
    assert_eq!(back.as_ref(), Ok(&message), "{} v{version} reads back", M::NAME);
    assert_eq!(r.remaining(), 0, "{} v{version} reads everything", M::NAME);
    Ok(bytes)
}

fn recode<M: Message>(bytes: Bytes, version: i16) -> Result<(Bytes, usize), RecodeError> {
    let mut r = Reader::new(bytes);
    let message = M::decode(&mut r, version)?;
    Ok((encode(&message, version)?, r.remaining()))
}
