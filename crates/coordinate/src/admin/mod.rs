//! What administrators ask about groups: readings, and the deletion of whole groups.

mod delete_groups;
mod describe;
mod list;

pub use describe::{DescribedGroup, DescribedMember};
pub use list::{GroupFilter, ListedGroup};
