//! Where settings come from: a file, then the environment over it, then flags over both.
//!
//! Nothing here opens a file or reads the environment: text and variables are passed in.

use std::collections::BTreeMap;
use std::fmt;

use java_properties::{LineContent, PropertiesIter};

use super::definition::{Area, Standing};
use super::names::{nearest, variable};
use super::table::{NAMESPACES, broker_setting, broker_settings};
use super::value;

/// Variables with our prefix that are options of the command line, not settings.
pub const OTHER_VARIABLES: &[&str] = &[
    "PAGEWIRE_BOOTSTRAP",
    "PAGEWIRE_CONFIG",
    "PAGEWIRE_DATA_DIR",
    "PAGEWIRE_LISTEN",
    "PAGEWIRE_LOG",
    "PAGEWIRE_LOG_FORMAT",
    "PAGEWIRE_OUTPUT",
];

const PREFIX: &str = "PAGEWIRE_";

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// In a file.
    File {
        /// As the user named it.
        path: String,
        /// From 1.
        line: usize,
    },
    /// In a variable of the environment.
    Variable(String),
    /// On the command line.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{path}, line {line}"),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Flag => f.write_str("command line"),
        }
    }
}

/// A value as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// The text.
    pub value: String,
    /// Where it stood.
    pub origin: Origin,
}

/// Something is wrong with what the user wrote.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// No such setting.
    #[error("{origin}: unknown setting {key}{}", hint(*nearest))]
    Unknown {
        /// As written.
        key: String,
        /// Where.
        origin: Origin,
        /// What may have been meant.
        nearest: Option<&'static str>,
    },
    /// The value does not fit.
    #[error("{origin}: {message}")]
    Invalid {
        /// Where.
        origin: Origin,
        /// Key, value and what was expected.
        message: String,
    },
    /// Several settings do not fit together.
    #[error("{0}")]
    Conflict(String),
    /// The file is not a properties file.
    #[error("{path}{}: {message}", line.map(|line| format!(", line {line}")).unwrap_or_default())]
    Syntax {
        /// The file.
        path: String,
        /// From 1, when it is known.
        line: Option<usize>,
        /// What is wrong.
        message: String,
    },
    /// A variable is nearly that of a setting or an option.
    #[error("environment variable {name} is no setting; did you mean {meant}?")]
    Variable {
        /// As written.
        name: String,
        /// What may have been meant.
        meant: String,
    },
    /// A flag is not `KEY=VALUE`.
    #[error("command line: {0:?} is not KEY=VALUE")]
    NotAPair(String),
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("; did you mean {name}?")).unwrap_or_default()
}

/// All that is wrong, not only the first: one line each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct ConfigErrors(pub Vec<ConfigError>);

/// What was written, layer over layer, checked as it is added.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    given: BTreeMap<&'static str, Given>,
    moot: BTreeMap<Area, Vec<String>>,
    strangers: Vec<String>,
    errors: Vec<ConfigError>,
}

impl Sources {
    /// Nothing written: all defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the text of a properties file. `path` is only for messages.
    pub fn add_file(&mut self, path: &str, text: &[u8]) {
        let Some(text) = without_mark(text) else {
            self.errors.push(ConfigError::Syntax {
                path: path.to_owned(),
                line: None,
                message: "it is in UTF-16, by its first two bytes: save it as plain text (UTF-8)".to_owned(),
            });
            return;
        };
        for line in PropertiesIter::new(text) {
            let line = match line {
                Ok(line) => line,
                Err(error) => {
                    self.errors.push(ConfigError::Syntax {
                        path: path.to_owned(),
                        line: error.line_number(),
                        message: error.to_string(),
                    });
                    return;
                }
            };
            if let LineContent::KVPair(key, value) = line.content() {
                let origin = Origin::File { path: path.to_owned(), line: line.line_number() };
                self.add(key, value, origin);
            }
        }
    }

