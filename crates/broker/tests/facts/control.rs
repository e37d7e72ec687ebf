//! The control socket: who asks what, and what becomes of those who ask badly.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use pagewire_broker::control::{Answer, LINE_MAX, SOCKET_FILE};
use serde_json::{Value, json};

use crate::harness::Broker;

/// Ends a test that would wait forever.
const NEVER: Duration = Duration::from_mins(1);

/// A client that does exactly what it is told.
pub(crate) struct Control {
    stream: BufReader<UnixStream>,
}

impl Control {
    pub(crate) fn of(dir: &Path) -> Self {
        let stream = UnixStream::connect(dir.join(SOCKET_FILE)).unwrap();
        stream.set_read_timeout(Some(NEVER)).unwrap();
        Self { stream: BufReader::new(stream) }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        match self.stream.get_mut().write_all(bytes) {
            // Refused already: the reason waits to be read.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
            sent => sent.unwrap(),
        }
    }

    /// The next line, as the broker wrote it; none when it closed.
    pub(crate) fn next(&mut self) -> Option<Answer> {
        let mut line = String::new();
        match self.stream.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(serde_json::from_str(&line).unwrap()),
            // It closed with bytes of ours unread.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => None,
            Err(error) => panic!("no answer: {error}"),
        }
    }

    /// The last line of the answer to a request, and nothing after it.
    pub(crate) fn ask(mut self, request: &Value) -> Result<Value, String> {
        self.send(format!("{request}\n").as_bytes());
        let last = loop {
            match self.next().expect("an answer") {
                Answer::Progress(_) => {}
                Answer::Result(result) => break Ok(result),
                Answer::Error(error) => break Err(error),
            }
        };
        assert_eq!(self.next(), None, "one request, one answer");
        last
    }
}

fn refusal(broker: &Broker, bytes: &[u8]) -> String {
    let mut control = Control::of(broker.dir());
    control.send(bytes);
    let Some(Answer::Error(error)) = control.next() else { panic!("no refusal") };
    assert_eq!(control.next(), None);
    error
}

#[test]
fn it_says_who_serves_and_what() {
    let broker = Broker::start();
    broker.client().create_topic("t", 3);
    let status = Control::of(broker.dir()).ask(&json!({"verb": "status"})).unwrap();
    assert_eq!((&status["topics"], &status["partitions"]), (&json!(1), &json!(3)));
    assert_eq!(status["process_id"], json!(std::process::id()));
    assert_eq!(status["backing_up"], json!(false));
    assert_eq!(status["log_dirs"][0]["path"], json!(broker.dir().display().to_string()));
}

#[test]
fn it_is_there_as_long_as_the_broker_and_for_its_owner_only() {
    let mut broker = Broker::start();
    let path = broker.dir().join(SOCKET_FILE);
    let found = std::fs::symlink_metadata(&path).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o777, 0o600);
    broker.stop();
    assert!(!path.exists());
}

#[test]
fn one_left_behind_is_replaced_and_what_is_none_is_left_alone() {
    let mut broker = Broker::start();
    broker.stop();
    let path = broker.dir().join(SOCKET_FILE);
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    broker.restart();
    Control::of(broker.dir()).ask(&json!({"verb": "status"})).unwrap();
    broker.stop();
    std::fs::write(&path, "notes").unwrap();
    broker.restart();
    broker.client().api_versions();
    assert_eq!(std::fs::read(&path).unwrap(), b"notes", "the broker does without");
}

#[test]
fn what_is_no_request_is_refused_in_words() {
    let broker = Broker::start();
    for (bytes, why) in [
        (&b"\n"[..], "no JSON"),
        (b"backup\n", "no JSON"),
        (b"\xff\xfe\n", "no JSON"),
        (b"[1]\n", "no JSON object"),
        (b"{}\n", "no verb"),
        (b"{\"verb\":7}\n", "no verb"),
        (b"{\"verb\":\"dance\"}\n", "only backup, metrics, online, status"),
        (b"{\"verb\":\"status\",\"loud\":true}\n", "loud"),
        (b"{\"verb\":\"backup\"}\n", "to"),
        (b"{\"verb\":\"backup\",\"to\":\"here\"}\n", "absolute"),
        (b"{\"verb\":\"backup\",\"to\":\"/b\",\"rate_bytes_per_second\":-1}\n", "does not fit"),
        (b"{\"verb\":\"backup\",\"to\":\"/b\",\"later\":1}\n", "later"),
    ] {
        let said = refusal(&broker, bytes);
        assert!(said.contains(why), "{}: {said}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn a_line_that_is_too_long_is_refused_before_its_end() {
    let broker = Broker::start();
    assert!(refusal(&broker, &vec![b' '; LINE_MAX]).contains("longer"));
    let deep = vec![b'['; LINE_MAX - 1];
    assert!(refusal(&broker, &[&deep[..], b"\n"].concat()).contains("no JSON"));
}

#[test]
fn those_who_say_nothing_hold_a_few_places_and_no_more() {
    let broker = Broker::start();
    let silent: Vec<Control> = (0..8).map(|_| Control::of(broker.dir())).collect();
    let busy = loop {
        // Until all of the silent ones have their place.
        let mut next = Control::of(broker.dir());
        next.send(b"{\"verb\":\"status\"}\n");
        if let Some(Answer::Error(error)) = next.next() {
            break error;
        }
    };
    assert!(busy.contains("too many"), "{busy}");
    broker.client().api_versions();
    drop(silent);
    while Control::of(broker.dir()).ask(&json!({"verb": "status"})).is_err() {}
}

#[test]
fn a_silent_client_does_not_keep_the_broker_from_stopping() {
    let mut broker = Broker::start();
    let mut silent = Control::of(broker.dir());
    silent.send(b"{\"verb\"");
    broker.stop();
    let mut rest = Vec::new();
    silent.stream.read_to_end(&mut rest).unwrap_or_default();
    assert!(rest.is_empty());
}
