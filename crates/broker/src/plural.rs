//! Counted things in lines for people.

/// `1 segment`, `2 segments`.
pub(crate) fn counted(count: u64, what: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {what}{s}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_one_and_none_are_many() {
        assert_eq!([0, 1, 2].map(|count| counted(count, "log")), ["0 logs", "1 log", "2 logs"]);
    }
}
