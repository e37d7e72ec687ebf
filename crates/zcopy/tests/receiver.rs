//! Frames come out whole, however the stream was cut, and memory follows what arrived, not what was announced.

mod common;

use std::io::{Read, Write};

use common::{LIMIT, once, pattern, tcp_pair};
use pagewire_zcopy::{BufferPool, FrameError, PoolOptions, Receiver};
use proptest::prelude::*;

const MAX: usize = 8 << 20;

fn pool() -> BufferPool {
    BufferPool::new(PoolOptions { max_bytes: 64 << 20, idle_max_bytes: 1 << 20, ..PoolOptions::default() })
}

fn frames_of(lens: &[usize]) -> Vec<Vec<u8>> {
    lens.iter().enumerate().map(|(at, &len)| pattern(len, at as u64)).collect()
}

fn stream_of(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut stream = Vec::new();
    for frame in frames {
        stream.extend((frame.len() as i32).to_be_bytes());
        stream.extend(frame);
    }
    stream
}

/// Gives its bytes in reads of these lengths, in turn.
struct Cut<'a> {
    bytes: &'a [u8],
    lens: Vec<usize>,
    turn: usize,
}

impl Read for Cut<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let len = self.lens[self.turn % self.lens.len()].clamp(1, into.len()).min(self.bytes.len());
        self.turn += 1;
        into[..len].copy_from_slice(&self.bytes[..len]);
        self.bytes = &self.bytes[len..];
        Ok(len)
    }
}

fn received(receiver: &mut Receiver, mut source: impl Read) -> Vec<bytes::Bytes> {
    let mut frames = Vec::new();
    loop {
        while let Some(frame) = receiver.frame(MAX).expect("an allowed length") {
            frames.push(frame);
        }
        if receiver.fill_from(&mut source).expect("reading") == 0 {
            return frames;
        }
    }
}

#[test]
fn a_stream_cut_at_any_byte_gives_the_same_frames() {
    let frames = frames_of(&[0, 1, 3, 100, 4_092, 4_093, 0, 700, 5_000]);
    let stream = stream_of(&frames);
    for cut in 1..stream.len() {
        let mut receiver = Receiver::new(pool());
        let source = Cut { bytes: &stream, lens: vec![cut, usize::MAX], turn: 0 };
        assert!(received(&mut receiver, source) == frames, "cut at {cut}");
        assert!(!receiver.holds_buffer());
    }
}

#[test]
fn a_stream_that_comes_byte_by_byte_gives_the_same_frames() {
    let frames = frames_of(&[5, 0, 9_000, 70_000, 1]);
    let stream = stream_of(&frames);
    let source = Cut { bytes: &stream, lens: vec![1], turn: 0 };
    assert!(received(&mut Receiver::new(pool()), source) == frames);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_frames_cut_in_any_way_come_out_whole(
        lens in prop::collection::vec(
            prop_oneof![0..300usize, 4_000..4_200usize, 60_000..70_000usize, 1_040_000..1_060_000usize, 2_000_000..6_000_000usize],
            1..12,
        ),
        cuts in prop::collection::vec(prop_oneof![1..100usize, 1_000..300_000usize], 0..6),
    ) {
        let frames = frames_of(&lens);
        let stream = stream_of(&frames);
        let lens = cuts.into_iter().chain([usize::MAX]).collect();
        let pool = pool();
        let mut receiver = Receiver::new(pool.clone());
        let got = received(&mut receiver, Cut { bytes: &stream, lens, turn: 0 });
        prop_assert!(got == frames);
        drop((got, receiver));
        prop_assert_eq!(pool.usage().in_use_bytes, 0);
    }
}

#[test]
fn many_small_frames_come_from_one_read_and_pin_nothing() {
    let frames = frames_of(&[300; 150]);
    let stream = stream_of(&frames);
    let pool = pool();
    let mut receiver = Receiver::new(pool.clone());
    assert_eq!(receiver.fill_from(&stream[..]).expect("reading"), stream.len());
    assert_eq!(receiver.buffered().len(), stream.len());
    let kept: Vec<_> = std::iter::from_fn(|| receiver.frame(MAX).expect("allowed")).collect();
    assert!(kept == frames);
    assert!(!receiver.holds_buffer());
    assert_eq!((pool.usage().in_use_bytes, pool.usage().mapped), (0, 1), "small frames outlive the buffer");
}

