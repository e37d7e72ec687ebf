//! `[size of the pieces u8][stream]`: what a local client writes to the control socket.

use pagewire_broker::control::{Answer, LINE_MAX};
use pagewire_broker::fuzzing::control_request;
use tokio::io::BufReader;

use crate::input::Input;

pub(super) fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let piece = usize::from(input.u8()) + 1;
    let stream = input.rest();
    let answer = answered(piece, stream);
    let has_line = stream.iter().take(LINE_MAX).any(|byte| *byte == b'\n');
    assert_eq!(
        answer.is_some(),
        has_line || stream.len() >= LINE_MAX,
        "a whole line is answered, and so is too long a one"
    );
    let Some(answer) = answer else { return };
    let Some((b'\n', line)) = answer.split_last() else { panic!("no line: {answer:?}") };
    assert!(answer.len() <= LINE_MAX && !line.contains(&b'\n'), "{} bytes", answer.len());
    serde_json::from_slice::<Answer>(line).expect("an answer");
    assert_eq!(answered(256, stream), Some(answer), "however it comes in pieces");
}

fn answered(piece: usize, stream: &[u8]) -> Option<Vec<u8>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(control_request(&mut BufReader::with_capacity(piece, stream)))
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    [
        r#"{"verb":"backup","to":"/backups/monday","base":"/backups/sunday","links":false,"verify":true,"rate_bytes_per_second":7}"#,
        r#"{"verb":"status"}"#,
        r#"{"verb":"online","dir":"/data","empty":true}"#,
        r#"{"verb":"what"}"#,
        r#"[{"verb":1}]"#,
    ]
    .iter()
    .flat_map(|line| [0u8, 3, 255].map(|piece| [&[piece][..], line.as_bytes(), b"\n"].concat()))
    .collect()
}
