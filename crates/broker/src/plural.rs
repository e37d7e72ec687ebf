//! Counted things in lines for people.

/// `1 segment`, `2 segments`, `3 directories of a topic`.
pub(crate) fn counted(count: u64, what: &str) -> String {
    let (noun, rest) =
        what.split_once(" of ").map_or((what, String::new()), |(noun, of)| (noun, format!(" of {of}")));
    match (count, noun.strip_suffix('y')) {
        (1, _) => format!("{count} {noun}{rest}"),
        (_, Some(stem)) => format!("{count} {stem}ies{rest}"),
        (_, None) => format!("{count} {noun}s{rest}"),
    }
}

/// `1 segment is`, `2 segments are`.
pub(crate) fn counted_are(count: u64, what: &str) -> String {
    format!("{} {}", counted(count, what), if count == 1 { "is" } else { "are" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_one_and_none_are_many() {
        assert_eq!([0, 1, 2].map(|count| counted(count, "log")), ["0 logs", "1 log", "2 logs"]);
        assert_eq!(counted_are(1, "directory of a topic"), "1 directory of a topic is");
        assert_eq!(counted_are(2, "directory of a topic"), "2 directories of a topic are");
    }
}
