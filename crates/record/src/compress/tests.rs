//! Every codec both ways, its foreign dialects, and what it must refuse.

use std::io::Read as _;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const LIMITS: DecompressLimits = DecompressLimits { max_bytes: 8 << 20 };

fn text(len: usize) -> Vec<u8> {
    b"the same words come again, ".iter().copied().cycle().take(len).collect()
}

fn xerial(chunks: &[&[u8]]) -> Vec<u8> {
    let mut out = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
    for chunk in chunks {
        let block = snap::raw::Encoder::new().compress_vec(chunk).unwrap();
        out.extend((block.len() as u32).to_be_bytes());
        out.extend(block);
    }
    out
}

fn is_corrupt(codec: Codec, payload: &[u8]) -> bool {
    matches!(inflate(codec, payload, &LIMITS), Err(InflateError::Corrupt { codec: named, .. }) if named == codec)
}

#[test]
fn names_and_numbers_are_kafkas() {
    let names: Vec<_> = Codec::ALL.iter().map(|codec| (codec.id(), codec.name())).collect();
    assert_eq!(names, [(0, "none"), (1, "gzip"), (2, "snappy"), (3, "lz4"), (4, "zstd")]);
    for codec in Codec::ALL {
        assert_eq!(codec.name().parse(), Ok(codec));
        assert_eq!(Codec::from_id(codec.id()), Some(codec));
    }
    assert_eq!("uncompressed".parse(), Ok(Codec::None));
    assert!("LZ5".parse::<Codec>().is_err());
    assert_eq!(Codec::from_id(5), None);
}

#[test]
fn every_codec_round_trips_every_size_around_its_blocks() {
    for codec in Codec::ALL {
        for len in [0, 1, 100, (32 << 10) - 1, 32 << 10, (32 << 10) + 1, 64 << 10, (64 << 10) + 1, 300_000] {
            let plain = text(len);
            let packed = deflate(codec.into(), &plain).unwrap();
            assert_eq!(inflate(codec, &packed, &LIMITS).as_ref(), Ok(&plain), "{codec} {len}");
        }
    }
}

#[test]
fn levels_are_taken_and_clamped() {
    for codec in Codec::ALL {
        for level in [i32::MIN, -1, 0, 1, 9, 19, i32::MAX] {
            let packed = deflate(Compression { codec, level: Some(level) }, &text(10_000)).unwrap();
            assert_eq!(inflate(codec, &packed, &LIMITS), Ok(text(10_000)), "{codec} {level}");
        }
    }
}

#[test]
fn raw_snappy_is_read_as_librdkafka_sends_it() {
    let packed = snap::raw::Encoder::new().compress_vec(&text(200_000)).unwrap();
    assert_eq!(inflate(Codec::Snappy, &packed, &LIMITS), Ok(text(200_000)));
}

#[test]
fn xerial_snappy_is_read_with_chunks_of_any_size_and_after_concatenation() {
    let mut packed = xerial(&[b"one ", b"", b"two ", &text(100_000)]);
    packed.extend(xerial(&[b" end"]));
    let mut expected = b"one two ".to_vec();
    expected.extend(text(100_000));
    expected.extend(b" end");
    assert_eq!(inflate(Codec::Snappy, &packed, &LIMITS), Ok(expected));
}

#[test]
fn what_snappy_writes_is_framed_like_java() {
    let packed = deflate(Codec::Snappy.into(), &text(40_000)).unwrap();
    assert_eq!(&packed[..16], b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01");
    let first = u32::from_be_bytes(*packed[16..].first_chunk().unwrap()) as usize;
    let block = snap::raw::Decoder::new().decompress_vec(&packed[20..20 + first]).unwrap();
    assert_eq!(block, text(32 << 10));
}

#[test]
fn what_lz4_writes_has_independent_blocks_and_no_checksums() {
    let packed = deflate(Codec::Lz4.into(), &text(200_000)).unwrap();
    assert_eq!(&packed[..6], [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40]);
    assert!(packed.ends_with(&[0; 4]));
}

#[test]
fn lz4_frames_that_java_cannot_read_are_refused() {
    use lz4_flex::frame::{BlockMode, FrameEncoder, FrameInfo};
    let write = |info: FrameInfo| {
        let mut frame = FrameEncoder::with_frame_info(info, Vec::new());
        frame.write_all(&text(200_000)).unwrap();
        frame.finish().unwrap()
    };
    let linked = write(FrameInfo::new().block_mode(BlockMode::Linked));
    assert!(is_corrupt(Codec::Lz4, &linked));
    let mut legacy = linked.clone();
    legacy[..4].copy_from_slice(&[0x02, 0x21, 0x4c, 0x18]);
    assert!(is_corrupt(Codec::Lz4, &legacy));

    let whole =
        write(FrameInfo::new().block_checksums(true).content_checksum(true).content_size(Some(200_000)));
    assert_eq!(inflate(Codec::Lz4, &whole, &LIMITS), Ok(text(200_000)));
    for cut in 0..whole.len() {
        assert!(is_corrupt(Codec::Lz4, &whole[..cut]), "cut at {cut}");
    }
    let mut trailed = whole.clone();
    trailed.extend(b"ignored, as Java does");
    assert_eq!(inflate(Codec::Lz4, &trailed, &LIMITS), Ok(text(200_000)));
}

#[test]
fn a_cut_stream_is_corrupt_in_every_codec() {
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let packed = deflate(codec.into(), &text(100_000)).unwrap();
        assert!(is_corrupt(codec, &packed[..packed.len() - 1]), "{codec}");
        assert!(is_corrupt(codec, &packed[..packed.len() / 2]), "{codec}");
    }
}

