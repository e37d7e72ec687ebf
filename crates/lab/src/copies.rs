//! How often the CPU copied each byte on the sending side, out of what was seen of it. Pure, and the one place where
//! that is decided, for the proof and for the cells of `lab routes` alike.
//!
//! ```text
//!   page cache --- read(2) ---> the program's own buffer --- send(2) ---> socket
//!              nobody sees this copy:                       three witnesses see whether
//!              it follows from the path                     there is one here
//!
//!   aliasing           bytes that change with the file after they were sent had not been copied, neither here nor there
//!   kernel-report      the kernel says of a send that was to be without a copy whether it copied after all
//!   page-allocations   a socket that is given a copy needs pages to put it in
//! ```
//!
//! A witness that cannot tell is silent. Witnesses that contradict each other decide nothing, and then, as without any,
//! the number is the path's. A number is *decided* when the witnesses account for all of it: of `copy` they see one of
//! two.

use crate::measure::way::Way;

/// More than this share means all, less than the rest of it nothing. What lies between is neither, and no measurement.
const DECIDED: f64 = 0.99;
/// Bytes of pages for each byte sent: for less than this nothing was copied, for more than the other everything was.
const NONE_COPIED: f64 = 0.05;
const ALL_COPIED: f64 = 0.8;

/// What [`Copies::how`] says of the part of a number that no witness saw.
pub(crate) const BY_PATH: &str = "path";

/// What was seen of one way.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Seen {
    /// Share of the bytes that changed with the file after they had been sent.
    pub(crate) aliased: Option<f64>,
    /// The same share of what surely copies: 0, or nothing is known by aliasing.
    pub(crate) control: Option<f64>,
    /// Of the sends that the kernel reported on, the share that it says it copied.
    pub(crate) reported: Option<f64>,
    /// Bytes of pages that the kernel allocated for each byte sent.
    pub(crate) allocated: Option<f64>,
}

/// What follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Copies {
    pub(crate) count: u8,
    /// Whether the witnesses account for all of `count`.
    pub(crate) decided: bool,
    /// Who told, joined by `+`; [`BY_PATH`] comes first where a part follows from the path.
    pub(crate) how: String,
    /// Why a witness that spoke was not believed.
    pub(crate) doubt: Option<String>,
}

