//! What a list leaves out is said on standard error: what partitions keep that nobody answers for.

use super::pasted;
use crate::args::Connect;
use crate::client::Client;
use crate::client::unanswered::{Kept, Unanswered};
use crate::output::complain;

/// Says it if there is something; whether there is.
pub(super) async fn tell(client: &mut Client, kept: Kept, connect: &Connect) -> anyhow::Result<bool> {
    let found = client.unanswered(kept).await?;
    if let Some(found) = &found {
        let cluster = pasted::command(connect, &["cluster"]);
        complain(format_args!("{}: {cluster} says more, as do the brokers' logs", told(found)));
    }
    Ok(found.is_some())
}

fn told(found: &Unanswered) -> String {
    /// Numbers that are told.
    const NAMED_MAX: usize = 8;
    let Unanswered { kept, partitions, total } = found;
    let (named, more) = partitions.split_at(partitions.len().min(NAMED_MAX));
    let named = named.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
    format!(
        "{} of the {total} partitions of {} {} not served, or could not be loaded ({named}{more}). The {} in them are missing here",
        partitions.len(),
        kept.topic(),
        if partitions.len() == 1 { "is" } else { "are" },
        kept.name()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_with_the_numbers_of_some_partitions() {
        let of = |partitions| told(&Unanswered { kept: Kept::Groups, partitions, total: 50 });
        assert_eq!(
            of(vec![7]),
            "1 of the 50 partitions of __consumer_offsets is not served, or could not be loaded (7). The groups in them are \
             missing here"
        );
        assert!(
            of((0..50).collect())
                .contains("are not served, or could not be loaded (0, 1, 2, 3, 4, 5, 6, 7 and 42 more)")
        );
    }
}
