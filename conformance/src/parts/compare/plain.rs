//! What must differ between two brokers is made the same before their answers are compared, by the name of the field.

use serde_json::{Map, Value as Json};

use super::variables::{ID_LEN_MIN, Variables};

/// What is compared of such a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// That there is something.
    Presence,
    /// Nothing.
    Nothing,
}

/// One row.
#[derive(Debug)]
pub(super) struct Row {
    /// The field.
    pub(super) name: &'static str,
    kept: Kept,
    /// Why its value differs.
    pub(super) why: &'static str,
}

impl Row {
    /// What is compared of it, in words.
    pub(super) fn compared(&self) -> &'static str {
        match self.kept {
            Kept::Presence => "that it is set",
            Kept::Nothing => "nothing",
        }
    }
}

const fn presence(name: &'static str, why: &'static str) -> Row {
    Row { name, kept: Kept::Presence, why }
}

const fn nothing(name: &'static str, why: &'static str) -> Row {
    Row { name, kept: Kept::Nothing, why }
}

/// Fields of answers whose values are each broker's own.
pub(super) const OWN: &[Row] = &[
    presence("ClusterId", "each cluster has its own"),
    presence("Host", "where the broker listens"),
    presence("Port", "where the broker listens"),
    presence("TopicId", "made up by the broker; one that a case has named is compared by its name"),
    presence("MemberId", "made up by the broker; likewise"),
    presence("Leader", "the id of a member; likewise"),
    presence("ProducerId", "made up by the broker; likewise"),
    presence("SessionId", "made up by the broker"),
    nothing("ErrorMessage", "a sentence for people: each project has its own, or none"),
    presence("BatchIndexErrorMessage", "a sentence for people"),
    presence("Documentation", "sentences for people"),
    presence("LogAppendTimeMs", "a time"),
    presence("TransactionStartTimeMs", "a time"),
    presence("LastTimestamp", "a time"),
    presence("LastFetchTimestamp", "a time"),
    presence("LastCaughtUpTimestamp", "a time"),
    presence("LogDir", "a path"),
    presence("TotalBytes", "the disk's"),
    nothing("UsableBytes", "the disk's, which changes meanwhile"),
    nothing("ReplicaDirectoryId", "made up by the broker; Kafka has none where its settings name the voters"),
    presence("LogEndOffset", "how much metadata a broker has written"),
    nothing("FinalizedFeaturesEpoch", "an offset in Kafka's metadata log"),
];

/// The answer with the fields of the table made alike and what a case has named under its name.
pub(super) fn plain(answer: &Json, variables: &Variables) -> Json {
    match answer {
        Json::Array(list) => {
            let mut list: Vec<Json> = list.iter().map(|element| plain(element, variables)).collect();
            // Partitions, names of topics: in which order they stand means nothing.
            list.sort_by(|one, other| (one.as_i64(), one.as_str()).cmp(&(other.as_i64(), other.as_str())));
            list.into()
        }
        Json::Object(fields) => Json::Object(fields.iter().fold(Map::new(), |mut all, (name, value)| {
            all.insert(name.clone(), field(name, value, variables));
            all
        })),
        Json::String(text) => variables.name_of_id(text).unwrap_or_else(|| text.clone()).into(),
        other => other.clone(),
    }
}

fn field(name: &str, value: &Json, variables: &Variables) -> Json {
    if name == "ProducerId"
        && let Some(named) = value.as_i64().and_then(|id| variables.name_of_producer(id))
    {
        return named.into();
    }
    let found = plain(value, variables);
    let is_named = found.as_str().is_some_and(|text| text.starts_with('$'));
    match OWN.iter().find(|row| row.name == name) {
        Some(row) if !is_named => match row.kept {
            Kept::Presence if is_nothing(&found) || is_a_cases_own(&found) => found,
            Kept::Presence => "(set)".into(),
            Kept::Nothing => "(own)".into(),
        },
        _ => found,
    }
}

/// What a case wrote itself: nothing that a broker makes up is as short.
fn is_a_cases_own(value: &Json) -> bool {
    value.as_str().is_some_and(|text| text.len() < ID_LEN_MIN)
}

/// What a field holds that is not set.
fn is_nothing(value: &Json) -> bool {
    const NIL: &str = "AAAAAAAAAAAAAAAAAAAAAA";
    match value {
        Json::Null => true,
        Json::Number(number) => number.as_i64() == Some(-1),
        Json::String(text) => text.is_empty() || text == NIL,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_own_is_alike_and_what_is_named_is_itself() {
        let mut variables = Variables::default();
        variables.set("orders", "abcdefghijklmnopqrstuv".to_owned());
        variables.set("pid", "7".to_owned());
        let answer = json!({
            "ErrorMessage": "no", "Port": 9, "Topics": [{ "TopicId": "abcdefghijklmnopqrstuv", "Index": 7 }],
            "ProducerId": 7, "MemberId": "", "UsableBytes": 3,
        });
        let alike = json!({
            "ErrorMessage": "(own)", "Port": "(set)", "Topics": [{ "TopicId": "$orders", "Index": 7 }],
            "ProducerId": "$pid", "MemberId": "", "UsableBytes": "(own)",
        });
        assert_eq!(plain(&answer, &variables), alike);
    }
}
