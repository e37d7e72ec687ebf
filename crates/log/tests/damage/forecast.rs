//! What a check says the next start will do is what it does: for files of every kind, harmed in every way.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pagewire_disk::Disk;
use pagewire_log::LoadReport;
use pagewire_log::verify::{Event, Fate, VerifyOptions, verify};

use crate::harm::Cases;
use crate::lived::{Left, Lived, ROOT};

const FLIPS: usize = 24;

#[test]
fn what_a_check_foretells_is_what_the_start_does() {
    let (mut cases, mut cut, mut wrong) = (0, 0, Vec::new());
    for left in [Left::Clean, Left::Killed, Left::Young] {
        let lived = Lived::new(left);
        let derived = [".index", ".timeindex", ".txnindex", ".snapshot", "checkpoint"];
        let kinds = [".log"].into_iter().chain(derived);
        for path in kinds.flat_map(|kind| lived.sample(kind)) {
            let good = &lived.files[&path];
            for harm in Cases::Spread(FLIPS).of(good) {
                let bytes = harm.done_to(good);
                // Some files make that nothing is opened at all.
                let again = lived.with(&path, bytes.as_deref());
                let Ok((_, report)) = &again.opened else { continue };
                let (foretold, done) = (foretold(&lived, &path, bytes.as_deref()), done(report));
                if foretold != done {
                    let file = path.display();
                    wrong.push(format!("{left:?}, {file}, {harm}: foretold {foretold:?}, done {done:?}"));
                }
                cases += 1;
                cut += usize::from(!done.is_empty());
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {cases}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(cases > 100 && cut > 20, "{cut} of {cases}");
}

/// The files that will be cut, and where their log ends then.
pub(crate) fn foretold(lived: &Lived, path: &Path, bytes: Option<&[u8]>) -> BTreeMap<PathBuf, i64> {
    let disk: Arc<dyn Disk> = lived.on_disk(path, bytes);
    let mut found = BTreeMap::new();
    let tally = verify(&disk, Path::new(ROOT), VerifyOptions::default(), &mut |event| {
        if let Event::Found(finding) = event
            && let Fate::Cut { offset } = finding.fate
        {
            found.insert(finding.path, offset);
        }
    });
    tally.expect("checked");
    found
}

/// Those that were.
pub(crate) fn done(report: &LoadReport) -> BTreeMap<PathBuf, i64> {
    let mut done = BTreeMap::new();
    for loaded in &report.loaded {
        let end = loaded.report.cuts.iter().map(|cut| cut.offset).min();
        let files = loaded.report.cuts.iter().map(|cut| cut.file.clone());
        done.extend(files.zip(std::iter::repeat(end.unwrap_or(-1))));
    }
    done
}
