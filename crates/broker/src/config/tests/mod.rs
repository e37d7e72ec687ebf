//! Facts about settings as a whole.

mod addresses;
mod bounds;
mod reading;
mod resources;

use std::collections::BTreeMap;

use super::*;

fn sources(file: &str) -> Sources {
    let mut sources = Sources::new();
    sources.add_file("server.properties", file.as_bytes());
    sources
}

fn load(file: &str) -> BrokerConfig {
    BrokerConfig::load(sources(file)).expect("good settings").0
}

fn refusal(file: &str) -> String {
    BrokerConfig::load(sources(file)).expect_err("it must be refused").to_string()
}

fn own(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
