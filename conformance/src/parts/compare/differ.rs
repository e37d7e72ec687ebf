//! Where two answers differ, field by field, and the table of differences that are known.
//!
//! ```text
//! Metadata                                                     an API
//!   nobody@0-8 | Topics.ErrorCode | NONE | INVALID_TOPIC_EXCEPTION | why
//!   case       | where            | ours | Kafka's                 | a sentence; `*` stands for anything
//! ```
//! `{a, b}` in a case or a place stands for each of them, and each must differ.

use std::fmt;

use anyhow::{Context as _, Result, ensure};
use pagewire_wire::ErrorCode;
use serde_json::Value as Json;

use super::side::Heard;

/// Longer values are cut where they are shown.
const SHOWN_MAX: usize = 60;

/// One field that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) case: String,
    pub(super) version: i16,
    /// The names of the fields down to it, without places in lists.
    pub(super) path: String,
    pub(super) ours: String,
    pub(super) theirs: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { case, version, path, ours, theirs } = self;
        write!(f, "{case}@{version} | {path} | {ours} | {theirs}")
    }
}

/// Everything in which two answers differ.
pub(super) fn differences(case: &str, version: i16, ours: &Heard, theirs: &Heard) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut note = |path: &str, ours: String, theirs: String| {
        found.push(Difference { case: case.to_owned(), version, path: path.to_owned(), ours, theirs });
    };
    match (ours, theirs) {
        (Heard::Answer(ours), Heard::Answer(theirs)) => walk("", ours, theirs, &mut note),
        (ours, theirs) if ours == theirs => {}
        (ours, theirs) => note("connection", in_short(ours), in_short(theirs)),
    }
    found
}

/// What came, and the errors in it.
fn in_short(heard: &Heard) -> String {
    match heard {
        Heard::Closed => "closed".to_owned(),
        Heard::Nothing => "no answer".to_owned(),
        Heard::Answer(answer) => {
            let mut codes = Vec::new();
            errors("", answer, &mut codes);
            if codes.is_empty() { "an answer".to_owned() } else { codes.join(", ") }
        }
    }
}

fn errors(name: &str, value: &Json, found: &mut Vec<String>) {
    match value {
        Json::Array(list) => list.iter().for_each(|element| errors(name, element, found)),
        Json::Object(fields) => fields.iter().for_each(|(name, value)| errors(name, value, found)),
        value if is_error_code(name) && value != &Json::from(0) => {
            let code = shown(name, Some(value));
            if !found.contains(&code) {
                found.push(code);
            }
        }
        _ => {}
    }
}

fn is_error_code(name: &str) -> bool {
    name.ends_with("ErrorCode")
}

fn walk(path: &str, ours: &Json, theirs: &Json, note: &mut impl FnMut(&str, String, String)) {
    match (ours, theirs) {
        (Json::Object(one), Json::Object(other)) => {
            for name in one.keys().chain(other.keys().filter(|name| !one.contains_key(*name))) {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                match (one.get(name), other.get(name)) {
                    (Some(ours), Some(theirs)) => walk(&path, ours, theirs, note),
                    (ours, theirs) => note(&path, shown(name, ours), shown(name, theirs)),
                }
            }
        }
        (Json::Array(one), Json::Array(other)) => lists(path, one, other, note),
        (ours, theirs) if ours == theirs => {}
        (ours, theirs) => note(path, shown(path, Some(ours)), shown(path, Some(theirs))),
    }
}

/// Elements are held against those of the same name or number (and of the same type, where they have one), in whatever
/// order they stand; without one, against those at their place. One that the other list does not have is told by its name.
fn lists(path: &str, ours: &[Json], theirs: &[Json], note: &mut impl FnMut(&str, String, String)) {
    let mut left: Vec<&Json> = theirs.iter().collect();
    for one in ours {
        let same = |other: &&Json| {
            id(one).is_none() || (id(other) == id(one) && other.get(RESOURCE_TYPE) == one.get(RESOURCE_TYPE))
        };
        if let Some(at) = left.iter().position(same) {
            walk(path, one, left.remove(at), note);
        } else {
            note(&format!("{path}[{}]", label(one)), "there".to_owned(), "absent".to_owned());
        }
    }
    for other in left {
        note(&format!("{path}[{}]", label(other)), "absent".to_owned(), "there".to_owned());
    }
}

/// What elements of lists are known by.
const IDS: [&str; 15] = [
    "Name",
    "Topic",
    "TopicName",
    "TopicId",
    "GroupId",
    "TransactionalId",
    "ResourceName",
    "ApiKey",
    "PartitionIndex",
    "Partition",
    "Index",
    "Key",
    "ProducerId",
    "MemberId",
    "BrokerId",
];

