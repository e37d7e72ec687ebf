//! Record batches as a case writes them and as it reads them back.
//!
//! ```text
//! {Count=3}                         three records, key k0 and value v0 to k2 and v2, with times of long ago
//! {Count=3 Pid=$pid Epoch=0 Sequence=5 Transactional=true}
//! {Codec=gzip Key=null Time=-1 Value=repeat:x:2000000}
//! {Break=crc}                       crc, magic, length, count, delta, codec or record: one thing in it is wrong
//! [{Count=1} {Count=1}]             two batches
//! ```

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use pagewire_record::crc::crc32c;
use pagewire_record::{BatchBuilder, Codec, complete_batches};
use serde_json::{Value as Json, json};

use super::encode::{self, sum};
use super::notation::{Fields, Value};
use super::variables::Variables;

/// The time of the first record, in ms; each further one is a ms younger. It lies in 2023, long before any run.
const TIME_MS: i64 = 1_700_000_000_000;
/// Where the batch header has the fields that can be broken.
const LENGTH_AT: usize = 8;
const MAGIC_AT: usize = 16;
const CRC_AT: usize = 17;
const ATTRIBUTES_AT: usize = 21;
const LAST_DELTA_AT: usize = 23;
const COUNT_AT: usize = 57;
const RECORDS_AT: usize = 61;

/// The bytes of one batch or several.
pub(super) fn write(value: &Value, variables: &Variables) -> Result<Vec<u8>> {
    match value {
        Value::List(list) => {
            let batches = list.iter().map(|one| write(one, variables)).collect::<Result<Vec<_>>>()?;
            Ok(batches.concat())
        }
        Value::Fields(fields) => batch(fields, variables),
        other => bail!("{other:?} is no batch"),
    }
}

fn batch(fields: &Fields, variables: &Variables) -> Result<Vec<u8>> {
    let mut batch = Asked::default();
    for (name, value) in &fields.0 {
        let Value::Word(word) = value else { bail!("{name} is no word") };
        batch.set(name, &variables.fill(word)?).with_context(|| name.clone())?;
    }
    batch.build()
}

/// What a case says of a batch.
struct Asked {
    count: i64,
    producer: (i64, i16, i32),
    transactional: bool,
    control: bool,
    codec: Codec,
    time_ms: i64,
    key: Option<String>,
    value: Option<String>,
    broken: String,
}

impl Default for Asked {
    fn default() -> Self {
        Self {
            count: 1,
            producer: (-1, -1, -1),
            transactional: false,
            control: false,
            codec: Codec::None,
            time_ms: TIME_MS,
            key: Some("k".to_owned()),
            value: Some("v".to_owned()),
            broken: String::new(),
        }
    }
}

impl Asked {
    fn set(&mut self, name: &str, word: &str) -> Result<()> {
        let text = || Some(word.to_owned()).filter(|word| word != "null");
        match name {
            "Count" => self.count = word.parse()?,
            "Pid" => self.producer.0 = sum(word)?,
            "Epoch" => self.producer.1 = i16::try_from(sum(word)?)?,
            "Sequence" => self.producer.2 = i32::try_from(sum(word)?)?,
            "Transactional" => self.transactional = word.parse()?,
            "Control" => self.control = word.parse()?,
            "Codec" => self.codec = word.parse()?,
            "Time" => self.time_ms = word.parse()?,
            "Key" => self.key = text(),
            "Value" => self.value = text(),
            "Break" => word.clone_into(&mut self.broken),
            _ => bail!("a batch has no such field"),
        }
        Ok(())
    }

    fn build(self) -> Result<Vec<u8>> {
        let (id, epoch, sequence) = self.producer;
        let mut builder = BatchBuilder::new(self.codec);
        if self.producer != (-1, -1, -1) {
            builder = builder.producer(id, epoch, sequence);
        }
        builder = if self.transactional { builder.transactional() } else { builder };
        builder = if self.control { builder.control() } else { builder };
        for number in 0..self.count {
            let numbered = |text: &String| -> Result<Vec<u8>> {
                Ok([encode::text(text)?, number.to_string().into_bytes()].concat())
            };
            let key = self.key.as_ref().map(numbered).transpose()?;
            let value = self.value.as_ref().map(numbered).transpose()?;
            let time_ms = if self.time_ms < 0 { self.time_ms } else { self.time_ms + number };
            builder.append(time_ms, key.as_deref(), value.as_deref(), &[])?;
        }
        breaking(builder.build()?.to_vec(), &self.broken)
    }
}

/// Breaks one thing; the checksum is right unless it is the thing.
fn breaking(mut bytes: Vec<u8>, what: &str) -> Result<Vec<u8>> {
    let mut put = |at: usize, value: &[u8]| -> Result<()> {
        bytes.get_mut(at..at + value.len()).context("a batch is too short")?.copy_from_slice(value);
        Ok(())
    };
    match what {
        "" => return Ok(bytes),
        "crc" => put(CRC_AT, &[0; 4])?,
        "magic" => put(MAGIC_AT, &[3])?,
        "magic0" => put(MAGIC_AT, &[0])?,
        "magic1" => put(MAGIC_AT, &[1])?,
        "length" => put(LENGTH_AT, &1_000_000i32.to_be_bytes())?,
        "short" => put(LENGTH_AT, &10i32.to_be_bytes())?,
        "count" => put(COUNT_AT, &7i32.to_be_bytes())?,
        "negative" => put(COUNT_AT, &(-1i32).to_be_bytes())?,
        "delta" => put(LAST_DELTA_AT, &7i32.to_be_bytes())?,
        "codec" => put(ATTRIBUTES_AT, &7i16.to_be_bytes())?,
        "record" => put(RECORDS_AT, &[0x7e])?,
        other => bail!("nothing is broken by {other}"),
    }
    if what != "crc" {
        let crc = crc32c(bytes.get(ATTRIBUTES_AT..).context("a batch is too short")?).to_be_bytes();
        bytes.get_mut(CRC_AT..CRC_AT + 4).context("a batch is too short")?.copy_from_slice(&crc);
    }
    Ok(bytes)
}

/// What clients see of batches: their headers. Of those that a client wrote the checksum too, which covers the rest;
/// a broker's own have its time in them.
pub(super) fn read(bytes: &[u8]) -> Result<Json> {
    let bytes = Bytes::copy_from_slice(bytes);
    let mut list = Vec::new();
    let mut whole = 0;
    for batch in complete_batches(&bytes) {
        let header = batch?.header;
        whole += usize::try_from(header.size_in_bytes())?;
        list.push(json!({
            "BaseOffset": header.base_offset,
            "LastOffset": header.last_offset(),
            "LeaderEpoch": header.partition_leader_epoch,
            "Attributes": header.attributes,
            "ProducerId": header.producer_id,
            "ProducerEpoch": header.producer_epoch,
            "BaseSequence": header.base_sequence,
            "Count": header.records_count,
            "Bytes": header.batch_length,
            "Crc": (!header.is_control() && !header.has_producer_id()).then_some(header.crc),
        }));
    }
    if whole < bytes.len() {
        list.push(json!({ "CutAfter": bytes.len() - whole }));
    }
    Ok(Json::Array(list))
}
