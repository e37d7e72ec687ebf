//! The answer to a request: a status line and headers, and a range of a file behind them.

use std::fs::File;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use pagewire_zcopy::{FileRange, SendPlan};

use super::{Head, HeadError};

/// What is sent, and whether the connection goes on behind it.
pub(crate) struct Answer {
    pub(crate) plan: SendPlan,
    pub(crate) keep_alive: bool,
}

/// Decides the answer to `head` out of the files under `root`.
pub(crate) fn answer(root: &Path, head: Result<Head, HeadError>) -> Answer {
    let head = match head {
        Ok(head) => head,
        Err(HeadError::Malformed) => return refusal(400, "Bad Request", false, ""),
        Err(HeadError::TooLong) => return refusal(431, "Request Header Fields Too Large", false, ""),
    };
    if head.method != "GET" && head.method != "HEAD" {
        return refusal(405, "Method Not Allowed", false, "Allow: GET, HEAD\r\n");
    }
    let Some((file, len, path)) = open(root, &head.path) else {
        return refusal(404, "Not Found", head.keep_alive, "");
    };
    let whole = 0..len;
    let (status, range, extra) = match head.range.as_deref().map(|range| parse_range(range, len)) {
        None | Some(Asked::Whole) => ("200 OK", whole, String::new()),
        Some(Asked::Part(part)) => {
            let extra = format!("Content-Range: bytes {}-{}/{len}\r\n", part.start, part.end - 1);
            ("206 Partial Content", part, extra)
        }
        Some(Asked::Nothing) => {
            let extra = format!("Content-Range: bytes */{len}\r\n");
            return refusal(416, "Range Not Satisfiable", head.keep_alive, &extra);
        }
    };
    let body = range.end - range.start;
    let connection = if head.keep_alive { "keep-alive" } else { "close" };
    let mut plan = SendPlan::from(Bytes::from(format!(
        "HTTP/1.1 {status}\r\nContent-Length: {body}\r\nContent-Type: {}\r\nAccept-Ranges: bytes\r\n{extra}\
         Connection: {connection}\r\n\r\n",
        content_type(&path)
    )));
    if head.method == "GET" {
        plan.push_file(FileRange::new(file, range.start, body));
    }
    Answer { plan, keep_alive: head.keep_alive }
}

fn refusal(status: u16, reason: &str, keep_alive: bool, extra: &str) -> Answer {
    let connection = if keep_alive { "keep-alive" } else { "close" };
    let body = format!("{status} {reason}\n");
    let text = format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Length: {}\r\nContent-Type: text/plain\r\n{extra}\
         Connection: {connection}\r\n\r\n{body}",
        body.len()
    );
    Answer { plan: SendPlan::from(Bytes::from(text)), keep_alive }
}

/// The regular file that a path names, below `root` and nowhere else.
fn open(root: &Path, path: &str) -> Option<(Arc<File>, u64, PathBuf)> {
    let relative = Path::new(path.trim_start_matches('/'));
    if !relative.components().all(|component| matches!(component, Component::Normal(_))) {
        return None;
    }
    let mut full = root.join(relative);
    if full.is_dir() {
        full.push("index.html");
    }
    // A link may lead out of the folder.
    let real = full.canonicalize().ok().filter(|real| real.starts_with(root))?;
    let file = File::open(&real).ok()?;
    let metadata = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
    Some((Arc::new(file), metadata.len(), real))
}

#[derive(Debug, PartialEq, Eq)]
enum Asked {
    /// No range that is understood: the header is ignored, as RFC 9110 has it.
    Whole,
    Part(Range<u64>),
    /// Behind the end.
    Nothing,
}

/// `bytes=2-5`, `bytes=2-` and `bytes=-3`.
fn parse_range(text: &str, len: u64) -> Asked {
    let parts = text.trim().strip_prefix("bytes=").and_then(|range| range.split_once('-'));
    let Some((first, last)) = parts else { return Asked::Whole };
    let part = match (first.trim().parse::<u64>(), last.trim().parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => first..last.saturating_add(1).min(len),
        (Ok(first), Err(_)) if last.trim().is_empty() => first..len,
        (Err(_), Ok(last)) if first.trim().is_empty() => len.saturating_sub(last)..len,
        _ => return Asked::Whole,
    };
    if part.start < part.end { Asked::Part(part) } else { Asked::Nothing }
}

fn content_type(path: &Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("html" | "htm") => "text/html; charset=utf-8",
        Some("txt" | "md" | "rs") => "text/plain; charset=utf-8",
        Some("css") => "text/css",
        Some("js") => "text/javascript",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("mp4") => "video/mp4",
        _ => "application/octet-stream",
    }
}
