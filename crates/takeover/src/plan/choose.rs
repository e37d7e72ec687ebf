//! Which copy of a partition is taken. Pure.

use crate::kraft::{NO_LEADER, Placement};

/// A copy of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Copy {
    /// Whose it is.
    pub(super) node: i32,
    /// It lies in the directory that Kafka's metadata names for that broker.
    pub(super) is_assigned: bool,
    /// The offset after its last record.
    pub(super) end: i64,
}

/// What there is of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// This copy has everything that was acknowledged.
    Whole(usize),
    /// The best that is here, but another broker has more.
    Part(usize),
    /// Nothing is here.
    Missing,
}

/// Chooses among copies. A leader's copy is whole; if nobody leads, as after an orderly stop of all, so is that of a
/// replica that could lead. Nobody has more than the only replica. Of several that are as good the longest is taken; of
/// two of the same broker, as a move between its directories leaves them when it is interrupted, the one where Kafka
/// says it is.
pub(super) fn choose(placement: &Placement, copies: &[Copy]) -> Choice {
    let find = |is_it: &dyn Fn(i32) -> bool| {
        let all = copies.iter().enumerate().filter(|(_, copy)| is_it(copy.node));
        // The last of those alike is what max_by_key answers; the first is wanted.
        all.rev().max_by_key(|(_, copy)| (copy.is_assigned, copy.end)).map(|(at, _)| at)
    };
    let in_sync = |node: i32| placement.isr.contains(&node) || placement.eligible.contains(&node);
    let nobody_is = placement.isr.is_empty() && placement.eligible.is_empty();
    let could_lead = |node: i32| {
        in_sync(node) || placement.replicas == [node] || nobody_is && placement.last_known.contains(&node)
    };
    let whole = match placement.leader {
        NO_LEADER => find(&could_lead),
        leader => find(&|node| node == leader),
    };
    match (whole, whole.or_else(|| find(&in_sync)).or_else(|| find(&|_| true))) {
        (Some(whole), _) => Choice::Whole(whole),
        (None, Some(best)) => Choice::Part(best),
        (None, None) => Choice::Missing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(leader: i32, isr: &[i32], nodes: &[i32]) -> Choice {
        choose(&placement(leader, isr), &copies(nodes))
    }

    fn copies(nodes: &[i32]) -> Vec<Copy> {
        nodes.iter().map(|node| Copy { node: *node, is_assigned: false, end: 7 }).collect()
    }

    fn placement(leader: i32, isr: &[i32]) -> Placement {
        let nobody = Vec::new;
        let (replicas, isr) = (vec![1, 2, 3], isr.to_vec());
        let directories = Vec::new();
        Placement {
            replicas,
            isr,
            eligible: nobody(),
            last_known: nobody(),
            leader,
            leader_epoch: 0,
            directories,
        }
    }

    #[test]
    fn the_leaders_copy_is_taken() {
        assert_eq!(chosen(2, &[1, 2], &[1, 2, 3]), Choice::Whole(1));
        assert_eq!(chosen(1, &[1], &[1]), Choice::Whole(0));
    }

    #[test]
    fn without_a_leader_an_in_sync_copy_is_whole() {
        assert_eq!(chosen(NO_LEADER, &[3], &[1, 3]), Choice::Whole(1));
        assert_eq!(chosen(NO_LEADER, &[2], &[1, 3]), Choice::Part(0));
    }

    #[test]
    fn after_an_orderly_stop_of_all_the_eligible_are_whole() {
        let stopped = Placement { eligible: vec![3], last_known: vec![1], ..placement(NO_LEADER, &[]) };
        assert_eq!(choose(&stopped, &copies(&[1, 3])), Choice::Whole(1));
        assert_eq!(choose(&stopped, &copies(&[1, 2])), Choice::Part(0));
        let killed = Placement { last_known: vec![2], ..placement(NO_LEADER, &[]) };
        assert_eq!(choose(&killed, &copies(&[1, 2])), Choice::Whole(1));
        let alone = Placement { replicas: vec![1], ..placement(NO_LEADER, &[]) };
        assert_eq!(choose(&alone, &copies(&[1])), Choice::Whole(0));
    }

    #[test]
    fn a_followers_copy_is_a_part() {
        assert_eq!(chosen(2, &[2, 3], &[1, 3]), Choice::Part(1));
        assert_eq!(chosen(2, &[2], &[]), Choice::Missing);
    }

    #[test]
    fn of_copies_that_are_as_good_the_longest_is_taken() {
        let copy = |node, is_assigned, end| Copy { node, is_assigned, end };
        let stopped = placement(NO_LEADER, &[1, 2]);
        assert_eq!(choose(&stopped, &[copy(1, true, 5), copy(2, true, 9)]), Choice::Whole(1));
        assert_eq!(
            choose(&stopped, &[copy(1, false, 5), copy(3, true, 9)]),
            Choice::Whole(0),
            "3 is not in sync"
        );
        let twice = placement(1, &[1]);
        assert_eq!(choose(&twice, &[copy(1, false, 5), copy(1, false, 9)]), Choice::Whole(1));
        assert_eq!(
            choose(&twice, &[copy(1, false, 9), copy(1, true, 5)]),
            Choice::Whole(1),
            "Kafka says where"
        );
        assert_eq!(choose(&twice, &[copy(1, false, 9), copy(1, false, 9)]), Choice::Whole(0));
    }
}
