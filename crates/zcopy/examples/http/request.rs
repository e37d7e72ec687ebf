//! A request's head out of the bytes that have arrived.

/// A longer head is refused.
pub(crate) const HEAD_MAX: usize = 16 << 10;
const HEADERS_MAX: usize = 64;

/// What the server has to know of a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) method: String,
    /// The path, decoded, without the query.
    pub(crate) path: String,
    /// The `Range` header.
    pub(crate) range: Option<String>,
    /// Whether the connection stays open behind the answer.
    pub(crate) keep_alive: bool,
}

/// Why a head makes no sense; the answer is 400 or 431, and the connection ends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum HeadError {
    Malformed,
    TooLong,
}

/// Reads a head from the front of `bytes`: `None` until all of it is there, else with its length.
pub(crate) fn read_head(bytes: &[u8]) -> Result<Option<(Head, usize)>, HeadError> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    let len = match request.parse(bytes) {
        Ok(httparse::Status::Complete(len)) if len <= HEAD_MAX => len,
        Ok(httparse::Status::Partial) if bytes.len() < HEAD_MAX => return Ok(None),
        Ok(_) | Err(httparse::Error::TooManyHeaders) => return Err(HeadError::TooLong),
        Err(_) => return Err(HeadError::Malformed),
    };
    let header = |name: &str| {
        let found = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(found.value).ok()
    };
    // A body would be taken for the next request.
    if header("transfer-encoding").is_some() || header("content-length").is_some_and(|len| len.trim() != "0")
    {
        return Err(HeadError::Malformed);
    }
    let connection = header("connection").unwrap_or_default().to_ascii_lowercase();
    let keep_alive = match request.version {
        Some(0) => connection.contains("keep-alive"),
        _ => !connection.contains("close"),
    };
    let path = request.path.unwrap_or_default().split(['?', '#']).next().unwrap_or_default();
    let head = Head {
        method: request.method.unwrap_or_default().to_owned(),
        path: decode(path).ok_or(HeadError::Malformed)?,
        range: header("range").map(str::to_owned),
        keep_alive,
    };
    Ok(Some((head, len)))
}

/// `%41` as `A`.
fn decode(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if byte == b'%' {
            let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = rest.get(2..)?;
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok().filter(|path| path.starts_with('/') && !path.contains('\0'))
}
