//! Which partition of `__consumer_offsets` a group lives in: by Java's `String.hashCode`, so that a data directory of
//! Kafka keeps its groups.

/// The partition of a group among `partitions`; 0 if there are none.
pub fn partition_for(group_id: &str, partitions: i32) -> i32 {
    let hash =
        group_id.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    (hash & i32::MAX).checked_rem(partitions).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_those_of_java() {
        // From a Java program; the first one's hash is i32::MIN, whose sign bit is cut off.
        let known = [
            ("polygenelubricants", 0),
            ("console-consumer", 8),
            ("a", 47),
            ("ab", 5),
            ("gruppe-ä", 48),
            ("😀", 49),
        ];
        for (group_id, partition) in known {
            assert_eq!(partition_for(group_id, 50), partition, "{group_id}");
        }
        assert_eq!(partition_for("", 50), 0);
        assert_eq!(partition_for("x", 0), 0);
    }
}
