//! The word for a fenced producer that a client of any age understands.

use pagewire_wire::ErrorCode;

/// PRODUCER_FENCED is new with version `knows_from` of a request; before it was INVALID_PRODUCER_EPOCH.
pub(super) fn fenced_before(code: ErrorCode, version: i16, knows_from: i16) -> ErrorCode {
    if code == ErrorCode::ProducerFenced && version < knows_from {
        ErrorCode::InvalidProducerEpoch
    } else {
        code
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_client_hears_the_old_word() {
        assert_eq!(fenced_before(ErrorCode::ProducerFenced, 1, 2), ErrorCode::InvalidProducerEpoch);
        assert_eq!(fenced_before(ErrorCode::ProducerFenced, 2, 2), ErrorCode::ProducerFenced);
        assert_eq!(fenced_before(ErrorCode::None, 1, 2), ErrorCode::None);
    }
}
