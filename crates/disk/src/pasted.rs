//! Names of files in lines that people paste into a shell.

use std::fmt::{self, Display, Formatter, Write};
use std::path::Path;

/// Bytes besides letters and digits that no POSIX shell takes for anything else.
const PLAIN: &str = "/._-+=:@%,";

/// A path as one word of a command line: as it is where that is safe, else in single quotes.
#[derive(Debug, Clone, Copy)]
pub struct Pasted<'p>(pub &'p Path);

impl Display for Pasted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string_lossy();
        let is_plain = |one: char| one.is_ascii_alphanumeric() || PLAIN.contains(one);
        if !text.is_empty() && text.chars().all(is_plain) {
            return f.write_str(&text);
        }
        f.write_char('\'')?;
        f.write_str(&text.replace('\'', r"'\''"))?;
        f.write_char('\'')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pasted(path: &str) -> String {
        Pasted(Path::new(path)).to_string()
    }

    #[test]
    fn a_plain_path_stays_as_it_is() {
        for path in ["/var/lib/pagewire", "../data-1/a_b.c", "/disks/2@x:y,z=1"] {
            assert_eq!(pasted(path), path);
        }
    }

    #[test]
    fn anything_else_is_one_word_in_single_quotes() {
        assert_eq!(pasted("/my disk"), "'/my disk'");
        assert_eq!(pasted("/a'b"), r"'/a'\''b'");
        assert_eq!(pasted("$HOME;rm"), "'$HOME;rm'");
        assert_eq!(pasted("~/x"), "'~/x'", "a shell would make another name of it");
        assert_eq!(pasted(""), "''");
    }
}
