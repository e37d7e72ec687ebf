//! Commands that messages name, so that they can be pasted: with the brokers that were asked, and quotes where a shell needs
//! them.

use std::path::Path;

use pagewire_disk::Pasted;

use crate::args::{BOOTSTRAP, Connect};

/// `pagewire` with these words, for the same brokers.
pub(super) fn command(connect: &Connect, words: &[&str]) -> String {
    let brokers = connect.bootstrap_server.to_string();
    let named = if brokers == BOOTSTRAP { Vec::new() } else { vec!["-b", brokers.as_str()] };
    let words = words.iter().copied().chain(named).map(|word| Pasted(Path::new(word)).to_string());
    format!("`pagewire {}`", words.collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn connect(options: &[&str]) -> Connect {
        #[derive(Parser)]
        struct Only {
            #[command(flatten)]
            connect: Connect,
        }
        Only::parse_from(["pagewire"].iter().chain(options)).connect
    }

    #[test]
    fn a_command_goes_to_the_same_brokers_and_survives_a_shell() {
        let words = ["config", "describe", "group/two words"];
        let elsewhere = connect(&["-b", "h:1,i:2"]);
        assert_eq!(command(&elsewhere, &words), "`pagewire config describe 'group/two words' -b h:1,i:2`");
        let here = connect(&["-b", BOOTSTRAP]);
        assert_eq!(command(&here, &words), "`pagewire config describe 'group/two words'`");
    }
}