/// A broker and its loggers have one name: they are told apart by this.
const RESOURCE_TYPE: &str = "ResourceType";

fn id(element: &Json) -> Option<&Json> {
    IDS.iter().find_map(|name| element.get(name))
}

fn label(element: &Json) -> String {
    let known = id(element).unwrap_or(element);
    known.as_str().map_or_else(|| known.to_string(), str::to_owned)
}

/// A value as the table has it: errors by name, one line, not too long.
fn shown(name: &str, value: Option<&Json>) -> String {
    let Some(value) = value else { return "absent".to_owned() };
    let code = value.as_i64().and_then(|code| ErrorCode::from_code(i16::try_from(code).ok()?));
    if let (true, Some(code)) = (is_error_code(name), code) {
        return code.name().to_owned();
    }
    let text = value.to_string().replace('|', "/");
    if text.chars().count() <= SHOWN_MAX {
        return text;
    }
    text.chars().take(SHOWN_MAX).chain("...".chars()).collect()
}

/// A row of the table of known differences.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) api: String,
    pub(super) case: String,
    versions: Option<(i16, i16)>,
    pub(super) path: String,
    pub(super) ours: String,
    pub(super) theirs: String,
    pub(super) why: String,
}

impl Known {
    pub(super) fn matches(&self, api: &str, found: &Difference) -> bool {
        self.api == api
            && alternatives(&self.case).iter().any(|case| fits(case, &found.case))
            && self.versions.is_none_or(|(first, last)| (first..=last).contains(&found.version))
            && alternatives(&self.path).iter().any(|path| fits(path, &found.path))
            && fits(&self.ours, &found.ours)
            && fits(&self.theirs, &found.theirs)
    }

    /// Whether one of its cases or places is as in Kafka.
    pub(super) fn is_gone(&self, api: &str, found: &[Difference]) -> bool {
        let differs = |case: &str, path: &str| {
            let row = Self { case: case.to_owned(), path: path.to_owned(), ..self.clone() };
            found.iter().any(|difference| row.matches(api, difference))
        };
        let paths = alternatives(&self.path);
        !alternatives(&self.case).iter().all(|case| paths.iter().all(|path| differs(case, path)))
    }

    /// The versions it is about, in words.
    pub(super) fn versions(&self) -> String {
        match self.versions {
            None => "all".to_owned(),
            Some((first, last)) if first == last => first.to_string(),
            Some((first, last)) => format!("{first}-{last}"),
        }
    }
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { api, case, path, ours, theirs, .. } = self;
        write!(f, "{api}: {case} | {path} | {ours} | {theirs}")
    }
}

/// Each pattern that one with a list in it stands for.
fn alternatives(pattern: &str) -> Vec<String> {
    let parts = pattern.split_once('{').and_then(|(head, rest)| Some((head, rest.split_once('}')?)));
    let Some((head, (names, tail))) = parts else { return vec![pattern.to_owned()] };
    names.split(',').map(|name| format!("{head}{}{tail}", name.trim())).collect()
}

/// Whether a text is what a pattern says; `*` in it stands for any letters, also none.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut left) = text.strip_prefix(head) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let tail = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = left.find(part) else { return false };
        left = left.get(at + part.len()..).unwrap_or_default();
    }
    left.ends_with(tail)
}

/// Reads the table. A row goes on where the next line is indented further.
pub(super) fn known(text: &str) -> Result<Vec<Known>> {
    let mut rows: Vec<(usize, String, String)> = Vec::new();
    let mut api = String::new();
    for (at, raw) in text.lines().enumerate() {
        let line = raw.trim();
        let indent = raw.len() - raw.trim_start().len();
        match indent {
            _ if line.is_empty() || line.starts_with('#') => {}
            0 => line.clone_into(&mut api),
            1..=2 => rows.push((at + 1, api.clone(), line.to_owned())),
            _ => {
                let (.., row) =
                    rows.last_mut().with_context(|| format!("line {} goes on from nothing", at + 1))?;
                *row = format!("{row} {line}");
            }
        }
    }
    rows.iter().map(|(at, api, line)| row(api, line).with_context(|| format!("line {at}: {line}"))).collect()
}

