package main

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Groups of the consumer protocol (KIP-848): the broker assigns. There is no case of a static member that comes back: what
// this client says when such a one leaves is an INVALID_REQUEST in Kafka as well.
func init() {
	register("consumer_group_of_two_uniform", func(w *world) error { return consumerGroupOfTwo(w, kgo.StickyBalancer()) })
	register("consumer_group_of_two_range", func(w *world) error { return consumerGroupOfTwo(w, kgo.RangeBalancer()) })
}

// newer is a member by the consumer protocol.
func (w *world) newer(group, topic string, options ...kgo.Opt) (*kgo.Client, error) {
	all := []kgo.Opt{kgo.ServerSideBalancer(), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll()}
	return w.member(group, topic, append(all, options...)...)
}

// sharedBy tells whether this many members have the same number of partitions each, and the group is at rest.
func sharedBy(w *world, admin *kadm.Client, group string, partitions int, expected int) bool {
	described, err := admin.DescribeConsumerGroups(w.ctx, group)
	if err != nil || described[group].State != "Stable" || len(described[group].Members) != expected {
		return false
	}
	for _, member := range described[group].Members {
		held := 0
		member.Assignment.Each(func(string, int32) { held++ })
		if held != partitions/expected || member.MemberType != 1 {
			return false
		}
	}
	return true
}

// consumerGroupOfTwo: a second member comes and goes, no record is lost or doubled, and the offsets stay.
func consumerGroupOfTwo(w *world, balancer kgo.GroupBalancer) error {
	topic, err := w.topic(4, nil)
	if err != nil {
		return err
	}
	admin, err := w.admin()
	if err != nil {
		return err
	}
	group, seen := unique("go-848"), map[string]int{}
	batch := func() error {
		records := numbered(topic, 100)
		for i, record := range records {
			record.Partition = int32(i % 4)
		}
		return w.send(records, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	}
	all := func(count, members int) func() bool {
		return func() bool { return len(seen) >= count && sharedBy(w, admin, group, 4, members) }
	}
	one, err := w.newer(group, topic, kgo.Balancers(balancer))
	if err := first(err, batch()); err != nil {
		return err
	}
	alone := []*kgo.Client{one}
	if err := pump(w, alone, seen, "the first member reading everything", all(100, 1)); err != nil {
		return err
	}
	if err := one.CommitUncommittedOffsets(w.ctx); err != nil {
		return err
	}
	two, err := w.newer(group, topic, kgo.Balancers(balancer))
	if err != nil {
		return err
	}
	both := []*kgo.Client{one, two}
	if err := pump(w, both, seen, "both members sharing the partitions", all(100, 2)); err != nil {
		return err
	}
	if err := batch(); err != nil {
		return err
	}
	if err := pump(w, both, seen, "two members reading everything", all(200, 2)); err != nil {
		return err
	}
	if err := first(one.CommitUncommittedOffsets(w.ctx), two.CommitUncommittedOffsets(w.ctx)); err != nil {
		return err
	}
	two.CloseAllowingRebalance()
	if err := batch(); err != nil {
		return err
	}
	if err := pump(w, alone, seen, "the member left behind taking over", all(300, 1)); err != nil {
		return err
	}
	if err := one.CommitUncommittedOffsets(w.ctx); err != nil {
		return err
	}
	one.CloseAllowingRebalance()
	for place, times := range seen {
		if times != 1 {
			return fmt.Errorf("%s was delivered %d times", place, times)
		}
	}
	offsets, err := offsetsOfEmpty(w, admin, group)
	if err != nil {
		return err
	}
	for partition := range int32(4) {
		committed, _ := offsets.Lookup(topic, partition)
		if err := equal("committed", committed.At, 75); err != nil {
			return err
		}
	}
	return nil
}
