//! One command line: a verb, words without `=` and fields with one.

use std::collections::BTreeMap;

pub(crate) struct Line {
    pub(crate) verb: String,
    pub(crate) words: Vec<String>,
    fields: BTreeMap<String, String>,
}

impl Line {
    pub(crate) fn parse(line: &str) -> Self {
        let mut parts = line.split_whitespace();
        let verb = parts.next().unwrap().to_owned();
        let (mut words, mut fields) = (Vec::new(), BTreeMap::new());
        for part in parts {
            match part.split_once('=') {
                Some((name, value)) => _ = fields.insert(name.to_owned(), value.to_owned()),
                None => words.push(part.to_owned()),
            }
        }
        Self { verb, words, fields }
    }

    pub(crate) fn word(&self, index: usize) -> &str {
        self.words.get(index).map_or("", String::as_str)
    }

    pub(crate) fn has(&self, word: &str) -> bool {
        self.words.iter().any(|had| had == word)
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.field(name).unwrap_or("").to_owned()
    }

    pub(crate) fn number<T: std::str::FromStr>(&self, name: &str, otherwise: T) -> T {
        self.field(name).map_or(otherwise, |text| text.parse().ok().unwrap())
    }

    pub(crate) fn list(&self, name: &str) -> impl Iterator<Item = &str> {
        self.field(name).unwrap_or("").split(',').filter(|item| !item.is_empty())
    }
}