fn row(api: &str, line: &str) -> Result<Known> {
    let cells: Vec<&str> = line.splitn(5, '|').map(str::trim).collect();
    let [case, path, ours, theirs, why] = cells[..] else { anyhow::bail!("a row has five cells") };
    ensure!(!why.is_empty(), "a difference without a reason");
    let (case, versions) = case.split_once('@').map_or((case, None), |(case, spec)| (case, Some(spec)));
    let versions = versions.map(|spec| {
        let (first, last) = spec.split_once('-').unwrap_or((spec, spec));
        Ok::<_, anyhow::Error>((first.parse()?, last.parse()?))
    });
    let [case, path, ours, theirs, why] = [case, path, ours, theirs, why].map(str::to_owned);
    Ok(Known { api: api.to_owned(), case, versions: versions.transpose()?, path, ours, theirs, why })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_that_differ_are_found_with_their_path() {
        let ours = Heard::Answer(json!({ "A": 1, "T": [{ "ErrorCode": 3, "X": "x" }, { "ErrorCode": 0 }] }));
        let theirs =
            Heard::Answer(json!({ "A": 1, "T": [{ "ErrorCode": 0, "X": "x" }, { "ErrorCode": 0 }], "B": 2 }));
        let found: Vec<String> =
            differences("case", 4, &ours, &theirs).iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            ["case@4 | T.ErrorCode | UNKNOWN_TOPIC_OR_PARTITION | NONE", "case@4 | B | absent | 2"]
        );
        assert_eq!(
            differences("case", 4, &ours, &Heard::Closed)[0].to_string(),
            "case@4 | connection | UNKNOWN_TOPIC_OR_PARTITION | closed"
        );
        assert!(differences("case", 4, &ours, &ours).is_empty());
    }

    #[test]
    fn the_order_of_named_elements_says_nothing() {
        let ours = Heard::Answer(json!({ "T": [{ "Name": "a", "X": 1 }, { "Name": "b", "X": 2 }] }));
        let turned = Heard::Answer(json!({ "T": [{ "Name": "b", "X": 2 }, { "Name": "a", "X": 1 }] }));
        assert!(differences("case", 4, &ours, &turned).is_empty());
        let others = Heard::Answer(json!({ "T": [{ "Name": "c", "X": 2 }, { "Name": "a", "X": 5 }] }));
        let found: Vec<String> =
            differences("case", 4, &ours, &others).iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            ["case@4 | T.X | 1 | 5", "case@4 | T[b] | there | absent", "case@4 | T[c] | absent | there"]
        );
    }

    #[test]
    fn what_has_one_name_and_two_types_is_two_things() {
        let named = |kinds: [i8; 2]| {
            let list = kinds.map(|kind| json!({ "ResourceName": "1", "ResourceType": kind }));
            Heard::Answer(json!({ "R": list }))
        };
        assert!(differences("case", 1, &named([4, 8]), &named([8, 4])).is_empty());
        let found: Vec<String> =
            differences("case", 1, &named([4, 8]), &named([4, 2])).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["case@1 | R[1] | there | absent", "case@1 | R[1] | absent | there"]);
    }

    #[test]
    fn known_differences_fit_by_their_patterns() {
        let rows =
            known("# what\nFetch\n  some*@4-11 | T.* | * | NONE | because\n    of that\n").expect("good");
        assert_eq!(rows[0].why, "because of that");
        let found = Difference {
            case: "something".into(),
            version: 4,
            path: "T.ErrorCode".into(),
            ours: "1".into(),
            theirs: "NONE".into(),
        };
        assert!(rows[0].matches("Fetch", &found));
        assert!(!rows[0].matches("Produce", &found));
        assert!(!rows[0].matches("Fetch", &Difference { version: 12, ..found.clone() }));
        assert!(!rows[0].matches("Fetch", &Difference { theirs: "2".into(), ..found }));
        assert!(known("Fetch\n  a | b | c | d |\n").is_err());
    }

    #[test]
    fn each_name_of_a_list_must_differ() {
        let rows = known("A\n  case | T[{a, b}] | there | absent | because\n").expect("good");
        let found = |name: &str| Difference {
            case: "case".into(),
            version: 0,
            path: format!("T[{name}]"),
            ours: "there".into(),
            theirs: "absent".into(),
        };
        assert!(rows[0].matches("A", &found("b")) && !rows[0].matches("A", &found("c")));
        assert!(!rows[0].is_gone("A", &[found("a"), found("b")]));
        assert!(rows[0].is_gone("A", &[found("a"), found("c")]));
        let rows = known("A\n  {case, other} | T[a] | there | absent | because\n").expect("good");
        assert!(rows[0].matches("A", &found("a")) && rows[0].is_gone("A", &[found("a")]));
    }

    #[test]
    fn a_star_stands_for_any_letters() {
        for (pattern, text) in
            [("*", ""), ("*", "x"), ("a*", "ab"), ("*b", "ab"), ("a*c*e", "abcde"), ("a", "a")]
        {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a", "ab"), ("a*", "ba"), ("*a", "ab"), ("a*c*e", "abde")] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }
}
