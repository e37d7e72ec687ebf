//! Which partition of `__consumer_offsets` a group lives in: by the absolute value of Java's `String.hashCode`, so that
//! a data directory of Kafka keeps its groups. (Kafka's partitioners cut the sign bit off instead, its coordinators do
//! not.)

/// The partition of a group among `partitions`; 0 if there are none.
pub fn partition_for(group_id: &str, partitions: i32) -> i32 {
    let hash =
        group_id.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    // One number has no absolute value: Kafka takes 0.
    hash.checked_abs().unwrap_or(0).checked_rem(partitions).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_those_of_java() {
        // The first one's hash is i32::MIN. That of the last one is negative; of five partitions, Kafka 4.3.1 put it
        // into 1.
        let known = [
            ("polygenelubricants", 0),
            ("console-consumer", 40),
            ("a", 47),
            ("ab", 5),
            ("gruppe-ä", 48),
            ("😀", 49),
            ("group-new", 26),
        ];
        for (group_id, partition) in known {
            assert_eq!(partition_for(group_id, 50), partition, "{group_id}");
        }
        assert_eq!(partition_for("group-new", 5), 1);
        assert_eq!(partition_for("", 50), 0);
        assert_eq!(partition_for("x", 0), 0);
    }
}
