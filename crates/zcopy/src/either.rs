//! Waiting for two things at once.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// Which came first, and with what.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Either<A, B> {
    One(A),
    Other(B),
}

/// Whichever comes first; `one` where both have. What did not come is dropped.
pub(crate) async fn either<A, B>(
    one: impl Future<Output = A>,
    other: impl Future<Output = B>,
) -> Either<A, B> {
    let (mut one, mut other) = (pin!(one), pin!(other));
    poll_fn(|context| match one.as_mut().poll(context) {
        Poll::Ready(came) => Poll::Ready(Either::One(came)),
        Poll::Pending => other.as_mut().poll(context).map(Either::Other),
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn what_comes_first_is_had_and_the_first_of_two_that_have_come() {
        assert_eq!(either(ready(1), pending::<u8>()).await, Either::One(1));
        assert_eq!(either(pending::<u8>(), ready(2)).await, Either::Other(2));
        assert_eq!(either(ready(1), ready(2)).await, Either::One(1));
    }
}
