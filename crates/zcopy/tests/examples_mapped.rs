//! The example that sends a mapped region does.

mod common;

#[path = "../examples/send_mapped.rs"]
#[expect(dead_code, reason = "its main is not called")]
mod send_mapped;

use std::io::{Read, Write};
use std::net::TcpListener;

use common::pattern;
use pagewire_zcopy::{Route, SendError};

fn arguments(list: [&str; 4]) -> Vec<String> {
    list.map(str::to_owned).to_vec()
}

#[test]
fn a_region_arrives_behind_its_length() {
    let contents = pattern(100_000, 96);
    let mut file = tempfile::NamedTempFile::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a file");
    file.write_all(&contents).expect("writing");
    let path = file.path().to_str().expect("a name");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address").to_string();
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        for _ in 0..2 {
            let (mut peer, _) = listener.accept().expect("a connection");
            bytes.clear();
            peer.read_to_end(&mut bytes).expect("reading");
        }
        bytes
    });
    let missing = send_mapped::run(&arguments([path, "99990", "20", &address])).expect_err("too short");
    assert!(matches!(missing.downcast_ref(), Some(SendError::FileShrunk { missing: 10 })), "{missing}");
    let sent = send_mapped::run(&arguments([path, "5000", "70001", &address])).expect("sending");
    assert_eq!((sent.by(Route::Mmap), sent.memory_bytes), (70_001, 6));
    let received = reader.join().expect("the reader");
    assert!(received[..6] == *b"70001\n" && received[6..] == contents[5_000..75_001]);
}

#[test]
fn without_its_arguments_it_says_how_it_is_used() {
    let error = send_mapped::run(&[]).expect_err("no arguments");
    assert!(error.to_string().starts_with("usage: send_mapped FILE"));
    assert!(send_mapped::run(&arguments(["/nonexistent", "0", "1", "127.0.0.1:1"])).is_err());
}
