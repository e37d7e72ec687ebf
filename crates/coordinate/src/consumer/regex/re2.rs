//! Expressions of RE2/J, which Kafka takes, in the words of the crate `regex`. Both come from RE2 and mean the same by
//! nearly everything; what one takes literally and the other does not is escaped here, and what only `regex` takes is
//! refused.
//!
//! ```text
//!   outside of classes   \Q...\E   octal numbers   { } ] that are no operators   a repetition of a repetition: refused
//!   in classes           [ & ~ - that are operators in `regex` only
//! ```

use std::fmt::Write as _;
use std::iter::Peekable;
use std::str::Chars;

/// The most that a repetition may count to.
const REPEAT_MAX: u32 = 1_000;
const CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space",
    "upper", "word", "xdigit",
];

/// The expression for `regex`.
///
/// # Errors
/// RE2/J does not take it; the words are of the kind that it uses. Not all that is wrong is found here.
pub(super) fn translate(expression: &str) -> Result<String, &'static str> {
    let mut reader = Reader { left: expression.chars().peekable(), out: String::new() };
    // Whether the last thing was a repetition: another one must not follow.
    let mut repeated = false;
    while let Some(c) = reader.left.next() {
        let repeats = match c {
            '*' | '+' | '?' => Some(c.to_string()),
            '{' => reader.counted()?,
            _ => None,
        };
        if let Some(operator) = repeats {
            if repeated {
                return Err("invalid nested repetition operator");
            }
            reader.out.push_str(&operator);
            if reader.left.next_if_eq(&'?').is_some() {
                reader.out.push('?');
            }
            repeated = true;
            continue;
        }
        repeated = false;
        match c {
            '\\' => reader.escape(false)?,
            '[' => reader.class()?,
            '(' => reader.group()?,
            '{' | '}' | ']' => reader.literal(c),
            other => reader.out.push(other),
        }
    }
    Ok(reader.out)
}

struct Reader<'a> {
    left: Peekable<Chars<'a>>,
    out: String,
}

