//! `KEY=VALUE`, as settings and headers are written.

/// Splits at the first `=`.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE".to_owned()),
    }
}

/// Turns `\t`, `\n`, `\r`, `\0`, `\\` and `\xNN` into the characters they stand for.
pub(crate) fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        bytes.push(match rest.next() {
            Some('t') => b'\t',
            Some('n') => b'\n',
            Some('r') => b'\r',
            Some('0') => 0,
            Some('\\') => b'\\',
            Some('x') => {
                let hex: String = rest.by_ref().take(2).collect();
                let byte = if hex.len() == 2 { u8::from_str_radix(&hex, 16).ok() } else { None };
                byte.ok_or_else(|| format!("\\x{hex}: write two hexadecimal digits"))?
            }
            Some(other) => {
                return Err(format!("\\{other} stands for nothing; known: \\t \\n \\r \\0 \\\\ \\xNN"));
            }
            None => return Err("a \\ stands at the end".to_owned()),
        });
    }
    Ok(bytes)
}

/// A separator: at least one byte.
pub(crate) fn separator(text: &str) -> Result<Separator, String> {
    let bytes = unescape(text)?;
    if bytes.is_empty() { Err("must not be empty".to_owned()) } else { Ok(Separator(bytes)) }
}

/// What stands between a key and a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Separator(pub(crate) Vec<u8>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_split_at_its_first_equals_sign() {
        assert_eq!(pair("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert_eq!(pair("a="), Ok(("a".into(), String::new())));
        assert!(pair("a").is_err() && pair("=b").is_err());
    }

    #[test]
    fn escapes_become_bytes() {
        assert_eq!(unescape(r"a\t\x1f\\ü"), Ok([b"a\t\x1f\\".as_slice(), "ü".as_bytes()].concat()));
        for bad in [r"\q", r"\x1", r"\xzz", "\\"] {
            assert!(unescape(bad).is_err(), "{bad}");
        }
        assert!(separator("").is_err());
    }
}
