//! cachestat(2): whether the kernel tells, without reading, which part of a file is in memory. A cold range is then
//! read on a thread of its own instead of holding up everybody else's connections.

use std::io;

use pagewire_zcopy::cached_pages;

use super::bench::{self, FILE_BYTES};
use crate::Plan;
use crate::finding::Finding;

pub(crate) fn look(plan: &Plan) -> Vec<Finding> {
    vec![match bench::sample(&plan.data_dir) {
        Ok(sample) => {
            let pages = cached_pages(&sample.file, 0, FILE_BYTES);
            judge(&pages, FILE_BYTES / rustix::param::page_size() as u64).note(sample.elsewhere.as_deref())
        }
        Err(error) => Finding::unseen("cachestat", &error),
    }]
}

fn judge(pages: &io::Result<u64>, expected: u64) -> Finding {
    match pages {
        Ok(pages) => {
            Finding::ok("cachestat", format!("there; {pages} of {expected} pages just written are cached"))
        }
        Err(error) => Finding::better(
            "cachestat",
            format!("not to be had: {error}"),
            "single bytes are probed instead, which sees less of a range: Linux 6.5 has it, and a sandbox's filter must \
             allow it",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    #[test]
    fn a_kernel_without_it_could_be_better() {
        assert_eq!(judge(&Ok(64), 64).state, State::Ok);
        assert_eq!(judge(&Err(io::ErrorKind::Unsupported.into()), 64).state, State::CouldBeBetter);
    }
}
