//! Whether `meta.properties` is damaged, by what the metadata says of the directory: no checksum is over the file, and a bit of
//! it that flips may leave a file that reads.

use pagewire_disk::MetaProperties;
use pagewire_disk::checkpoint::{format_id, parse_id};
use uuid::Uuid;

/// What the metadata says of a log directory.
#[derive(Debug, Clone, Copy)]
pub struct KnownIdentity<'k> {
    /// Its cluster.
    pub cluster_id: &'k str,
    /// The node that serves it.
    pub node_id: i32,
    /// The id under which that node served the directory at this path.
    pub directory_id: Uuid,
}

/// The one thing in which a file contradicts the metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// Its key in the file.
    pub key: &'static str,
    /// What the file says.
    pub found: String,
    /// What the metadata says.
    pub known: String,
}

impl KnownIdentity<'_> {
    /// What is damaged in the file. Nothing where it may be right: that of another cluster's or node's directory has an id that
    /// this node has not served here, and another directory of this node has an id that is nothing like this one's.
    pub fn contradicted_by(&self, meta: &MetaProperties) -> Option<Contradiction> {
        let directory = meta.directory_id?;
        let is = (
            meta.cluster_id == self.cluster_id,
            meta.node_id == self.node_id,
            directory == self.directory_id,
        );
        let (key, found, known) = match is {
            (false, true, true) => ("cluster.id", meta.cluster_id.clone(), self.cluster_id.to_owned()),
            (true, false, true) => ("node.id", meta.node_id.to_string(), self.node_id.to_string()),
            (true, true, false) if is_one_bit_off(directory, self.directory_id) => {
                ("directory.id", format_id(directory), format_id(self.directory_id))
            }
            _ => return None,
        };
        Some(Contradiction { key, found, known })
    }
}

/// Whether one bit that flipped in the text of `known` makes `found`. Ids are random: one that is so much alike is the same one,
/// damaged.
pub(crate) fn is_one_bit_off(found: Uuid, known: Uuid) -> bool {
    let text = format_id(known).into_bytes();
    let flipped = |(at, bit): (usize, u32)| {
        let flip = |(index, byte): (usize, &u8)| if index == at { byte ^ (1 << bit) } else { *byte };
        let text = text.iter().enumerate().map(flip).collect();
        String::from_utf8(text).ok().and_then(|text| parse_id(&text))
    };
    let mut bits = (0..text.len()).flat_map(|at| (0..8).map(move |bit| (at, bit)));
    found != known && bits.any(|bit| flipped(bit) == Some(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: Uuid = Uuid::from_u128(0x1234_5678_9abc_def0_1122_3344_5566_7788);
    const KNOWN: KnownIdentity<'_> = KnownIdentity { cluster_id: "ours", node_id: 1, directory_id: ID };

    fn key(cluster_id: &str, node_id: i32, directory_id: Option<Uuid>) -> Option<&'static str> {
        let meta = MetaProperties { cluster_id: cluster_id.to_owned(), node_id, directory_id };
        KNOWN.contradicted_by(&meta).map(|found| found.key)
    }

    #[test]
    fn one_thing_that_differs_is_damaged_where_all_else_agrees() {
        let flipped = parse_id(&format_id(ID).replacen('E', "D", 1)).expect("an id");
        assert_eq!(key("ours", 1, Some(ID)), None);
        assert_eq!(key("ourr", 1, Some(ID)), Some("cluster.id"));
        assert_eq!(key("ours", 3, Some(ID)), Some("node.id"));
        assert_eq!(key("ours", 1, Some(flipped)), Some("directory.id"));
    }

    #[test]
    fn what_may_be_another_directory_is_no_damage() {
        let another = Uuid::from_u128(!ID.as_u128());
        assert_eq!(key("theirs", 1, Some(another)), None, "of another cluster");
        assert_eq!(key("ours", 3, Some(another)), None, "of another node");
        assert_eq!(key("ours", 1, Some(another)), None, "another of this node's");
        assert_eq!(key("theirs", 3, Some(ID)), None, "a copy that was made another's");
        assert_eq!(key("theirs", 1, None), None, "nothing says that it was ours");
    }
}