#[test]
fn a_large_frame_is_a_slice_of_its_buffer() {
    let frames = frames_of(&[20_000, 20_000]);
    let stream = stream_of(&frames);
    let pool = pool();
    let mut receiver = Receiver::new(pool.clone());
    receiver.fill_from(&stream[..]).expect("reading");
    let first = receiver.frame(MAX).expect("allowed").expect("whole");
    let second = receiver.frame(MAX).expect("allowed").expect("whole");
    assert_eq!(second.as_ptr() as usize - first.as_ptr() as usize, 20_004, "neighbours in one buffer");
    assert!(!receiver.holds_buffer());
    assert_eq!(pool.usage().in_use_bytes, 64 << 10);
    drop((first, second));
    assert_eq!(pool.usage().in_use_bytes, 0);
}

#[test]
fn huge_and_negative_lengths_are_errors_before_memory_is_taken() {
    for (prefix, error) in [
        (-1i32, FrameError::Negative { len: -1 }),
        (i32::MIN, FrameError::Negative { len: i32::MIN }),
        (i32::MAX, FrameError::TooLong { len: i32::MAX as usize, max: MAX }),
        (MAX as i32 + 1, FrameError::TooLong { len: MAX + 1, max: MAX }),
    ] {
        let pool = pool();
        let mut receiver = Receiver::new(pool.clone());
        receiver.fill_from(&prefix.to_be_bytes()[..]).expect("reading");
        assert_eq!(receiver.frame(MAX), Err(error));
        assert_eq!(pool.usage().in_use_bytes, 64 << 10);
    }
}

#[test]
fn a_half_sent_frame_costs_what_arrived() {
    let pool = BufferPool::new(PoolOptions::default());
    let mut stream = (100i32 << 20).to_be_bytes().to_vec();
    stream.extend(pattern(200_000, 1));
    let mut receivers: Vec<_> = (0..20)
        .map(|_| {
            let mut receiver = Receiver::new(pool.clone());
            let mut source = Cut { bytes: &stream, lens: vec![usize::MAX], turn: 0 };
            while receiver.fill_from(&mut source).expect("reading") != 0 {
                assert_eq!(receiver.frame(200 << 20), Ok(None));
            }
            assert_eq!(receiver.buffered().len(), stream.len());
            receiver
        })
        .collect();
    let charged = pool.usage().in_use_bytes;
    assert!(charged <= 20 * (512 << 10), "two gigabytes were announced, {charged} bytes charged");
    receivers.clear();
    assert_eq!(pool.usage().in_use_bytes, 0);
}

#[test]
fn small_requests_get_through_a_pool_at_its_bound_and_large_ones_wait() {
    let pool =
        BufferPool::new(PoolOptions { max_bytes: 64 << 10, idle_max_bytes: 0, ..PoolOptions::default() });
    let hog = pool.take(1).expect("room");
    let frames = frames_of(&[10_000, 200, 14_000]);
    let stream = stream_of(&frames);
    let mut receiver = Receiver::new(pool.clone());
    assert!(received(&mut receiver, &stream[..]) == frames);
    let large = stream_of(&frames_of(&[20_000]));
    let mut source = &large[..];
    let full = loop {
        assert_eq!(receiver.frame(MAX), Ok(None));
        if let Err(error) = receiver.fill_from(&mut source) {
            break error;
        }
    };
    assert_eq!(full.kind(), std::io::ErrorKind::OutOfMemory);
    drop(hog);
    while receiver.fill_from(&mut source).expect("room again") != 0 {}
    assert_eq!(receiver.frame(MAX).expect("allowed").expect("whole").len(), 20_000);
}

#[test]
fn a_frame_for_which_there_will_never_be_room_is_refused() {
    let pool = BufferPool::new(PoolOptions { max_bytes: 1 << 20, ..PoolOptions::default() });
    for (len, allowed) in [(pool.frame_len_max(), true), (pool.frame_len_max() + 1, false)] {
        let stream = stream_of(&frames_of(&[len]));
        let mut receiver = Receiver::new(pool.clone());
        let mut source = &stream[..];
        let outcome = loop {
            match receiver.frame(MAX) {
                Ok(None) => assert!(receiver.fill_from(&mut source).expect("alone in the pool") > 0),
                outcome => break outcome,
            }
        };
        let refused = FrameError::TooLong { len, max: pool.frame_len_max() };
        assert!(if allowed { outcome.is_ok() } else { outcome == Err(refused) });
    }
}