#[test]
fn members_and_frames_one_after_another_are_one_stream() {
    for codec in [Codec::Gzip, Codec::Zstd] {
        let mut packed = deflate(codec.into(), b"one ").unwrap();
        packed.extend(deflate(codec.into(), b"two").unwrap());
        assert_eq!(inflate(codec, &packed, &LIMITS), Ok(b"one two".to_vec()), "{codec}");
    }
}

#[test]
fn the_cap_is_exact_in_every_codec() {
    for codec in Codec::ALL {
        let packed = deflate(codec.into(), &text(70_000)).unwrap();
        let exact = DecompressLimits { max_bytes: 70_000 };
        assert_eq!(inflate(codec, &packed, &exact).map(|plain| plain.len()), Ok(70_000), "{codec}");
        let below = DecompressLimits { max_bytes: 69_999 };
        assert_eq!(
            inflate(codec, &packed, &below),
            Err(InflateError::TooLarge { max_bytes: 69_999 }),
            "{codec}"
        );
    }
}

/// 64 MiB of zeros in a few kilobytes.
fn bomb(codec: Codec) -> Vec<u8> {
    let mut deflater = Deflater::new(codec.into(), Vec::new()).unwrap();
    io::copy(&mut io::repeat(0).take(64 << 20), &mut deflater).unwrap();
    deflater.finish().unwrap()
}

#[test]
fn a_bomb_costs_the_cap_and_no_more() {
    let packed = bomb(Codec::Zstd);
    assert!(packed.len() < 8 << 10, "{} bytes", packed.len());
    let mut inflater = Inflater::new(Codec::Zstd, &packed, &LIMITS).unwrap();
    let mut buffer = vec![0; CHUNK];
    let mut total = 0;
    let end = loop {
        match inflater.read(&mut buffer) {
            Ok(read) => total += read,
            Err(error) => break error,
        }
        assert!(total <= LIMITS.max_bytes);
    };
    assert_eq!(end, InflateError::TooLarge { max_bytes: LIMITS.max_bytes });
    assert_eq!(inflater.read(&mut buffer), Ok(0), "after an error the stream is over");
}

#[test]
fn a_claimed_size_is_not_believed() {
    // Raw snappy that claims 4 GiB - 1, then 1 GiB, with a few bytes behind the claim.
    assert!(is_corrupt(Codec::Snappy, &[0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0]));
    assert!(is_corrupt(Codec::Snappy, &[0x80, 0x80, 0x80, 0x80, 0x04, 0, 0, 0]));
    let mut framed = xerial(&[]);
    framed.extend([0, 0, 0, 6, 0x80, 0x80, 0x80, 0x80, 0x04, 0]);
    assert!(is_corrupt(Codec::Snappy, &framed));
    // A xerial chunk that claims to be longer than the stream, and one of negative length.
    for length in [[0x7f, 0xff, 0xff, 0xff], [0x80, 0, 0, 0]] {
        let mut framed = xerial(&[]);
        framed.extend(length);
        framed.extend([0; 8]);
        assert!(is_corrupt(Codec::Snappy, &framed));
    }
    // A zstd frame that announces a window of 2 GiB.
    assert!(is_corrupt(Codec::Zstd, &[0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0x00, 0x00]));
    // One that announces a content of 2^40 bytes and ends at once.
    let mut claimed = vec![0x28, 0xb5, 0x2f, 0xfd, 0xe0];
    claimed.extend((1u64 << 40).to_le_bytes());
    claimed.extend([0x01, 0x00, 0x00]);
    assert!(is_corrupt(Codec::Zstd, &claimed));
}

proptest! {
    #[test]
    fn any_bytes_round_trip(plain in vec(any::<u8>(), 0..2000), id in 0u8..5) {
        let codec = Codec::from_id(id).unwrap();
        let packed = deflate(codec.into(), &plain).unwrap();
        prop_assert_eq!(inflate(codec, &packed, &LIMITS), Ok(plain));
    }

    #[test]
    fn any_bytes_are_inflated_or_refused(payload in vec(any::<u8>(), 0..500), id in 1u8..5, flip in any::<u16>()) {
        let codec = Codec::from_id(id).unwrap();
        let _ = inflate(codec, &payload, &LIMITS);
        let mut packed = deflate(codec.into(), &payload).unwrap();
        let at = usize::from(flip) % packed.len();
        packed[at] ^= 1 << (flip % 8);
        let _ = inflate(codec, &packed, &LIMITS);
    }
}
