//! The pages that this thread looked into last. Who reads a log from front to back asks for each of them hundreds of times,
//! a page for each fetch.
//!
//! A page is known by what the index knew of its file when it was read: whoever changes the file replaces that first.

use std::cell::RefCell;
use std::io;
use std::sync::{Arc, Weak};

use super::Top;
use super::entry::PAGE_LEN;

/// Pages kept by each thread: of more, the one that was used longest ago goes.
const PAGES_MAX: usize = 8;

/// The bytes of a page.
pub(super) type Page = [u8; PAGE_LEN];

thread_local! {
    static KEPT: RefCell<Vec<Kept>> = const { RefCell::new(Vec::new()) };
}

struct Kept {
    /// Does not keep it, and keeps its address from being another's.
    top: Weak<Top>,
    number: u32,
    page: Box<Page>,
}

/// Looks into page `number` of the file of `top`, which `read` fetches if it is not kept.
pub(super) fn look<R>(
    top: &Arc<Top>,
    number: u32,
    read: impl FnOnce(&mut Page) -> io::Result<()>,
    look: impl FnOnce(&Page) -> R,
) -> io::Result<R> {
    KEPT.with_borrow_mut(|kept| {
        let is_it = |one: &Kept| one.number == number && Weak::as_ptr(&one.top) == Arc::as_ptr(top);
        let one = if let Some(at) = kept.iter().position(is_it) {
            kept.remove(at)
        } else {
            let spare = if kept.len() < PAGES_MAX { None } else { kept.pop() };
            let mut page = spare.map_or_else(|| Box::new([0; PAGE_LEN]), |one| one.page);
            read(&mut page)?;
            Kept { top: Arc::downgrade(top), number, page }
        };
        let answer = look(&one.page);
        kept.insert(0, one);
        Ok(answer)
    })
}
