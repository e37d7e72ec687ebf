//! `pagewire docs`, hidden: pages of the documentation that are made from the broker's own tables.

use crate::args::{DocsArgs, Page};
use crate::output::Out;

/// Prints the page and nothing else.
pub(crate) fn run(args: &DocsArgs) -> anyhow::Result<()> {
    let page = match args.page {
        Page::Settings => pagewire_broker::config::markdown(),
        Page::Apis => pagewire_broker::api::markdown(),
    };
    let mut out = Out::new();
    out.write(page.as_bytes())?;
    out.flush()
}
