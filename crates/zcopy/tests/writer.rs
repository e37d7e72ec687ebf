//! A plan written to something that is no socket arrives as the bytes it stands for.

mod common;

use std::io::{self, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use common::{LIMIT, Moody, expected, file_of, framed, pattern, transfer, transfer_over};
use pagewire_zcopy::route::Why;
use pagewire_zcopy::{
    BufferPool, FileRange, IoPool, PoolOptions, Route, SendError, SendPlan, Transfer, TransferOptions,
};

/// Takes little, by turns; is interrupted (or, async, pending) now and then.
#[derive(Default)]
struct Miser {
    bytes: Vec<u8>,
    turn: usize,
}

impl Write for Miser {
    fn write(&mut self, offered: &[u8]) -> io::Result<usize> {
        self.turn += 1;
        if self.turn.is_multiple_of(3) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let taken = offered.len().min([1, 70_000, 333][self.turn % 3]);
        self.bytes.extend_from_slice(&offered[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl tokio::io::AsyncWrite for Miser {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, offered: &[u8]) -> Poll<io::Result<usize>> {
        match self.write(offered) {
            Err(_) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            answer => Poll::Ready(answer),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Takes all it is offered, at once.
#[derive(Default)]
struct Greedy {
    bytes: Vec<u8>,
    most: usize,
}

impl tokio::io::AsyncWrite for Greedy {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, offered: &[u8]) -> Poll<io::Result<usize>> {
        self.bytes.extend_from_slice(offered);
        self.most = self.most.max(offered.len());
        Poll::Ready(Ok(offered.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn plan() -> SendPlan {
    let file = file_of(&pattern(900_000, 1));
    let mut plan = framed(FileRange::new(Arc::clone(&file), 3, 700_000));
    plan.push_file(FileRange::new(file, 800_000, 99));
    plan
}

#[tokio::test]
async fn any_writer_gets_the_bytes_of_the_plan() {
    let transfer = transfer(TransferOptions::default());
    let (mut blocking, mut awaiting) = (Miser::default(), Miser::default());
    let mut plan = plan();
    let sent = transfer.write_to_blocking(&mut plan.clone(), &mut blocking).expect("written");
    assert_eq!((sent.bytes, sent.by(Route::Copy)), (plan.total(), 700_099));
    assert_eq!(sent.last_route, Some((Route::Copy, Why::Writer)));
    transfer.write_to(&mut plan, &mut awaiting).await.expect("written");
    assert!(blocking.bytes == expected(&plan) && awaiting.bytes == blocking.bytes && plan.is_done());
}

#[tokio::test]
async fn dropped_at_every_await_it_goes_on_with_the_next_byte() {
    let transfer =
        transfer_over(TransferOptions::default(), Moody { reads_are_cold: true, ..Moody::default() });
    let (mut plan, mut writer, mut dropped) = (plan(), Miser::default(), 0);
    let all = async {
        while !plan.is_done() {
            let mut writing = std::pin::pin!(transfer.write_to(&mut plan, &mut writer));
            for _ in 0..3 {
                match std::future::poll_fn(|cx| Poll::Ready(writing.as_mut().poll(cx))).await {
                    Poll::Ready(answer) => {
                        answer.expect("written");
                        break;
                    }
                    Poll::Pending => dropped += 1,
                }
                tokio::task::yield_now().await;
            }
        }
    };
    tokio::time::timeout(LIMIT, all).await.expect("in time");
    assert!(writer.bytes == expected(&plan) && dropped > 10, "dropped {dropped} times");
}

#[tokio::test]
async fn a_shorter_file_and_a_writer_that_takes_nothing_are_errors() {
    let transfer = transfer(TransferOptions::default());
    let short = || framed(FileRange::new(file_of(&[1; 600]), 0, 1_000));
    let answer = transfer.write_to_blocking(&mut short(), io::sink());
    assert!(matches!(answer, Err(SendError::FileShrunk { missing: 400 })), "{answer:?}");
    let answer = transfer.write_to(&mut short(), &mut tokio::io::sink()).await;
    assert!(matches!(answer, Err(SendError::FileShrunk { missing: 400 })), "{answer:?}");
    let mut full: &mut [u8] = &mut [0; 10];
    let mut plan = SendPlan::from(Bytes::from_static(b"eleven byte"));
    let answer = transfer.write_to_blocking(&mut plan, &mut full);
    assert!(
        matches!(&answer, Err(SendError::Io(error)) if error.kind() == io::ErrorKind::WriteZero),
        "{answer:?}"
    );
    assert_eq!(plan.sent(), 10);
}

#[tokio::test]
async fn a_writer_that_always_takes_all_lets_other_tasks_have_their_turn() {
    for bytes in [Some(Bytes::from(pattern(4_000_000, 2))), None] {
        let transfer = transfer(TransferOptions { turn_bytes: 256 << 10, ..TransferOptions::default() });
        let turns = Arc::new(AtomicUsize::new(0));
        let other = tokio::spawn({
            let turns = Arc::clone(&turns);
            async move {
                loop {
                    turns.fetch_add(1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                }
            }
        });
        let file = || {
            let mut plan = SendPlan::new();
            plan.push_file(FileRange::new(file_of(&pattern(4_000_000, 3)), 0, 4_000_000));
            plan
        };
        let (mut plan, mut writer) = (bytes.map_or_else(file, SendPlan::from), Greedy::default());
        transfer.write_to(&mut plan, &mut writer).await.expect("written");
        assert!(writer.bytes == expected(&plan));
        let (others, counted) = (turns.load(Ordering::Relaxed), transfer.stats().snapshot().turns);
        assert!(others >= 5 && counted >= 5, "{others} turns of the other task, {counted} counted");
        other.abort();
    }
}

#[tokio::test]
async fn with_its_pool_at_the_bound_it_goes_on_with_little_in_hand() {
    let none = PoolOptions { max_bytes: 0, ..PoolOptions::default() };
    let transfer = Transfer::new(TransferOptions::default(), BufferPool::new(none), IoPool::new(1, 16));
    let (mut plan, mut writer) = (plan(), Greedy::default());
    transfer.write_to(&mut plan, &mut writer).await.expect("written");
    assert!(writer.bytes == expected(&plan) && writer.most <= 16 << 10, "{} at a time", writer.most);
}

#[tokio::test]
async fn a_read_that_a_signal_interrupts_is_made_again() {
    let transfer =
        transfer_over(TransferOptions::default(), Moody { interrupt_every: 2, ..Moody::default() });
    let mut plan = framed(FileRange::new(file_of(&pattern(300_000, 19)), 0, 300_000));
    let mut miser = Miser::default();
    transfer.write_to(&mut plan, &mut miser).await.expect("writing");
    assert!(miser.bytes == expected(&plan));
}
