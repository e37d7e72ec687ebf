//! Reading past the page cache, and sending that.

use anyhow::Context;

use super::{Bench, Tried, figures};
use crate::copies::by_allocations;

/// The aliasing test cannot tell: what the disk has put into a buffer does not change with the file. But a socket that
/// gets a copy needs pages for it.
pub(super) fn to_the_network(bench: &mut Bench<'_>) -> anyhow::Result<Tried> {
    let allocated = bench.route("direct")?.allocated;
    let allocated = allocated.context("the kernel does not let us see which pages it allocates; root may")?;
    Ok(Tried {
        holds: by_allocations(allocated).map(|copied| !copied),
        evidence: format!(
            "the disk fills the buffer by itself; to send that, the socket allocated {allocated:.2} bytes of pages for \
             each byte (a copy needs 1, a reference 0)"
        ),
        figures: figures([("allocated_per_byte", allocated)]),
    })
}
