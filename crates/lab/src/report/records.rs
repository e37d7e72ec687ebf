//! What a report is made of.

use crate::record::{Claim, DriveCell, Machine, ProofLine, RouteCell};

/// The route that is the measure of all others: a loop around sendfile with nothing else in it.
pub(super) const BARE: &str = "sendfile-bare";

/// What the lab recorded; any kind may be missing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Records {
    /// From `lab routes`.
    pub routes: Vec<RouteCell>,
    /// From `lab proof`: which routes copy.
    pub proof: Vec<ProofLine>,
    /// From `lab proof`: what people say.
    pub claims: Vec<Claim>,
    /// From `lab drive`.
    pub drive: Vec<DriveCell>,
}

impl Records {
    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty() && self.proof.is_empty() && self.claims.is_empty() && self.drive.is_empty()
    }

    /// Where everything was measured, once per record that says it.
    pub(super) fn machines(&self) -> impl Iterator<Item = &Machine> {
        let routes = self.routes.iter().map(|cell| &cell.machine);
        let proof = self.proof.iter().filter_map(|line| line.machine.as_ref());
        let claims = self.claims.iter().filter_map(|claim| claim.machine.as_ref());
        routes.chain(proof).chain(claims).chain(self.drive.iter().map(|cell| &cell.machine))
    }
}
