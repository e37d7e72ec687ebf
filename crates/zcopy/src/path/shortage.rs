//! Doing without a route because there is not enough of something just now: descriptors, memory, memory that may be
//! locked.
//!
//! That says nothing about the route, the file or the socket. So it is counted as a refusal and leaves this one plan to
//! the other routes, and [`crate::caps`] hears nothing of it.

use super::{Bench, Outcome};
use crate::{Route, SendPlan};

impl Bench<'_> {
    /// Leaves what is left of `plan` to other routes than `route`. Nothing was sent.
    pub(super) fn without(&self, route: Route, plan: &mut SendPlan) -> Outcome {
        self.stats.refusal(route);
        plan.refused_mut().insert(route);
        Outcome::Sent(0)
    }
}
