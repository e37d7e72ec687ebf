//! Tables for people: a header, aligned columns, no lines around them, so that `awk` and eyes both find their way.

use comfy_table::{CellAlignment, presets};

use super::Out;

/// A table being filled.
#[derive(Debug)]
pub(crate) struct Table {
    inner: comfy_table::Table,
}

impl Table {
    /// With these columns; a name that begins with `>` aligns its column to the right.
    pub(crate) fn new(columns: &[&str]) -> Self {
        let mut inner = comfy_table::Table::new();
        inner.load_preset(presets::NOTHING);
        inner.set_header(columns.iter().map(|name| name.trim_start_matches('>')));
        for (at, name) in columns.iter().enumerate() {
            if let Some(column) = inner.column_mut(at) {
                column.set_padding((0, 2));
                if name.starts_with('>') {
                    column.set_cell_alignment(CellAlignment::Right);
                }
            }
        }
        Self { inner }
    }

    /// Adds a row.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.cells(cells);
    }

    /// Adds a row of as many cells as there are columns, however many that is.
    pub(crate) fn cells(&mut self, cells: impl IntoIterator<Item = String>) {
        let shown = |cell: String| if cell.is_empty() { "-".to_owned() } else { cell };
        self.inner.add_row(cells.into_iter().map(shown));
    }

    /// Writes it.
    pub(crate) fn print(&self, out: &mut Out) -> anyhow::Result<()> {
        self.inner.lines().try_for_each(|line| out.line(line.trim_end()))
    }
}
