//! Batches that Apache Kafka 4.3.1's own Java library wrote: the same three records in every codec, a fact on bytes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use bytes::Bytes;
use pagewire_record::{Codec, DecompressLimits, Record, SharedBatch, TimestampType, complete_batches};

/// Codec and batch, as hexadecimal digits.
const WRITTEN_BY_JAVA: [(Codec, &str); 5] = [
    (
        Codec::None,
        "0000000000000005000000ed0000000902c5bb8f9d00100000000200000000000003e8000000000000040d0000000000\
         00004d00037ffffffe00000003bc01000000086b65793090017061676577697265207061676577697265207061676577\
         697265207061676577697265207061676577697265207061676577697265207061676577697265207061676577697265\
         2006026b0231026b01026b023114004a02086b65793101009e01001c0401900170616765776972652070616765776972\
         652070616765776972652070616765776972652070616765776972652070616765776972652070616765776972652070\
         616765776972652000",
    ),
    (
        Codec::Gzip,
        "00000000000000050000007900000009027546f10200110000000200000000000003e8000000000000040d0000000000\
         00004d00037ffffffe000000031f8b08000000000000ffdbc3c8c0c0c0919d5a693081b120313db53cb328558142061b\
         53369321533623881261f06202196fc8c8308f91418685917ad6300000b50d2089bc000000",
    ),
    (
        Codec::Snappy,
        "0000000000000005000000840000000902ecf75dd400120000000200000000000003e8000000000000040d0000000000\
         00004d00037ffffffe0000000382534e415050590000000001000000010000003fbc0150bc01000000086b6579309001\
         706167657769726520fa09001c06026b0231026b0101070c14004a02015f243101009e01001c040190fe670015670000",
    ),
    (
        Codec::Lz4,
        "00000000000000050000007f000000090294b0c9d200130000000200000000000003e8000000000000040d0000000000\
         00004d00037ffffffe0000000304224d186040823f000000ff06bc01000000086b657930900170616765776972652009\
         002c8006026b0231026b0107004014004a025f009f3101009e01001c040167003350697265200000000000",
    ),
    (
        Codec::Zstd,
        "00000000000000050000007b0000000902566059ee00140000000200000000000003e8000000000000040d0000000000\
         00004d00037ffffffe0000000328b52ffd0058f401003403bc01000000086b657930900170616765776972652006026b\
         0231026b01026b023114004a02086b65793101009e01001c04010002009d1a5097940a13010000",
    ),
];

fn unhex(digits: &str) -> Bytes {
    let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

fn read(batch: &SharedBatch) -> Vec<Record> {
    let records = batch.records(&DecompressLimits::default()).unwrap();
    records.collect::<Result<_, _>>().unwrap()
}

#[test]
fn what_java_writes_is_read_in_every_codec() {
    let value = Bytes::from("pagewire ".repeat(8));
    for (codec, digits) in WRITTEN_BY_JAVA {
        let batch = complete_batches(&unhex(digits)).next().unwrap().unwrap();
        batch.verify_crc().unwrap();
        let header = batch.header;
        assert_eq!(header.codec(), Some(codec));
        assert_eq!((header.base_offset, header.last_offset(), header.partition_leader_epoch), (5, 7, 9));
        assert_eq!((header.producer_id, header.producer_epoch), (77, 3));
        assert_eq!((header.base_sequence, header.last_sequence()), (i32::MAX - 1, 0), "{codec}");
        assert_eq!((header.base_timestamp, header.max_timestamp), (1000, 1037));
        assert_eq!(header.timestamp_type(), TimestampType::CreateTime);
        assert!(header.is_transactional() && !header.is_control());

        let records = read(&batch);
        let facts: Vec<_> = records.iter().map(|record| (record.offset, record.timestamp)).collect();
        assert_eq!(facts, [(5, 1000), (6, 1037), (7, 1014)]);
        let keys: Vec<_> = records.iter().map(|record| record.key.as_deref()).collect();
        assert_eq!(keys, [Some(b"key0".as_slice()), Some(b"key1"), None]);
        let values: Vec<_> = records.iter().map(|record| record.value.clone()).collect();
        assert_eq!(values, [Some(value.clone()), None, Some(value.clone())]);
        let headers: Vec<_> =
            records[0].headers.iter().map(|header| (header.key.as_ref(), header.value.as_deref())).collect();
        let expected: [(&[u8], Option<&[u8]>); 3] = [(b"k", Some(b"1")), (b"k", None), (b"k", Some(b"1"))];
        assert_eq!(headers, expected, "{codec}");
    }
}