    /// Adds `PAGEWIRE_...` variables; others are passed over. One that is nearly a setting's is an error, as a misspelt
    /// key is. One that is far from all is reported in a notice only: environments are shared, and container platforms
    /// put variables of their own under our prefix.
    pub fn add_environment(&mut self, variables: impl IntoIterator<Item = (String, String)>) {
        let known: BTreeMap<String, &'static str> = broker_settings()
            .filter(|setting| setting.standing != Standing::Moot(Area::Removed))
            .map(|setting| (variable(setting.name), setting.name))
            .collect();
        for (name, value) in variables {
            if !name.starts_with(PREFIX) || OTHER_VARIABLES.contains(&name.as_str()) {
                continue;
            }
            match known.get(&name) {
                Some(key) => self.add(key, &value, Origin::Variable(name)),
                None if is_of_a_platform(&name) => {}
                None => match nearest_variable(&name, &known) {
                    Some(meant) => self.errors.push(ConfigError::Variable { name, meant }),
                    None => self.strangers.push(name),
                },
            }
        }
    }

    /// Adds one `KEY=VALUE` of the command line.
    pub fn add_flag(&mut self, pair: &str) {
        match pair.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => self.add(key.trim(), value, Origin::Flag),
            _ => self.errors.push(ConfigError::NotAPair(pair.to_owned())),
        }
    }

    /// Adds one value under its key.
    pub fn add(&mut self, key: &str, value: &str, origin: Origin) {
        let Some(setting) = broker_setting(key) else {
            match NAMESPACES.iter().find(|(prefix, _)| key.starts_with(prefix)) {
                Some((_, area)) => self.note_moot(*area, key),
                None => self.errors.push(ConfigError::Unknown {
                    key: key.to_owned(),
                    origin,
                    nearest: nearest(key, broker_settings().map(|setting| setting.name)),
                }),
            }
            return;
        };
        if let Standing::Moot(area) = setting.standing {
            self.note_moot(area, key);
        }
        match value::parse(setting, value) {
            Ok(_) => {
                self.given.insert(setting.name, Given { value: value.trim().to_owned(), origin });
            }
            Err(message) => self.errors.push(ConfigError::Invalid { origin, message }),
        }
    }

    fn note_moot(&mut self, area: Area, key: &str) {
        let keys = self.moot.entry(area).or_default();
        if !keys.iter().any(|noted| noted == key) {
            keys.push(key.to_owned());
        }
    }

    /// What the user should be told once at the start: keys without a meaning here, by reason.
    pub fn notices(&self) -> Vec<String> {
        let mut notices: Vec<String> = self
            .moot
            .iter()
            .map(|(area, keys)| format!("without effect, because {}: {}", area.reason(), keys.join(", ")))
            .collect();
        let waiting = self
            .given
            .keys()
            .filter(|key| broker_setting(key).is_some_and(|setting| setting.standing == Standing::NotYet));
        let waiting: Vec<&str> = waiting.copied().collect();
        if !waiting.is_empty() {
            notices.push(format!("accepted, but not acting yet: {}", waiting.join(", ")));
        }
        if !self.strangers.is_empty() {
            notices
                .push(format!("environment variables that are no settings: {}", self.strangers.join(", ")));
        }
        notices
    }

    /// The values in force, or everything that is wrong.
    pub fn finish(self) -> Result<BTreeMap<&'static str, Given>, ConfigErrors> {
        if self.errors.is_empty() { Ok(self.given) } else { Err(ConfigErrors(self.errors)) }
    }
}

/// The text behind what editors put before it to name its encoding; none of one that is in UTF-16. The reader of properties must
/// not see such a mark: it would take the encoding from it, and panics where the text then ends inside of a character.
fn without_mark(mut text: &[u8]) -> Option<&[u8]> {
    while let Some(rest) = text.strip_prefix(b"\xef\xbb\xbf") {
        text = rest;
    }
    let is_wide = [[0xff, 0xfe], [0xfe, 0xff]].iter().any(|mark| text.starts_with(mark));
    (!is_wide).then_some(text)
}

fn nearest_variable(name: &str, known: &BTreeMap<String, &'static str>) -> Option<String> {
    let word = |variable: &str| variable.trim_start_matches(PREFIX).to_ascii_lowercase();
    let words: Vec<String> =
        known.keys().map(String::as_str).chain(OTHER_VARIABLES.iter().copied()).map(word).collect();
    let meant = nearest(&word(name), words.iter().map(String::as_str))?;
    Some(format!("{PREFIX}{}", meant.to_ascii_uppercase()))
}

/// What Kubernetes and Docker links put beside a service named `pagewire`.
fn is_of_a_platform(name: &str) -> bool {
    let rest = name.trim_start_matches(PREFIX);
    rest == "PORT"
        || rest.starts_with("PORT_")
        || rest.starts_with("SERVICE_HOST")
        || rest.starts_with("SERVICE_PORT")
}