/// Receivers that hold what they could of a frame of which `sent` bytes came, as many as `count`.
fn half_sent(pool: &BufferPool, count: usize, announced: usize, sent: usize) -> Vec<Receiver> {
    let mut stream = (announced as i32).to_be_bytes().to_vec();
    stream.extend(pattern(sent, 1));
    let fill = |_| {
        let mut receiver = Receiver::new(pool.clone());
        let mut source = &stream[..];
        while receiver.fill_from(&mut source).is_ok_and(|n| n > 0) {
            assert_eq!(receiver.frame(MAX), Ok(None));
        }
        receiver
    };
    (0..count).map(fill).collect()
}

#[test]
fn half_sent_frames_of_any_size_leave_room_for_smaller_ones() {
    for (announced, sent, others) in
        [(MAX, 1_500_000, 2_000_000), (2_000_000, 1_500_000, 70_000), (1_000_000, 900_000, 70_000)]
    {
        let pool = BufferPool::new(PoolOptions { max_bytes: 32 << 20, ..PoolOptions::default() });
        let halves = half_sent(&pool, 50, announced, sent);
        assert!(pool.usage().exhausted > 0, "they took all that they were given");
        for len in [others, 70_000, 1_000] {
            let frames = frames_of(&[len]);
            assert!(received(&mut Receiver::new(pool.clone()), &stream_of(&frames)[..]) == frames);
        }
        assert!(pool.usage().in_use_bytes <= 32 << 20);
        drop(halves);
        assert_eq!(pool.usage().in_use_bytes, 0);
    }
}

#[test]
fn bytes_that_nobody_takes_are_an_error_and_not_growth() {
    let pool = pool();
    let mut receiver = Receiver::new(pool.clone());
    let mut endless = std::io::repeat(0);
    let full = loop {
        if let Err(error) = receiver.fill_from(&mut endless) {
            break error;
        }
    };
    assert_eq!(full.kind(), std::io::ErrorKind::InvalidInput);
    assert!(receiver.buffered().len() <= 4 << 20 && pool.usage().in_use_bytes <= 4 << 20);
}

fn tokio_receiver() -> (std::net::TcpStream, tokio::net::TcpStream) {
    let (sender, receiver) = tcp_pair(false);
    receiver.set_nonblocking(true).expect("non-blocking");
    (sender, tokio::net::TcpStream::from_std(receiver).expect("inside a runtime"))
}

#[tokio::test]
async fn frames_arrive_over_a_socket_and_a_silent_peer_holds_no_buffer() {
    let pool = pool();
    let (mut sender, socket) = tokio_receiver();
    let mut receiver = Receiver::new(pool.clone());
    let mut idle =
        std::pin::pin!(tokio::time::timeout(std::time::Duration::from_millis(5), receiver.fill(&socket)));
    assert!(idle.as_mut().await.is_err(), "nothing was sent");
    assert_eq!(pool.usage().mapped, 0, "waiting takes no buffer");

    let frames = frames_of(&[10, 5_000, 3_000_000, 0, 90_000, 1]);
    let stream = stream_of(&frames);
    let writer = std::thread::spawn(move || sender.write_all(&stream).map(|()| sender));
    let mut receiver = Receiver::new(pool.clone());
    let mut got = Vec::new();
    while got.len() < frames.len() {
        let n = tokio::time::timeout(LIMIT, receiver.fill(&socket)).await.expect("in time").expect("reading");
        assert!(n > 0);
        while let Some(frame) = receiver.frame(MAX).expect("allowed") {
            got.push(frame);
        }
    }
    assert!(got == frames);
    assert!(!receiver.holds_buffer());
    drop(got);
    assert_eq!(pool.usage().in_use_bytes, 0);
    drop(writer.join().expect("the writer").expect("writing"));
    assert_eq!(receiver.fill(&socket).await.expect("the end"), 0);
}

