//! A line becomes a record.
//!
//! ```text
//! [name:value,name:value <tab>] [key <separator>] value
//!  with --line-headers           with --key-separator
//! ```

use crate::args::produce::ProduceArgs;
use crate::client::producer::{NewHeader, NewRecord};

/// How lines are to be read.
#[derive(Debug, Clone, Default)]
pub(super) struct LineForm {
    separator: Option<Vec<u8>>,
    empty_as_null: bool,
    line_headers: bool,
    headers: Vec<NewHeader>,
}

impl LineForm {
    /// As the options say.
    pub(super) fn new(args: &ProduceArgs) -> Self {
        let header = |(name, value): &(String, String)| (name.clone(), Some(value.clone().into_bytes()));
        Self {
            separator: args.key_separator.as_ref().map(|separator| separator.0.clone()),
            empty_as_null: args.empty_as_null,
            line_headers: args.line_headers,
            headers: args.header.iter().map(header).collect(),
        }
    }

    /// The record that `line` (without its end) stands for.
    pub(super) fn record(&self, line: &[u8]) -> Result<NewRecord, String> {
        let mut headers = self.headers.clone();
        let mut rest = line;
        if self.line_headers {
            let (own, after) =
                split(line, b"\t").ok_or("no tab after the headers (a tab alone: no headers)")?;
            headers.extend(parse_headers(own)?);
            rest = after;
        }
        let (key, value) = match self.separator.as_deref().and_then(|separator| split(rest, separator)) {
            Some((key, value)) => (Some(key.to_vec()), value),
            None => (None, rest),
        };
        let value = (!(self.empty_as_null && value.is_empty())).then(|| value.to_vec());
        Ok(NewRecord { key, value, headers })
    }
}

/// What stands before and after the first `separator`.
fn split<'a>(line: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = line.windows(separator.len()).position(|window| window == separator)?;
    Some((line.get(..at)?, line.get(at + separator.len()..)?))
}

fn parse_headers(text: &[u8]) -> Result<Vec<NewHeader>, String> {
    let parts = text.split(|byte| *byte == b',').filter(|part| !part.is_empty());
    let header = |part: &[u8]| {
        let (name, value) = split(part, b":")
            .ok_or_else(|| format!("header {:?} is not NAME:VALUE", String::from_utf8_lossy(part)))?;
        let name = String::from_utf8(name.to_vec()).map_err(|_| "a header's name is not UTF-8".to_owned())?;
        Ok((name, Some(value.to_vec())))
    };
    parts.map(header).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: Option<&str>, value: Option<&str>, headers: &[(&str, &str)]) -> NewRecord {
        NewRecord {
            key: key.map(Into::into),
            value: value.map(Into::into),
            headers: headers.iter().map(|(name, value)| ((*name).into(), Some((*value).into()))).collect(),
        }
    }

    #[test]
    fn a_plain_line_is_a_value_byte_by_byte() {
        let form = LineForm::default();
        assert_eq!(form.record(b" a:b\r"), Ok(record(None, Some(" a:b\r"), &[])));
        assert_eq!(form.record(b""), Ok(record(None, Some(""), &[])));
        assert_eq!(form.record(&[0xff, 0]).unwrap().value, Some(vec![0xff, 0]));
    }

    #[test]
    fn the_first_separator_ends_the_key() {
        let form = LineForm { separator: Some(b"::".to_vec()), ..LineForm::default() };
        assert_eq!(form.record(b"k::v::w"), Ok(record(Some("k"), Some("v::w"), &[])));
        assert_eq!(form.record(b"::v"), Ok(record(Some(""), Some("v"), &[])));
        assert_eq!(form.record(b"v"), Ok(record(None, Some("v"), &[])));
    }

    #[test]
    fn an_empty_value_is_null_where_that_is_wanted() {
        let form = LineForm { separator: Some(b":".to_vec()), empty_as_null: true, ..LineForm::default() };
        assert_eq!(form.record(b"k:"), Ok(record(Some("k"), None, &[])));
    }

    #[test]
    fn a_line_may_carry_headers_of_its_own() {
        let headers = vec![("all".to_owned(), Some(b"1".to_vec()))];
        let form =
            LineForm { separator: Some(b":".to_vec()), line_headers: true, headers, ..LineForm::default() };
        assert_eq!(
            form.record(b"a:b,c:\tk:v"),
            Ok(record(Some("k"), Some("v"), &[("all", "1"), ("a", "b"), ("c", "")]))
        );
        assert_eq!(form.record(b"\tv"), Ok(record(None, Some("v"), &[("all", "1")])));
        assert!(form.record(b"v").unwrap_err().contains("no tab"));
        assert!(form.record(b"a\tv").unwrap_err().contains("NAME:VALUE"));
    }
}
