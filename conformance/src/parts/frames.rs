//! The hostile bytes themselves, made from a seed.

use anyhow::{Context as _, Result};
use bytes::Bytes;
use pagewire_record::compress::{Compression, deflate};
use pagewire_record::{BatchHeader, Codec, HEADER_LEN};
use pagewire_wire::messages::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use pagewire_wire::messages::fetch_request::FetchRequest;
use pagewire_wire::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use pagewire_wire::testing::{ALL, Entry, Kind, Rng};
use pagewire_wire::{ApiKey, Request, Str, encode_request};

use crate::harness::raw;

/// Kafka's number for groups among resources.
const GROUP_RESOURCE: i8 = 32;
const CODECS: [Codec; 4] = [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

/// A request header without its size: correlation id 7, no client id.
pub(super) fn header(key: i16, version: i16) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(key.to_be_bytes());
    bytes.extend(version.to_be_bytes());
    bytes.extend(7_i32.to_be_bytes());
    bytes.extend((-1_i16).to_be_bytes());
    if ApiKey::from_code(key).is_some_and(|api| api.is_flexible(version)) {
        bytes.push(0);
    }
    bytes
}

fn framed(content: &[u8]) -> Vec<u8> {
    let mut bytes = i32::try_from(content.len()).unwrap_or(i32::MAX).to_be_bytes().to_vec();
    bytes.extend_from_slice(content);
    bytes
}

/// A request as it goes over the wire.
fn encoded(request: &impl Request, version: i16) -> Result<Vec<u8>> {
    let frame = encode_request(request, version, 7, None)?.into_bytes().context("a request with a hole")?;
    Ok(frame.to_vec())
}

/// Asks about 830,000 topics, none of which is there, in 4 MiB.
pub(super) fn many_topics() -> Result<Vec<u8>> {
    let letters = || b'!'..=b'~';
    let names = letters().flat_map(|a| letters().flat_map(move |b| letters().map(move |c| [a, b, c])));
    let topic = |name: [u8; 3]| MetadataRequestTopic {
        name: Some(String::from_utf8_lossy(&name).into_owned().into()),
        ..MetadataRequestTopic::default()
    };
    let topics = Some(names.map(topic).collect());
    encoded(&MetadataRequest { topics, allow_auto_topic_creation: false, ..MetadataRequest::default() }, 9)
}

/// A fetch that waits for what nobody produces.
pub(super) fn parked_fetch(topic: &str, offset: i64) -> Result<Vec<u8>> {
    let request = FetchRequest { max_wait_ms: 600_000, ..raw::fetch_request(topic, 0, offset, 1 << 20) };
    encoded(&request, raw::FETCH)
}

/// Asks for every setting of the broker, with all that is known about it.
pub(super) fn describe_broker() -> Result<Vec<u8>> {
    const BROKER: i8 = 4;
    let resource = DescribeConfigsResource {
        resource_type: BROKER,
        resource_name: "1".into(),
        configuration_keys: None,
        ..DescribeConfigsResource::default()
    };
    let request = DescribeConfigsRequest {
        resources: vec![resource],
        include_synonyms: true,
        include_documentation: true,
        ..DescribeConfigsRequest::default()
    };
    encoded(&request, 4)
}

/// Everything about the settings of so many groups.
pub(super) fn settings_of_groups(groups: usize) -> DescribeConfigsRequest {
    let resource = |n: usize| DescribeConfigsResource {
        resource_type: GROUP_RESOURCE,
        resource_name: Str::from(n.to_string()),
        configuration_keys: None,
    };
    DescribeConfigsRequest {
        resources: (0..groups).map(resource).collect(),
        include_synonyms: true,
        include_documentation: true,
    }
}

