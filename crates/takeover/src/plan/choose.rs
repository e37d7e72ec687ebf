//! Which copy of a partition is taken. Pure.

use crate::kraft::{NO_LEADER, Placement};

/// What there is of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// This copy has everything that was acknowledged.
    Whole(usize),
    /// The best that is here, but another broker has more.
    Part(usize),
    /// The same broker has it twice.
    Twice,
    /// Nothing is here.
    Missing,
}

/// Chooses among copies, each by its node. A leader's copy is whole; if nobody leads, as after an orderly stop of all, so is
/// that of a replica that could lead. Nobody has more than the only replica.
pub(super) fn choose(placement: &Placement, nodes: &[i32]) -> Choice {
    let has_twin = |at: usize| nodes.iter().filter(|node| nodes.get(at) == Some(node)).count() > 1;
    let find = |is_it: &dyn Fn(i32) -> bool| nodes.iter().position(|node| is_it(*node));
    let in_sync = |node: i32| placement.isr.contains(&node) || placement.eligible.contains(&node);
    let nobody_is = placement.isr.is_empty() && placement.eligible.is_empty();
    let could_lead = |node: i32| {
        in_sync(node) || placement.replicas == [node] || nobody_is && placement.last_known.contains(&node)
    };
    let whole = match placement.leader {
        NO_LEADER => find(&could_lead),
        leader => find(&|node| node == leader),
    };
    let best = whole.or_else(|| find(&in_sync)).or_else(|| find(&|_| true));
    match (whole, best) {
        (_, Some(best)) if has_twin(best) => Choice::Twice,
        (Some(whole), _) => Choice::Whole(whole),
        (None, Some(best)) => Choice::Part(best),
        (None, None) => Choice::Missing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(leader: i32, isr: &[i32], nodes: &[i32]) -> Choice {
        choose(&placement(leader, isr), nodes)
    }

    fn placement(leader: i32, isr: &[i32]) -> Placement {
        let nobody = Vec::new;
        let (replicas, isr) = (vec![1, 2, 3], isr.to_vec());
        Placement { replicas, isr, eligible: nobody(), last_known: nobody(), leader, leader_epoch: 0 }
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
        assert_eq!(choose(&stopped, &[1, 3]), Choice::Whole(1));
        assert_eq!(choose(&stopped, &[1, 2]), Choice::Part(0));
        let killed = Placement { last_known: vec![2], ..placement(NO_LEADER, &[]) };
        assert_eq!(choose(&killed, &[1, 2]), Choice::Whole(1));
        let alone = Placement { replicas: vec![1], ..placement(NO_LEADER, &[]) };
        assert_eq!(choose(&alone, &[1]), Choice::Whole(0));
    }

    #[test]
    fn a_followers_copy_is_a_part() {
        assert_eq!(chosen(2, &[2, 3], &[1, 3]), Choice::Part(1));
        assert_eq!(chosen(2, &[2], &[]), Choice::Missing);
    }

    #[test]
    fn two_copies_of_one_broker_are_not_chosen_between() {
        assert_eq!(chosen(1, &[1], &[1, 1]), Choice::Twice);
    }
}