#[tokio::test]
async fn a_receiver_waits_for_a_pool_at_its_bound() {
    let pool = BufferPool::new(PoolOptions {
        max_bytes: 64 << 10,
        idle_max_bytes: 64 << 10,
        ..PoolOptions::default()
    });
    let (mut sender, socket) = tokio_receiver();
    let hog = pool.take(1).expect("room");
    let frame = frames_of(&[30_000]);
    sender.write_all(&stream_of(&frame)).expect("writing");
    let mut receiver = Receiver::new(pool.clone());
    let receiving = async {
        loop {
            if let Some(frame) = receiver.frame(MAX).expect("allowed") {
                return frame;
            }
            receiver.fill(&socket).await.expect("reading");
        }
    };
    let mut receiving = std::pin::pin!(tokio::time::timeout(LIMIT, receiving));
    for _ in 0..20 {
        let polled = once(receiving.as_mut()).await;
        assert!(polled.is_pending(), "30,000 bytes do not fit into the spare");
        tokio::task::yield_now().await;
    }
    drop(hog);
    assert!(receiving.await.expect("in time") == frame[0]);
}

/// Reads until a frame is whole.
async fn next_frame(
    receiver: &mut Receiver,
    socket: &tokio::net::TcpStream,
) -> std::io::Result<bytes::Bytes> {
    loop {
        if let Some(frame) = receiver.frame(MAX).expect("allowed") {
            return Ok(frame);
        }
        receiver.fill(socket).await?;
    }
}

#[tokio::test]
async fn half_a_frame_is_given_up_when_others_wait_for_its_memory_and_not_before() {
    let patience = std::time::Duration::from_millis(200);
    let pool = BufferPool::new(PoolOptions { max_bytes: 1 << 20, idle_max_bytes: 0, patience });
    let (mut sender, socket) = tokio_receiver();
    sender.write_all(&stream_of(&frames_of(&[390_000]))[..380_000]).expect("writing");
    let mut hoarder = Receiver::new(pool.clone());
    // Its memory comes back when its connection ends, which is when this does.
    let mut holding = Box::pin(async move { next_frame(&mut hoarder, &socket).await });
    assert!(tokio::time::timeout(2 * patience, holding.as_mut()).await.is_err(), "nobody needs it");
    assert!(pool.usage().in_use_bytes >= 380_000);
    let hog = pool.take(300_000);
    assert!(hog.is_err(), "it is in the way");
    let hogs: Vec<_> = (0..6).map(|_| pool.take(1).expect("small ones fit")).collect();

    let (mut other, waiting) = tokio_receiver();
    let frame = frames_of(&[200_000]);
    other.write_all(&stream_of(&frame)).expect("writing");
    let mut receiver = Receiver::new(pool.clone());
    let both = async {
        let gave_up = async {
            let error = holding.as_mut().await.expect_err("it has to go");
            let evicted = error.get_ref().and_then(|e| e.downcast_ref::<pagewire_zcopy::Evicted>());
            assert!(evicted.is_some_and(|evicted| evicted.held_bytes >= 380_000), "{error}");
            drop(holding);
        };
        tokio::join!(gave_up, next_frame(&mut receiver, &waiting))
    };
    let ((), got) = tokio::time::timeout(LIMIT, both).await.expect("in time");
    assert!(got.expect("served") == frame[0]);
    assert_eq!(pool.usage().evicted, 1);
    drop(hogs);
}

#[tokio::test]
async fn those_who_wait_for_memory_do_not_wake_one_another() {
    let pool =
        BufferPool::new(PoolOptions { max_bytes: 16 << 20, idle_max_bytes: 0, ..PoolOptions::default() });
    let halves = half_sent(&pool, 20, 6_000_000, 1_500_000);
    let waiting: Vec<_> = (0..20)
        .map(|_| {
            let ((mut sender, socket), pool) = (tokio_receiver(), pool.clone());
            sender.write_all(&stream_of(&frames_of(&[6_000_000]))[..100_000]).expect("writing");
            tokio::spawn(async move { (next_frame(&mut Receiver::new(pool), &socket).await, sender) })
        })
        .collect();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let before = pool.usage();
    for _ in 0..2000 {
        tokio::task::yield_now().await;
    }
    let looked = pool.usage().exhausted - before.exhausted;
    assert!(looked < 1000, "{looked} looks without anything given back");
    assert!(pool.usage().mapped - before.mapped < 1000);
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
    drop(halves);
}
