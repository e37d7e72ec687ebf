//! Consumer groups (KIP-848): the coordinator assigns, members follow one by one, and nobody waits for the others.
//!
//! ```text
//!   heartbeat ──► membership ──► epoch ──────► target ──────────► reconcile ──► answer
//!                 who is this,   something     who is to have     what this one may have now: what it
//!                 what does it   changed:      what, once for     has to give back first, what others
//!                 subscribe to   one higher    an epoch           have given back by now
//!
//!   member:   Stable ──► UnrevokedPartitions ──► Stable or UnreleasedPartitions ──► Stable
//!             at its      asked to give back       at the epoch of the target; waits for what others have not
//!             epoch       within its timeout       given back
//! ```
//!
//! Deciding makes records from the group as it is; the group changes only when they are in the log ([`Group::apply`]), so
//! what a restart reads is what was. Times at which sessions end are all that lives here alone.
//!
//! | file | what |
//! |-|-|
//! | `group` `member` `counts` | the state, and what records do to it |
//! | `drive` `heartbeat` `membership` `subscription` | a heartbeat from its beginning to its end |
//! | `plan` `outcome` | a decision while it is made, and what follows once it is in the log |
//! | `regex` `lookup` `look` `resolve` | expressions, the look for their topics, and what is kept of it |
//! | `metadata_hash` | whether topics changed |
//! | `assign` `target` `reconcile` | who is to have what, and who has what |
//! | `leave` `timeouts` | members that go, or are sent |
//! | `describe` `offsets` | what others may know, commit and fetch |
//! | `migrate` | members that speak the classic protocol, and groups that change sides |

pub(crate) mod assign;
mod counts;
mod describe;
mod drive;
mod group;
mod heartbeat;
mod leave;
mod look;
mod lookup;
mod member;
mod membership;
mod metadata_hash;
mod migrate;
mod offsets;
mod outcome;
mod plan;
mod reconcile;
mod regex;
mod resolve;
mod subscription;
mod target;
mod timeouts;

pub use assign::Assignor;
pub use describe::{DescribedConsumer, DescribedConsumerGroup, NamedPartitions};
pub use group::ConsumerGroupState;
pub use lookup::{Found, Lookup};

pub(crate) use group::Group;
pub(crate) use member::Member;
pub(crate) use outcome::Outcome;
