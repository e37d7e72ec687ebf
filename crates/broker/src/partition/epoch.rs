//! Whether a client and this node agree on who leads (KIP-320).

use pagewire_wire::ErrorCode;

/// A client that knows another leader epoch than ours must refresh its metadata, or we must. -1: none known.
pub(crate) fn epoch_error(asked: i32, ours: i32) -> Option<ErrorCode> {
    match asked {
        -1 => None,
        asked if asked < ours => Some(ErrorCode::FencedLeaderEpoch),
        asked if asked > ours => Some(ErrorCode::UnknownLeaderEpoch),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_epoch_is_fenced_and_a_newer_one_unknown() {
        assert_eq!(epoch_error(-1, 3), None);
        assert_eq!(epoch_error(3, 3), None);
        assert_eq!(epoch_error(2, 3), Some(ErrorCode::FencedLeaderEpoch));
        assert_eq!(epoch_error(4, 3), Some(ErrorCode::UnknownLeaderEpoch));
    }
}
