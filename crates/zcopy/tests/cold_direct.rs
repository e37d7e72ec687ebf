//! What is cold may be read past the page cache: whole, leaving nothing there, and only where that can be had.

mod common;

use std::{fs::File, os::fd::AsFd, os::unix::fs::FileExt, sync::Arc};

use common::{
    Moody, chill, expected, file_of, framed, pattern, read_in_background, tokio_pair, transfer, transfer_over,
};
use pagewire_zcopy::{
    ColdReads, DirectFile, FileRange, Residency, Route, SendPlan, Sent, Transfer, TransferOptions, residency,
    route::Why,
};
use rustix::fs::{Advice, fadvise};
use rustix::io::Errno;

const LEN: u64 = 3_000_000;

fn past_the_cache() -> TransferOptions {
    TransferOptions { cold: ColdReads::Direct, ..TransferOptions::default() }
}

async fn send(transfer: &Transfer, plan: &mut SendPlan) -> Sent {
    send_and(transfer, plan, || ()).await.0
}

/// Looks at what the sending left, before the bytes are compared, which reads them all.
async fn send_and<L>(transfer: &Transfer, plan: &mut SendPlan, look: impl Fn() -> L) -> (Sent, L) {
    let (sender, receiver) = tokio_pair(false);
    let reader = read_in_background(receiver, plan.total());
    let sent = tokio::time::timeout(common::LIMIT, transfer.send(&sender, plan)).await;
    let seen = look();
    drop(sender);
    assert!(reader.join().expect("the reader") == expected(plan));
    (sent.expect("in time").expect("sending"), seen)
}

/// Whether it is cold now, and can be read past the page cache.
fn is_cold(file: &File) -> bool {
    let is_to_be_had =
        DirectFile::open(file.as_fd()).inspect_err(|error| eprintln!("no direct reads: {error}"));
    chill(file, LEN) && is_to_be_had.is_ok()
}

#[tokio::test]
async fn what_is_cold_goes_past_the_page_cache_and_what_is_warm_by_sendfile() {
    let (transfer, file) = (transfer(past_the_cache()), file_of(&pattern(LEN as usize, 31)));
    let cold = is_cold(&file);
    // Neither end lies at a page.
    let mut plan = framed(FileRange::new(Arc::clone(&file), 1001, LEN - 2002));
    let (sent, middle) = send_and(&transfer, &mut plan, || residency(&file, LEN / 2, 1)).await;
    if cold {
        assert_eq!((sent.by(Route::Direct), sent.by(Route::Sendfile)), (LEN - 2002, 0), "{sent:?}");
        assert!(sent.cold_offloads >= 3 && sent.last_route == Some((Route::Direct, Why::Cold)), "{sent:?}");
        assert_eq!(middle, Residency::Cold, "nothing came there");
    }
    // Comparing the bytes has warmed it.
    plan.clear();
    plan.push_file(FileRange::new(file, 0, LEN));
    let sent = send(&transfer, &mut plan).await;
    assert_eq!((sent.by(Route::Sendfile), sent.cold_offloads), (LEN, 0), "{sent:?}");
}

#[tokio::test]
async fn the_part_of_a_piece_that_is_warm_goes_by_sendfile() {
    let (transfer, file) = (transfer(past_the_cache()), file_of(&pattern(LEN as usize, 32)));
    let cold = is_cold(&file);
    let mut bytes = vec![0; 1 << 20];
    fadvise(&file, 0, None, Advice::Random).expect("no more than that is read");
    file.read_exact_at(&mut bytes, 0).expect("reading it warms it");
    let mut plan = framed(FileRange::new(file, 0, LEN));
    let sent = send(&transfer, &mut plan).await;
    if cold {
        assert!(sent.by(Route::Sendfile) > 0 && sent.by(Route::Direct) > 0, "{sent:?}");
    }
    assert_eq!(sent.by(Route::Sendfile) + sent.by(Route::Direct), LEN, "{sent:?}");
}

#[tokio::test]
async fn where_there_is_no_direct_read_what_is_cold_is_read_into_the_page_cache() {
    for moody in [
        Moody { open_direct_error: Some(Errno::INVAL.raw_os_error()), cold_every: 1, ..Moody::default() },
        Moody { read_direct_error: Some(Errno::INVAL.raw_os_error()), cold_every: 1, ..Moody::default() },
    ] {
        let transfer = transfer_over(past_the_cache(), moody);
        let mut plan = framed(FileRange::new(file_of(&pattern(LEN as usize, 33)), 0, LEN));
        let sent = send(&transfer, &mut plan).await;
        assert_eq!((sent.by(Route::Sendfile), sent.by(Route::Direct)), (LEN, 0), "{sent:?}");
    }
}

#[tokio::test]
async fn what_is_always_called_cold_still_gets_on() {
    let transfer = transfer_over(past_the_cache(), Moody { cold_every: 1, ..Moody::default() });
    let mut plan = framed(FileRange::new(file_of(&pattern(LEN as usize, 34)), 77, LEN - 77));
    let sent = send(&transfer, &mut plan).await;
    assert_eq!(sent.by(Route::Sendfile) + sent.by(Route::Direct), LEN - 77, "{sent:?}");
    assert!(sent.cold_offloads < 20, "about one for each portion: {sent:?}");
}

#[tokio::test]
async fn what_is_short_is_read_into_the_page_cache() {
    const SHORT: u64 = 20_000;
    let (transfer, file) = (transfer(past_the_cache()), file_of(&pattern(LEN as usize, 35)));
    let cold = is_cold(&file);
    let mut plan = framed(FileRange::new(Arc::clone(&file), 4096, SHORT));
    let (sent, first) = send_and(&transfer, &mut plan, || residency(&file, 4096, 1)).await;
    assert_eq!(sent.by(Route::Sendfile), SHORT, "{sent:?}");
    assert!(!cold || first == Residency::Resident);
}