impl Reader<'_> {
    fn literal(&mut self, c: char) {
        if c.is_ascii_punctuation() {
            self.out.push('\\');
        }
        self.out.push(c);
    }

    /// `{n}`, `{n,}` or `{n,m}` behind its bracket; none if it is not one, and nothing is read.
    fn counted(&mut self) -> Result<Option<String>, &'static str> {
        let mut ahead = self.left.clone();
        let inner: String = ahead.by_ref().take_while(|c| *c != '}').collect();
        let closed = self.left.clone().nth(inner.chars().count()) == Some('}');
        let (least, most) =
            inner.split_once(',').map_or((&*inner, None), |(least, most)| (least, Some(most)));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !closed || !is_number(least) || most.is_some_and(|most| !most.is_empty() && !is_number(most)) {
            return Ok(None);
        }
        let number = |text: &str| text.parse::<u32>().ok().filter(|count| *count <= REPEAT_MAX);
        let least = number(least).ok_or("bad repetition operator")?;
        if let Some(most) = most.filter(|most| !most.is_empty())
            && number(most).is_none_or(|most| most < least)
        {
            return Err("bad repetition operator");
        }
        self.left = ahead;
        Ok(Some(format!("{{{inner}}}")))
    }

    fn escape(&mut self, in_class: bool) -> Result<(), &'static str> {
        let c = self.left.next().ok_or("trailing backslash")?;
        match c {
            'Q' if !in_class => self.quoted(),
            '0'..='7' => self.octal(c)?,
            'd' | 'D' | 's' | 'S' | 'w' | 'W' | 'p' | 'P' | 'x' | 'a' | 'f' | 'n' | 'r' | 't' | 'v' => {
                self.out.push('\\');
                self.out.push(c);
                if matches!(c, 'p' | 'P' | 'x') {
                    self.braces();
                }
                if in_class && "dDsSwWpP".contains(c) && self.left.next_if_eq(&'-').is_some() {
                    // Nothing goes from a class of its own to somewhere.
                    self.out.push_str("\\-");
                }
            }
            'A' | 'b' | 'B' | 'z' if !in_class => {
                self.out.push('\\');
                self.out.push(c);
            }
            c if c.is_ascii_alphanumeric() => return Err("invalid escape sequence"),
            c => self.literal(c),
        }
        Ok(())
    }

    /// What stands in braces behind an escape belongs to it.
    fn braces(&mut self) {
        if self.left.peek() != Some(&'{') {
            self.out.extend(self.left.next());
            return;
        }
        for c in self.left.by_ref() {
            self.out.push(c);
            if c == '}' {
                return;
            }
        }
    }

    /// Everything up to `\E`, or to the end.
    fn quoted(&mut self) {
        while let Some(c) = self.left.next() {
            let ends = c == '\\' && self.left.next_if_eq(&'E').is_some();
            if ends {
                return;
            }
            self.literal(c);
        }
    }

    /// One digit alone would refer to what was matched before, which neither can.
    fn octal(&mut self, first: char) -> Result<(), &'static str> {
        let mut value = first.to_digit(8).unwrap_or(0);
        let is_octal = |c: &char| ('0'..='7').contains(c);
        if first != '0' && self.left.peek().is_none_or(|c| !is_octal(c)) {
            return Err("invalid escape sequence");
        }
        for _ in 0..2 {
            let Some(digit) = self.left.next_if(is_octal).and_then(|c| c.to_digit(8)) else { break };
            value = value * 8 + digit;
        }
        // Writing to a text cannot fail.
        let _ = write!(self.out, "\\x{{{value:x}}}");
        Ok(())
    }

    /// A class behind its bracket.
    fn class(&mut self) -> Result<(), &'static str> {
        self.out.push('[');
        if self.left.next_if_eq(&'^').is_some() {
            self.out.push('^');
        }
        let mut first = true;
        while let Some(c) = self.left.next() {
            match c {
                ']' if !first => {
                    self.out.push(']');
                    return Ok(());
                }
                '[' if self.left.peek() == Some(&':') => self.named_class()?,
                '\\' => self.escape(true)?,
                '-' => {
                    self.out.push('-');
                    if self.left.next_if_eq(&'-').is_some() {
                        self.out.push_str("\\-");
                    }
                }
                '[' | ']' | '&' | '~' => self.literal(c),
                other => self.out.push(other),
            }
            first = false;
        }
        Err("missing closing ]")
    }

    /// `[:alpha:]` behind its first bracket; only a bracket if it does not end like that.
    fn named_class(&mut self) -> Result<(), &'static str> {
        let rest: String = self.left.clone().skip(1).collect();
        let Some((name, _)) = rest.split_once(":]") else {
            self.literal('[');
            return Ok(());
        };
        if !CLASSES.contains(&name.trim_start_matches('^')) {
            return Err("invalid character class range");
        }
        let _ = write!(self.out, "[:{name}:]");
        // The colon, the name, and the colon and bracket behind it.
        let len = name.chars().count() + 3;
        self.left.by_ref().take(len).for_each(drop);
        Ok(())
    }

    /// A group behind its bracket: RE2/J knows the flags i, m, s and U.
    fn group(&mut self) -> Result<(), &'static str> {
        self.out.push('(');
        if self.left.next_if_eq(&'?').is_none() {
            return Ok(());
        }
        self.out.push('?');
        let flags: String = self.left.clone().take_while(|c| c.is_ascii_alphabetic() || *c == '-').collect();
        let is_name = flags.starts_with('P');
        if !is_name && !flags.chars().all(|flag| "imsU-".contains(flag)) || flags.ends_with('-') {
            return Err("missing argument to repetition operator");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{compile, matches_of};
    use super::*;
    use std::sync::Arc;

    const TOLD_BY_RE2J: &str = include_str!("../../../tests/kafka/expressions.txt");

    #[test]
    fn expressions_mean_what_they_mean_to_kafka() {
        let names = TOLD_BY_RE2J.lines().find_map(|line| line.strip_prefix("# names ")).unwrap();
        let names: Vec<Arc<str>> = names.split(' ').map(Arc::from).collect();
        let mut wrong = Vec::new();
        for line in TOLD_BY_RE2J.lines().filter(|line| !line.starts_with('#')) {
            let (expression, told) = line.split_once('\t').unwrap();
            let found = if compile(expression).is_ok() {
                let mut words = vec!["ok".to_owned()];
                words.extend(matches_of(expression, &names).iter().map(ToString::to_string));
                words
            } else {
                vec!["refused".to_owned()]
            };
            let mut told: Vec<String> = told.split(' ').map(str::to_owned).collect();
            told[1..].sort();
            if found != told {
                wrong.push(format!("{expression}: {told:?} to Kafka, {found:?} here"));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn no_expression_takes_more_than_its_share() {
        assert!(compile("((a{1000}){1000}){1000}").is_err());
        assert_eq!(translate("a{2}{3}"), Err("invalid nested repetition operator"));
    }
}