/// What each witness says: whether there was a copy on the way into the socket, or after.
type Witness = (&'static str, bool);

/// Decides.
pub(crate) fn of(way: Way, seen: Seen) -> Copies {
    let told = witnesses(way, seen);
    let by_path =
        |doubt| Copies { count: way.copies_by_path(), decided: false, how: BY_PATH.to_owned(), doubt };
    let spoilt = control_moved(way, seen).then(|| CONTROL_MOVED.to_owned());
    let Some(&(_, copied)) = told.first() else { return by_path(spoilt) };
    if told.iter().any(|&(_, also)| also != copied) {
        return by_path(Some(contradiction(&told)));
    }
    let names: Vec<&str> = told.iter().map(|&(name, _)| name).collect();
    let is_reference = names.contains(&ALIASING) && !copied;
    // Bytes that are still the file's own passed through no buffer at all, whatever the path.
    let unseen = if is_reference { Some(0) } else { way.copies_into_buffer() };
    let Some(unseen) = unseen else { return by_path(spoilt) };
    let how: Vec<&str> = (unseen > 0).then_some(BY_PATH).into_iter().chain(names).collect();
    Copies { count: unseen + u8::from(copied), decided: unseen == 0, how: how.join("+"), doubt: spoilt }
}

const ALIASING: &str = "aliasing";
const CONTROL_MOVED: &str =
    "the copying control changed with the file as well, so that nothing is known by aliasing";

/// Those that speak.
fn witnesses(way: Way, seen: Seen) -> Vec<Witness> {
    let said = [
        (ALIASING, by_aliasing(way, seen)),
        ("kernel-report", seen.reported.and_then(all_or_nothing)),
        ("page-allocations", seen.allocated.and_then(by_allocations)),
    ];
    said.into_iter().filter_map(|(name, copied)| Some((name, copied?))).collect()
}

/// What changed had not been copied, what did not change had been, at least once. Silent about bytes that passed
/// through a buffer of the program's own, which never changes with the file, and without a control that kept still.
fn by_aliasing(way: Way, seen: Seen) -> Option<bool> {
    if way.has_private_buffer() || seen.control.is_none_or(|share| share > 0.0) {
        return None;
    }
    is_copied(seen.aliased?)
}

fn control_moved(way: Way, seen: Seen) -> bool {
    !way.has_private_buffer() && seen.aliased.is_some() && seen.control.is_none_or(|share| share > 0.0)
}

/// Whether bytes of which this share changed with the file had been copied; `None` where only some had.
pub(crate) fn is_copied(aliased: f64) -> Option<bool> {
    all_or_nothing(aliased).map(|all_changed| !all_changed)
}

/// Whether a socket for which so many bytes of pages were allocated, for each byte sent, was given a copy.
pub(crate) fn by_allocations(per_byte: f64) -> Option<bool> {
    if per_byte > ALL_COPIED { Some(true) } else { (per_byte < NONE_COPIED).then_some(false) }
}

fn all_or_nothing(share: f64) -> Option<bool> {
    if share >= DECIDED { Some(true) } else { (share <= 1.0 - DECIDED).then_some(false) }
}

fn contradiction(told: &[Witness]) -> String {
    let each =
        told.iter().map(|&(name, copied)| format!("{name} {}", if copied { "a copy" } else { "none" }));
    format!("the witnesses contradict each other: {}", each.collect::<Vec<String>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNSEEN: Seen = Seen { aliased: None, control: Some(0.0), reported: None, allocated: None };

    fn judged(way: &str, seen: Seen) -> (u8, bool, String) {
        let Copies { count, decided, how, .. } = of(Way::from_name(way).unwrap(), seen);
        (count, decided, how)
    }

    fn told(count: u8, decided: bool, how: &str) -> (u8, bool, String) {
        (count, decided, how.to_owned())
    }

    /// Of a test whose control kept still.
    fn aliased(share: f64) -> Seen {
        Seen { aliased: Some(share), ..UNSEEN }
    }

    fn reported(share: f64) -> Seen {
        Seen { reported: Some(share), ..UNSEEN }
    }

    fn allocated(per_byte: f64) -> Seen {
        Seen { allocated: Some(per_byte), ..UNSEEN }
    }

    #[test]
    fn what_aliases_was_not_copied_and_what_does_not_was() {
        assert_eq!(judged("sendfile", aliased(1.0)), told(0, true, "aliasing"));
        assert_eq!(judged("sendfile", aliased(0.0)), told(1, true, "aliasing"), "a link that cannot gather");
        assert_eq!(judged("mmap", aliased(0.0)), told(1, true, "aliasing"));
        assert_eq!(judged("sendfile", aliased(0.5)), told(0, false, "path"), "some of it is neither");
        assert_eq!(judged("sendfile", UNSEEN), told(0, false, "path"));
    }

    #[test]
    fn a_control_that_changed_takes_what_aliasing_says_away_and_nothing_else() {
        for control in [None, Some(0.01), Some(1.0)] {
            let seen = Seen { control, allocated: Some(0.0), ..aliased(1.0) };
            assert_eq!(judged("sendfile", seen), told(0, true, "page-allocations"));
            let seen = Seen { control, ..aliased(1.0) };
            assert_eq!(judged("splice", seen), told(0, false, "path"));
            assert!(of(Way::FLOOR, seen).doubt.unwrap().contains("control"));
        }
        assert_eq!(of(Way::FLOOR, aliased(1.0)).doubt, None);
    }

    #[test]
    fn page_allocations_are_a_witness_like_the_others() {
        assert_eq!(
            judged("direct", allocated(0.001)),
            told(0, true, "page-allocations"),
            "not what the path has"
        );
        assert_eq!(
            judged("direct", Seen { allocated: Some(1.0), ..aliased(0.0) }),
            told(1, true, "page-allocations")
        );
        assert_eq!(judged("mmap", allocated(0.4)), told(1, false, "path"), "some pages tell nothing");
        let both = Seen { allocated: Some(0.001), ..aliased(1.0) };
        assert_eq!(judged("sendfile", both), told(0, true, "aliasing+page-allocations"));
    }

    #[test]
    fn witnesses_that_contradict_each_other_decide_nothing() {
        let seen = Seen { reported: Some(0.0), ..aliased(0.0) };
        assert_eq!(judged("zerocopy", seen), told(0, false, "path"));
        let seen = Seen { allocated: Some(1.0), ..aliased(1.0) };
        assert_eq!(judged("sendfile", seen), told(0, false, "path"));
        let doubt = of(Way::FLOOR, seen).doubt.unwrap();
        assert!(doubt.ends_with("aliasing none, page-allocations a copy"), "{doubt}");
    }

    #[test]
    fn a_copy_into_a_buffer_that_no_witness_sees_leaves_the_number_undecided() {
        for way in ["copy", "read-write-32k", "read-write-1m"] {
            assert_eq!(judged(way, allocated(1.0)), told(2, false, "path+page-allocations"), "{way}");
            assert_eq!(judged(way, aliased(0.0)), told(2, false, "path"), "the buffer never changes");
        }
        assert_eq!(judged("uring", reported(1.0)), told(2, false, "path+kernel-report"), "in, and out of it");
        assert_eq!(judged("uring", reported(0.0)), told(1, false, "path+kernel-report"));
        assert_eq!(judged("uring", reported(0.4)), told(1, false, "path"));
    }

    #[test]
    fn a_copy_that_the_kernel_reports_is_one_more_than_the_path_has() {
        let seen = Seen { reported: Some(1.0), ..aliased(0.0) };
        assert_eq!(judged("zerocopy", seen), told(1, true, "aliasing+kernel-report"));
        let seen = Seen { reported: Some(0.0), ..aliased(1.0) };
        assert_eq!(judged("zerocopy", seen), told(0, true, "aliasing+kernel-report"));
    }

    #[test]
    fn what_chooses_by_itself_is_known_only_where_its_bytes_went_by_reference() {
        for way in ["auto", "transfer-to"] {
            assert_eq!(judged(way, aliased(1.0)), told(0, true, "aliasing"));
            assert_eq!(judged(way, aliased(0.0)), told(2, false, "path"), "once or twice");
        }
    }
}