/// Size prefixes that are not the size of what follows.
pub(super) fn lying_lengths() -> impl Iterator<Item = Vec<u8>> {
    let sizes = [
        0,
        -1,
        1,
        3,
        7,
        i32::MIN,
        i32::MAX,
        i32::MAX - 4,
        104_857_600,
        104_857_601,
        0x4745_5420,
        0x1603_0100,
    ];
    let tails: [&[u8]; 3] = [b"", b"\0", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"];
    sizes.into_iter().flat_map(move |size: i32| {
        tails.into_iter().map(move |tail| [&size.to_be_bytes()[..], tail].concat())
    })
}

/// Nonsense of all lengths, most of it rightly framed.
pub(super) fn random_bytes(count: usize) -> impl Iterator<Item = Vec<u8>> {
    let mut rng = Rng::new(2);
    (0..count).map(move |i| {
        let len = rng.below(400);
        let content = rng.bytes(len);
        if i % 4 == 0 { content } else { framed(&content) }
    })
}

/// Every key near the known ones, in versions nobody has.
pub(super) fn unknown_versions() -> impl Iterator<Item = Vec<u8>> {
    let keys = (-3..100).chain([i16::MIN, 1000, i16::MAX]);
    keys.flat_map(|key| {
        [i16::MIN, -1, 0, 50, i16::MAX].map(|version| framed(&[header(key, version), vec![0; 20]].concat()))
    })
}

/// Random but rightly encoded requests of every API and version, and what can be done to them.
#[derive(Debug)]
pub(super) struct Requests {
    entries: Vec<&'static Entry>,
}

impl Requests {
    /// All requests the codec knows.
    pub(super) fn new() -> Self {
        Self {
            entries: ALL.iter().filter(|entry| entry.kind == Kind::Request && entry.key.is_some()).collect(),
        }
    }

    fn make(&self, rng: &mut Rng) -> Vec<u8> {
        loop {
            let Some(entry) = self.entries.get(rng.below(self.entries.len())) else { return Vec::new() };
            let versions = usize::try_from(entry.max - entry.min + 1).unwrap_or(1);
            let version = entry.min + rng.below(versions) as i16;
            if let (Ok(body), Some(key)) = ((entry.random)(rng, version), entry.key) {
                return [header(key, version), body.to_vec()].concat();
            }
        }
    }

    fn many(
        &self,
        seed: u64,
        count: usize,
        harm: impl Fn(&mut Rng, &mut Vec<u8>),
    ) -> impl Iterator<Item = Vec<u8>> {
        let mut rng = Rng::new(seed);
        (0..count).map(move |_| {
            let mut content = self.make(&mut rng);
            harm(&mut rng, &mut content);
            framed(&content)
        })
    }

    /// As they are.
    pub(super) fn whole(&self, count: usize) -> impl Iterator<Item = Vec<u8>> {
        self.many(3, count, |_, _| {})
    }

    /// Cut somewhere, the size prefix agreeing.
    pub(super) fn truncated(&self, count: usize) -> impl Iterator<Item = Vec<u8>> {
        self.many(4, count, |rng, content| content.truncate(rng.below(content.len())))
    }

    /// One to eight bits turned over.
    pub(super) fn flipped(&self, count: usize) -> impl Iterator<Item = Vec<u8>> {
        self.many(5, count, |rng, content| {
            for _ in 0..=rng.below(8) {
                let (at, bit) = (rng.below(content.len()), rng.below(8));
                if let Some(byte) = content.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
        })
    }

    /// Lengths and counts of billions where the body had small numbers.
    pub(super) fn huge_counts(&self, count: usize) -> impl Iterator<Item = Vec<u8>> {
        const HUGE: [&[u8]; 4] = [
            &[0x7f, 0xff, 0xff, 0xff],
            &[0xff, 0xff, 0xff, 0xff, 0x0f],
            &[0x7f, 0xff],
            &[0xff, 0xff, 0xff, 0xff, 0x07],
        ];
        self.many(6, count, |rng, content| {
            let huge = HUGE.get(rng.below(HUGE.len())).copied().unwrap_or_default();
            let at = 8 + rng.below(content.len().saturating_sub(8));
            for (place, byte) in content.iter_mut().skip(at).zip(huge) {
                *place = *byte;
            }
        })
    }
}

/// A batch of this payload that claims this many records, with a right checksum.
fn claiming(codec: Codec, records_count: i32, payload: &[u8]) -> Bytes {
    let header = BatchHeader {
        base_offset: 0,
        batch_length: i32::try_from(HEADER_LEN - 12 + payload.len()).unwrap_or(i32::MAX),
        partition_leader_epoch: -1,
        magic: 2,
        crc: 0,
        attributes: i16::from(codec.id()),
        last_offset_delta: records_count.wrapping_sub(1),
        base_timestamp: 0,
        max_timestamp: 0,
        producer_id: -1,
        producer_epoch: -1,
        base_sequence: -1,
        records_count,
    };
    sealed([&header.encode()[..], payload].concat())
}

/// Sets the checksum right: it covers everything from byte 21 on.
fn sealed(mut bytes: Vec<u8>) -> Bytes {
    let crc = pagewire_record::crc::crc32c(bytes.get(21..).unwrap_or_default());
    if let Some(field) = bytes.get_mut(17..21) {
        field.copy_from_slice(&crc.to_be_bytes());
    }
    bytes.into()
}

/// Batches that lie about themselves.
pub(super) fn broken_batches() -> Result<Vec<(&'static str, Bytes)>> {
    let good = raw::batch(&[b"one", b"two"], None)?;
    let changed = |at: usize, with: &[u8]| {
        let mut bytes = good.to_vec();
        for (place, byte) in bytes.iter_mut().skip(at).zip(with) {
            *place = *byte;
        }
        bytes
    };
    let huge = i32::MAX.to_be_bytes();
    Ok(vec![
        ("a wrong checksum", changed(17, &[1, 2, 3, 4]).into()),
        ("a huge record count", sealed(changed(57, &huge))),
        (
            "a huge count and last offset",
            sealed(
                [&changed(57, &huge)[..23], &(i32::MAX - 1).to_be_bytes(), &changed(57, &huge)[27..]]
                    .concat(),
            ),
        ),
        ("no records", sealed(changed(57, &[0; 4]))),
        ("a negative count", sealed(changed(57, &[0xff; 4]))),
        ("a wrong last offset", sealed(changed(23, &[0, 0, 0, 9]))),
        ("another magic", sealed(changed(16, &[1]))),
        ("an unknown codec", sealed(changed(21, &[0, 7]))),
        ("a control batch", sealed(changed(21, &[0, 0x20]))),
        ("a huge batch length", changed(8, &huge).into()),
        ("a negative batch length", changed(8, &[0xff; 4]).into()),
        ("a cut batch", good.slice(..good.len() - 3)),
        ("two batches", [good.clone(), good.clone()].concat().into()),
        ("a huge record length", sealed(changed(HEADER_LEN, &[0xff, 0xff, 0xff, 0xff, 0x0f]))),
        ("nothing", Bytes::new()),
        ("a header alone", sealed(good.get(..HEADER_LEN).unwrap_or_default().to_vec())),
    ])
}

/// Small batches that claim, or hold, very much.
pub(super) fn bombs() -> Result<Vec<(&'static str, Bytes)>> {
    let mut bombs = Vec::new();
    for codec in CODECS {
        // Snappy shrinks zeros to a twentieth only; the batch must still fit the topic's limit.
        let zeros = vec![0; if codec == Codec::Snappy { 12 << 20 } else { 24 << 20 }];
        let packed = deflate(Compression::from(codec), &zeros)?;
        bombs.push(("many zeros as one record", claiming(codec, 1, &packed)));
        bombs.push(("many zeros as records without number", claiming(codec, 1 << 28, &packed)));
        bombs.push((
            "nothing as records without number",
            claiming(codec, 1 << 28, &deflate(Compression::from(codec), b"")?),
        ));
    }
    let gigabyte = [0x80, 0x80, 0x80, 0x80, 0x04];
    bombs.push((
        "snappy that claims a gigabyte",
        claiming(Codec::Snappy, 1, &[&gigabyte[..], &[0; 16]].concat()),
    ));
    let xerial =
        [&b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01"[..], &(1_i32 << 30).to_be_bytes(), &gigabyte, &[0; 16]]
            .concat();
    bombs.push(("a snappy block that claims a gigabyte", claiming(Codec::Snappy, 1, &xerial)));
    let zstd = [&[0x28, 0xb5, 0x2f, 0xfd, 0xe0][..], &(1_u64 << 30).to_le_bytes(), &[0x03, 0, 0, 0]].concat();
    bombs.push(("zstd that claims a gigabyte", claiming(Codec::Zstd, 1, &zstd)));
    let window = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xff, 0x03, 0x00, 0x00];
    bombs.push(("zstd with the largest window", claiming(Codec::Zstd, 1, &window)));
    let lz4 = [
        &[0x04, 0x22, 0x4d, 0x18, 0x78, 0x70][..],
        &(1_u64 << 30).to_le_bytes(),
        &[0x73, 0xff, 0xff, 0xff, 0x7f],
    ]
    .concat();
    bombs.push(("lz4 that claims a gigabyte", claiming(Codec::Lz4, 1, &lz4)));
    Ok(bombs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pagewire_record::Batch;

    #[test]
    fn bombs_are_small_and_their_checksums_hold() {
        for (name, bomb) in bombs().expect("bombs are made") {
            assert!(bomb.len() < 1_000_000, "{name} has {} bytes", bomb.len());
            Batch::first(&bomb)
                .and_then(|batch| batch.verify_crc())
                .unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }

    #[test]
    fn the_same_seed_makes_the_same_frames() {
        let requests = Requests::new();
        assert_eq!(requests.flipped(50).collect::<Vec<_>>(), requests.flipped(50).collect::<Vec<_>>());
    }
}
