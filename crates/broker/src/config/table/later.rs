//! What belongs to parts of the broker that are still to come: checked, kept and shown.

use crate::config::definition::Kind::Boolean;
use crate::config::definition::Rule::Any;
use crate::config::definition::Setting as S;

/// Two-phase commit.
pub(super) static LATER: &[S] = &[S::new("transaction.two.phase.commit.enable", Boolean, Some("false"), Any)
    .not_yet()
    .doc("Whether two-phase commit is offered.")];
