//! How record bytes reach a socket: the settings of that, and the file in which the thresholds measured on this machine
//! are kept.

use std::io;
use std::path::Path;

use pagewire_disk::{OsDisk, read_small};
use pagewire_zcopy::{ColdReads, Route, Thresholds, ThresholdsError};

use super::layers::Layers;
use super::sources::ConfigError;

/// In the data directory: thresholds as `pagewire lab calibrate` writes them.
pub const THRESHOLDS_FILE: &str = "transfer-thresholds";

/// No file of thresholds is longer.
const FILE_MAX_BYTES: u64 = 64 << 10;

const ROUTE: &str = "pagewire.transfer.route";
const THRESHOLDS: &str = "pagewire.transfer.thresholds";
const COLD: &str = "pagewire.transfer.cold";
const AUTO: &str = "auto";

/// Where the thresholds in use come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThresholdsOrigin {
    /// `pagewire.transfer.thresholds`.
    Setting,
    /// [`THRESHOLDS_FILE`].
    Measured,
    /// Neither is there.
    Default,
}

/// The route that is forced, if one is.
pub(super) fn route(layers: &Layers) -> Option<Route> {
    layers.text(ROUTE).as_deref().and_then(Route::from_name)
}

/// How cold records are read.
pub(super) fn cold(layers: &Layers) -> ColdReads {
    layers.text(COLD).as_deref().and_then(ColdReads::from_name).unwrap_or_default()
}

/// The thresholds that are set, if they are.
pub(super) fn thresholds(layers: &Layers) -> Result<Option<Thresholds>, ConfigError> {
    match layers.text(THRESHOLDS).as_deref() {
        None | Some(AUTO) => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|error| layers.wrong(THRESHOLDS, error)),
    }
}

/// The thresholds to use: those set, those measured, or the default. A file that cannot be used is no reason not to
/// start: it is the error beside the default.
pub fn thresholds_in_use(
    set: Option<Thresholds>,
    data_dir: &Path,
) -> (Thresholds, ThresholdsOrigin, Option<String>) {
    if let Some(set) = set {
        return (set, ThresholdsOrigin::Setting, None);
    }
    let path = data_dir.join(THRESHOLDS_FILE);
    match measured(&path) {
        Ok(Some(measured)) => (measured, ThresholdsOrigin::Measured, None),
        Ok(None) => (Thresholds::default(), ThresholdsOrigin::Default, None),
        Err(error) => {
            let problem = format!("{}: {error}", path.display());
            (Thresholds::default(), ThresholdsOrigin::Default, Some(problem))
        }
    }
}

/// What the file says, if there is one.
fn measured(path: &Path) -> io::Result<Option<Thresholds>> {
    let Some(bytes) = read_small(&OsDisk::new(), path, FILE_MAX_BYTES)? else { return Ok(None) };
    let invalid =
        |error: &dyn std::fmt::Display| io::Error::new(io::ErrorKind::InvalidData, error.to_string());
    let text = std::str::from_utf8(&bytes).map_err(|error| invalid(&error))?;
    text.parse().map(Some).map_err(|error: ThresholdsError| invalid(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_beats_what_is_measured_and_that_the_default() {
        let dir = tempfile::tempdir().expect("a directory");
        let default = Thresholds::default();
        assert_eq!(thresholds_in_use(None, dir.path()), (default, ThresholdsOrigin::Default, None));
        let measured: Thresholds = "4096 copy, max splice".parse().expect("thresholds");
        std::fs::write(dir.path().join(THRESHOLDS_FILE), measured.to_string()).expect("writing");
        assert_eq!(thresholds_in_use(None, dir.path()), (measured, ThresholdsOrigin::Measured, None));
        let set = Thresholds::copy_up_to(1);
        assert_eq!(thresholds_in_use(Some(set), dir.path()), (set, ThresholdsOrigin::Setting, None));
    }

    #[test]
    fn a_file_that_makes_no_sense_is_told_and_not_used() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join(THRESHOLDS_FILE), "8192 pigeon").expect("writing");
        let (used, origin, problem) = thresholds_in_use(None, dir.path());
        assert_eq!((used, origin), (Thresholds::default(), ThresholdsOrigin::Default));
        assert!(problem.expect("a problem").contains("pigeon"));
    }

    #[test]
    fn a_file_that_is_too_long_is_not_read() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = std::fs::File::create(dir.path().join(THRESHOLDS_FILE)).expect("a file");
        file.set_len(FILE_MAX_BYTES + 1).expect("a hole");
        let (used, origin, problem) = thresholds_in_use(None, dir.path());
        assert_eq!((used, origin), (Thresholds::default(), ThresholdsOrigin::Default));
        assert!(problem.expect("a problem").contains("too large"));
    }
}
