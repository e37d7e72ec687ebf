//! Several descriptions one below the other: a page each for people, one array for programs.

use serde::Serialize;

use crate::output::{Format, Out};

/// Shows all `pages`, each as `print` does it.
pub(crate) fn show<P: Serialize>(
    pages: &[P],
    format: Format,
    out: &mut Out,
    print: impl Fn(&P, &mut Out) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    match format {
        Format::Json => out.json(&pages)?,
        Format::Table => {
            for (at, page) in pages.iter().enumerate() {
                if at > 0 {
                    out.line("")?;
                }
                print(page, out)?;
            }
        }
    }
    out.flush()?;
    Ok(())
}
