//! The examples that receive and relay, run as a user would: the bytes arrive, and Ctrl-C ends them cleanly.

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};

use common::{LIMIT, pattern};

const LEN: usize = 3_000_000;

/// Ended with the test, however that goes.
struct Running {
    child: Child,
    told: BufReader<ChildStderr>,
}

impl Running {
    /// Starts an example; it has been built beside this test.
    fn start(name: &str, arguments: &[&str]) -> Self {
        let mut child =
            Command::new(example(name)).args(arguments).stderr(Stdio::piped()).spawn().expect("starting it");
        let told = BufReader::new(child.stderr.take().expect("piped"));
        Self { child, told }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.told.read_line(&mut line).expect("a line");
        line
    }

    /// Where it says it listens.
    fn address(&mut self) -> SocketAddr {
        let line = self.line();
        line.trim().strip_prefix("listening on ").expect("it says where").parse().expect("an address")
    }

    fn interrupt(&self) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::INT).expect("it runs");
    }

    /// Waits for its end: all that it said since, and whether it ended well.
    fn end(&mut self) -> (String, bool) {
        let mut rest = String::new();
        self.told.read_to_string(&mut rest).expect("its last words");
        (rest, self.child.wait().expect("its end").success())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `target/<profile>/examples/<name>`, where this test is `target/<profile>/deps/<test>`. A `cargo test` of everything
/// has built it; one of this file alone has not.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("this test");
    let profile = test.parent().and_then(|deps| deps.parent()).expect("a folder of builds");
    let path = profile.join("examples").join(name);
    if !path.exists() {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--package", env!("CARGO_PKG_NAME"), "--example", name]);
        cargo.args(profile.ends_with("release").then_some("--release"));
        assert!(cargo.status().expect("cargo").success(), "building {name}");
    }
    path
}

fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).expect("connecting");
    socket.set_read_timeout(Some(LIMIT)).expect("a limit");
    socket
}

#[test]
fn the_receiver_writes_what_it_is_sent_and_goes_on_with_a_begun_file() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let path = dir.path().join("received");
    let name = path.to_str().expect("a name");
    let bytes = pattern(LEN, 70);
    for (half, arguments) in
        [(0, &["127.0.0.1:0", name][..]), (1, &["--splice", "--resume", "127.0.0.1:0", name])]
    {
        let mut receiver = Running::start("receive_file", arguments);
        let mut socket = connect(receiver.address());
        socket.write_all(&bytes[half * LEN / 2..][..LEN / 2]).expect("sending");
        drop(socket);
        let (told, well) = receiver.end();
        assert!(well && told.contains("bytes of"), "{told}");
    }
    assert!(std::fs::read(&path).expect("the file") == bytes);
}

#[test]
fn the_receiver_ends_cleanly_at_ctrl_c_and_says_what_is_safe() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let path = dir.path().join("received");
    let mut receiver = Running::start("receive_file", &["127.0.0.1:0", path.to_str().expect("a name")]);
    let mut socket = connect(receiver.address());
    assert!(receiver.line().starts_with("receiving from"));
    socket.write_all(b"half of a file").expect("sending");
    while std::fs::metadata(&path).expect("the file").len() < 14 {
        std::thread::yield_now();
    }
    receiver.interrupt();
    let (told, well) = receiver.end();
    assert!(well && told.starts_with("14 bytes of"), "{told}");
}

#[test]
fn the_proxy_relays_both_ways_hands_the_end_on_and_ends_at_ctrl_c() {
    let upstream = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = upstream.local_addr().expect("its address").to_string();
    let mut proxy = Running::start("splice_proxy", &["127.0.0.1:0", &address]);
    let mut client = connect(proxy.address());
    let bytes = pattern(LEN, 71);
    let server = std::thread::spawn(move || {
        let (mut socket, _) = upstream.accept().expect("the proxy connects");
        let mut asked = Vec::new();
        socket.read_to_end(&mut asked).expect("reading to the end that was handed on");
        socket.write_all(&asked).expect("answering after it");
    });
    client.write_all(&bytes).expect("sending");
    client.shutdown(Shutdown::Write).expect("half-closing");
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).expect("the answer");
    assert!(answer == bytes);
    server.join().expect("the server");
    assert!(proxy.line().contains("3000000 bytes there, 3000000 back"));
    proxy.interrupt();
    let (told, well) = proxy.end();
    assert!(well && told.starts_with("stopped"), "{told}");
}

#[test]
fn help_is_given_and_a_wrong_call_refused() {
    for name in ["receive_file", "splice_proxy"] {
        let (told, well) = Running::start(name, &["--help"]).end();
        assert!(well && told.starts_with("usage:"), "{told}");
        let (told, well) = Running::start(name, &[]).end();
        assert!(!well && told.contains("usage:"), "{told}");
    }
}
