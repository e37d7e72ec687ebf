//! ListTransactions: the transactional ids of this node, by state and producer id (KIP-664), by how long their transaction is
//! open (KIP-994) and by a pattern of their names (KIP-1152).

use pagewire_coordinate::txn;
use pagewire_wire::{
    ErrorCode, Str,
    messages::{
        list_transactions_request::ListTransactionsRequest,
        list_transactions_response::{ListTransactionsResponse, TransactionState},
    },
};
use regex::{Regex, RegexBuilder};

use crate::{
    clock::now_ms,
    coordinators::{NotListed, shared, text, txn_error_code},
    net::Close,
    request::{Context, RESPONSE_BYTES_MAX},
};

/// The most that a pattern may take in memory once it is understood.
const PATTERN_BYTES_MAX: usize = 1 << 20;

pub(crate) async fn handle(
    ctx: Context,
    request: ListTransactionsRequest,
) -> Result<ListTransactionsResponse, Close> {
    let Ok(pattern) = pattern(request.transactional_id_pattern.as_deref()) else {
        return Ok(failed(ErrorCode::InvalidRegularExpression));
    };
    let (known, unknown): (Vec<_>, Vec<_>) = request
        .state_filters
        .into_iter()
        .map(|name| (txn::TxnState::named(&name), name))
        .partition(|(state, _): &(Option<txn::TxnState>, Str)| state.is_some());
    let asks_for_states = !known.is_empty() || !unknown.is_empty();
    let filter = txn::Filter {
        producer_ids: request.producer_id_filters.into_iter().collect(),
        states: asks_for_states.then(|| known.into_iter().filter_map(|(state, _)| state).collect()),
        longer_than_ms: request.duration_filter,
    };
    let coordinator = ctx.broker.coordinators().transaction_coordinator();
    let listed = coordinator.list(&ctx.broker, &filter, pattern.as_ref(), now_ms(), RESPONSE_BYTES_MAX);
    let listed = match listed.await {
        Ok(listed) => listed,
        Err(NotListed::Error(error)) => return Ok(failed(txn_error_code(error))),
        Err(NotListed::TooMuch) => {
            let why = format_args!("the transactional ids have more than {RESPONSE_BYTES_MAX} bytes");
            return Err(Close::because(why));
        }
    };
    let state = |one: txn::Listed| TransactionState {
        transactional_id: shared(&one.transactional_id),
        producer_id: one.producer_id,
        transaction_state: text(one.state.name()),
        ..Default::default()
    };
    Ok(ListTransactionsResponse {
        unknown_state_filters: unknown.into_iter().map(|(_, name)| name).collect(),
        transaction_states: listed.into_iter().map(state).collect(),
        ..Default::default()
    })
}

fn failed(error: ErrorCode) -> ListTransactionsResponse {
    ListTransactionsResponse { error_code: error.code(), ..Default::default() }
}

/// What the whole name has to look like; none lets all names be.
fn pattern(text: Option<&str>) -> Result<Option<Regex>, ()> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    // On its own first: the parentheses around it must not mend it.
    let build = |text: &str| RegexBuilder::new(text).size_limit(PATTERN_BYTES_MAX).build().map_err(drop);
    build(text)?;
    build(&format!("^(?:{text})$")).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_held_against_the_whole_name() {
        let fits =
            |text, name: &str| pattern(Some(text)).map(|pattern| pattern.is_none_or(|p| p.is_match(name)));
        assert_eq!(fits("app-.*", "app-1"), Ok(true));
        assert_eq!(fits("app", "app-1"), Ok(false));
        assert_eq!(fits("a|b", "ab"), Ok(false));
        assert_eq!(fits("", "anything"), Ok(true));
        for wrong in ["(", "a)(b", "*", "(?<x", "a{1000}{1000}{1000}"] {
            assert_eq!(fits(wrong, "a"), Err(()), "{wrong}");
        }
    }
}
