//! How a case writes a message's fields: `Topics={Name=orders Partitions=[0 1]} TimeoutMs=-1`.
//!
//! ```text
//! fields  NAME=VALUE ...              a NAME may be a path, Topics.Partitions.Offset, into what is there already
//! VALUE   word | "text" | [VALUE ...] | {NAME=VALUE ...}
//! ```
//!
//! What a word means is the schema's to say, when it is written (`codec.rs`): a number, true, null, an id, text. In
//! quotes it is text whatever it looks like; `\0`, `\n`, `\"` and `\\` stand for what they stand for in Rust. One value
//! where a list is wanted is a list of it. `$name` in a word or text is a variable's value.

use anyhow::{Context as _, Result, bail, ensure};

/// A value as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Word(String),
    Text(String),
    List(Vec<Value>),
    Fields(Fields),
}

/// Fields by name, in the order in which they were written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fields(pub(super) Vec<(String, Value)>);

/// Fields by path, not applied to anything yet.
pub(super) type Changes = Vec<(String, Value)>;

impl Fields {
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// These fields, with some set to other values. In a list a path goes to every element.
    pub(super) fn with(&self, changes: &Changes) -> Result<Self> {
        let mut changed = self.clone();
        for (path, value) in changes {
            changed.set(path, value).with_context(|| format!("{path} cannot be set"))?;
        }
        Ok(changed)
    }

    fn set(&mut self, path: &str, value: &Value) -> Result<()> {
        let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
        let at = self.0.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            self.0.push((name.to_owned(), Value::Fields(Self::default())));
            self.0.len() - 1
        });
        let Some((_, slot)) = self.0.get_mut(at) else { bail!("no {name}") };
        let Some(rest) = rest else {
            *slot = value.clone();
            return Ok(());
        };
        match slot {
            Value::Fields(fields) => fields.set(rest, value),
            Value::List(list) => list.iter_mut().try_for_each(|element| match element {
                Value::Fields(fields) => fields.set(rest, value),
                _ => bail!("{name} has no fields"),
            }),
            _ => bail!("{name} has no fields"),
        }
    }
}

/// Reads `NAME=VALUE ...` to the end of the text.
pub(super) fn changes(text: &str) -> Result<Changes> {
    let mut reader = Reader { rest: text };
    let found = reader.pairs()?;
    ensure!(reader.rest.is_empty(), "not understood: {}", reader.rest);
    Ok(found)
}

struct Reader<'t> {
    rest: &'t str,
}

impl<'t> Reader<'t> {
    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, sign: char) -> bool {
        self.skip_blanks();
        let after = self.rest.strip_prefix(sign);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    fn until(&mut self, ends: &[char]) -> &'t str {
        let (word, rest) = self.rest.split_at(self.rest.find(ends).unwrap_or(self.rest.len()));
        self.rest = rest;
        word
    }

    fn pairs(&mut self) -> Result<Changes> {
        let mut found = Vec::new();
        loop {
            self.skip_blanks();
            if self.rest.is_empty() || self.rest.starts_with('}') {
                return Ok(found);
            }
            let name = self.until(&['=', ' ', '\n', '}', ']']);
            ensure!(!name.is_empty() && self.eat('='), "no NAME=VALUE: {name}{}", self.rest);
            found.push((name.to_owned(), self.value()?));
        }
    }

    fn value(&mut self) -> Result<Value> {
        if self.eat('{') {
            let fields = self.pairs()?;
            ensure!(self.eat('}'), "a {{ is not closed");
            return Ok(Value::Fields(Fields(fields)));
        }
        if self.eat('[') {
            let mut list = Vec::new();
            while !self.eat(']') {
                ensure!(!self.rest.is_empty(), "a [ is not closed");
                list.push(self.value()?);
            }
            return Ok(Value::List(list));
        }
        if self.eat('"') {
            return self.text().map(Value::Text);
        }
        let word = self.until(&[' ', '\n', '{', '}', '[', ']', '"']);
        ensure!(!word.is_empty(), "a value is missing before: {}", self.rest);
        Ok(Value::Word(word.to_owned()))
    }

    fn text(&mut self) -> Result<String> {
        let mut text = String::new();
        let mut signs = self.rest.char_indices();
        while let Some((at, sign)) = signs.next() {
            match sign {
                '"' => {
                    self.rest = self.rest.get(at + 1..).unwrap_or_default();
                    return Ok(text);
                }
                '\\' => text.push(match signs.next() {
                    Some((_, '0')) => '\0',
                    Some((_, 'n')) => '\n',
                    Some((_, sign @ ('"' | '\\'))) => sign,
                    other => bail!("no such escape: {other:?}"),
                }),
                _ => text.push(sign),
            }
        }
        bail!("a text is not closed: {text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str) -> Value {
        Value::Word(text.to_owned())
    }

    #[test]
    fn fields_lists_words_and_texts_are_read() {
        let read = changes("A=1 B={C=[x \"y z\"] D={}} E=[]").expect("good");
        let list = Value::List(vec![word("x"), Value::Text("y z".to_owned())]);
        let inner = vec![("C".to_owned(), list), ("D".to_owned(), Value::Fields(Fields::default()))];
        assert_eq!(
            read,
            [
                ("A".to_owned(), word("1")),
                ("B".to_owned(), Value::Fields(Fields(inner))),
                ("E".to_owned(), Value::List(Vec::new())),
            ]
        );
    }

    #[test]
    fn a_path_reaches_into_what_is_there() {
        let base = Fields(changes("Topics={Name=a Partitions=[{Index=0} {Index=1}]}").expect("good"));
        let changed = base.with(&changes("Topics.Partitions.Index=7 Topics.Name=b").expect("good"));
        let expected = Fields(changes("Topics={Name=b Partitions=[{Index=7} {Index=7}]}").expect("good"));
        assert_eq!(changed.expect("good"), expected);
    }

    #[test]
    fn what_is_not_closed_or_has_no_name_is_an_error() {
        for wrong in ["A", "A=", "A={B=1", "A=[1", "A=\"x", "=1", "A=1 }", "A=\"\\x\""] {
            assert!(changes(wrong).is_err(), "{wrong}");
        }
    }
}
