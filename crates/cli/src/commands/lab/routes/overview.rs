//! Which way is cheapest, here, in one table: settings down, sizes across, a route in each cell.

use pagewire_lab::routes::cheapest;
use pagewire_lab::size;

use super::setting::Setting;
use crate::output::{Out, Table};

/// Prints it.
pub(super) fn print(settings: &[Setting<'_>], out: &mut Out) -> anyhow::Result<()> {
    out.line("Cheapest route by response size, by the sender's CPU (~ open: the rounds do not tell it from another)")?;
    let mut sizes: Vec<u64> = settings.iter().flat_map(Setting::sizes).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let names: Vec<String> = sizes.iter().map(|&bytes| size::text(bytes)).collect();
    let columns: Vec<&str> = std::iter::once("SETTING").chain(names.iter().map(String::as_str)).collect();
    let mut table = Table::new(&columns);
    for setting in settings {
        let routes = sizes.iter().map(|&bytes| route(setting, bytes));
        table.cells(std::iter::once(setting.name.clone()).chain(routes));
    }
    table.print(out)
}

fn route(setting: &Setting<'_>, bytes: u64) -> String {
    let Some(first) = cheapest(&setting.of_size(bytes)) else { return String::new() };
    let mark = if first.is_settled() { "" } else { " ~" };
    format!("{}{mark}", first.cell.route)
}
