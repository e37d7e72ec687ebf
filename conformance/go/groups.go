package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func init() {
	register("commit_and_resume", commitAndResume)
	register("group_of_two_cooperative", func(w *world) error { return groupOfTwo(w, kgo.CooperativeStickyBalancer()) })
	register("group_of_two_eager", func(w *world) error { return groupOfTwo(w, kgo.RangeBalancer()) })
	register("static_member_returns", staticMember)
	register("groups_list_describe_delete", groupsAdmin)
	register("group_lag", groupLag)
}

func (w *world) member(group, topic string, options ...kgo.Opt) (*kgo.Client, error) {
	all := []kgo.Opt{
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	}
	return w.client(append(all, options...)...)
}

func commitAndResume(w *world) error {
	topic, err := w.topic(1, nil)
	if err != nil {
		return err
	}
	if err := w.send(numbered(topic, 100)); err != nil {
		return err
	}
	group := unique("go-group")
	consumer, err := w.member(group, topic, kgo.DisableAutoCommit())
	if err != nil {
		return err
	}
	got, err := w.receive(consumer, 40)
	if err != nil {
		return err
	}
	if err := consumer.CommitRecords(w.ctx, got...); err != nil {
		return err
	}
	consumer.Close()
	again, err := w.member(group, topic, kgo.DisableAutoCommit())
	if err != nil {
		return err
	}
	defer again.Close()
	rest, err := w.receive(again, 60)
	if err != nil {
		return err
	}
	return first(equal("first after resuming", rest[0].Offset, 40), equal("last", rest[59].Offset, 99))
}

// pump polls every member a little until the condition holds, noting what came.
func pump(w *world, members []*kgo.Client, seen map[string]int, what string, finished func() bool) error {
	for !finished() {
		if w.ctx.Err() != nil {
			return fmt.Errorf("%s did not come true in time", what)
		}
		for _, member := range members {
			ctx, cancel := context.WithTimeout(w.ctx, 50*time.Millisecond)
			fetches := member.PollFetches(ctx)
			cancel()
			for _, failure := range fetches.Errors() {
				if !errors.Is(failure.Err, context.DeadlineExceeded) && !errors.Is(failure.Err, context.Canceled) {
					return failure.Err
				}
			}
			fetches.EachRecord(func(r *kgo.Record) { seen[fmt.Sprintf("%d:%d", r.Partition, r.Offset)]++ })
			member.AllowRebalance()
		}
	}
	return nil
}

func groupOfTwo(w *world, balancer kgo.GroupBalancer) error {
	topic, err := w.topic(6, nil)
	if err != nil {
		return err
	}
	group := unique("go-two")
	batch := func() error {
		records := numbered(topic, 600)
		for i, record := range records {
			record.Partition = int32(i % 6)
		}
		return w.send(records, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	}
	seen := map[string]int{}
	admin, err := w.admin()
	if err != nil {
		return err
	}
	shares := func(expected int) func() bool {
		return func() bool {
			described, err := admin.DescribeGroups(w.ctx, group)
			if err != nil || described[group].State != "Stable" || len(described[group].Members) != expected {
				return false
			}
			for _, member := range described[group].Members {
				assigned, ok := member.Assigned.AsConsumer()
				if !ok || len(assigned.Topics) != 1 || len(assigned.Topics[0].Partitions) != 6/expected {
					return false
				}
			}
			return true
		}
	}
	// Automatic commits leave out what the latest poll returned; an orderly member commits before it gives work away.
	commit := func(ctx context.Context, member *kgo.Client, _ map[string][]int32) {
		_ = member.CommitUncommittedOffsets(ctx) // a failure shows as a duplicate
	}
	options := []kgo.Opt{
		kgo.Balancers(balancer), kgo.BlockRebalanceOnPoll(), kgo.DisableAutoCommit(), kgo.OnPartitionsRevoked(commit),
	}
	one, err := w.member(group, topic, options...)
	if err := first(err, batch()); err != nil {
		return err
	}
	alone := []*kgo.Client{one}
	if err := pump(w, alone, seen, "the first member reading everything", func() bool { return len(seen) >= 600 }); err != nil {
		return err
	}
	two, err := w.member(group, topic, options...)
	if err != nil {
		return err
	}
	both := []*kgo.Client{one, two}
	if err := pump(w, both, seen, "both members sharing the partitions", shares(2)); err != nil {
		return err
	}
	if err := batch(); err != nil {
		return err
	}
	if err := pump(w, both, seen, "two members reading everything", func() bool { return len(seen) >= 1200 }); err != nil {
		return err
	}
	two.CloseAllowingRebalance()
	if err := batch(); err != nil {
		return err
	}
	left := func() bool { return len(seen) >= 1800 && shares(1)() }
	if err := pump(w, alone, seen, "the member left behind taking over", left); err != nil {
		return err
	}
	one.CloseAllowingRebalance()
	for place, times := range seen {
		if times != 1 {
			return fmt.Errorf("%s was delivered %d times", place, times)
		}
	}
	return equal("records", len(seen), 1800)
}

func staticMember(w *world) error {
	topic, err := w.topic(1, nil)
	if err != nil {
		return err
	}
	group := unique("go-static")
	admin, err := w.admin()
	if err != nil {
		return err
	}
	for range 2 {
		consumer, err := w.member(group, topic, kgo.InstanceID("one"))
		if err := first(err, w.send(numbered(topic, 10))); err != nil {
			return err
		}
		got, err := w.receive(consumer, 10)
		if err := first(err, inOrder(got), consumer.CommitUncommittedOffsets(w.ctx)); err != nil {
			return err
		}
		consumer.Close()
	}
	described, err := admin.DescribeGroups(w.ctx, group)
	if err != nil {
		return err
	}
	if err := equal("members that stayed", len(described[group].Members), 1); err != nil {
		return err
	}
	builder := kadm.LeaveGroup(group).InstanceIDs("one")
	responses, err := admin.LeaveGroup(w.ctx, builder)
	return first(err, responses.Error())
}

func groupsAdmin(w *world) error {
	topic, err := w.topic(1, nil)
	if err != nil {
		return err
	}
	group := unique("go-admin-group")
	admin, err := w.admin()
	if err := first(err, w.send(numbered(topic, 10))); err != nil {
		return err
	}
	consumer, err := w.member(group, topic)
	if err != nil {
		return err
	}
	if _, err := w.receive(consumer, 10); err != nil {
		return err
	}
	if err := consumer.CommitUncommittedOffsets(w.ctx); err != nil {
		return err
	}
	listed, err := admin.ListGroups(w.ctx, "Stable")
	if err := first(err, equal("listed as stable", listed[group].Group, group)); err != nil {
		return err
	}
	_, err = admin.DeleteGroup(w.ctx, group)
	if err := refused(err, kerr.NonEmptyGroup); err != nil {
		return err
	}
	consumer.Close()
	offsets, err := offsetsOfEmpty(w, admin, group)
	if err != nil {
		return err
	}
	committed, _ := offsets.Lookup(topic, 0)
	var changed kadm.Offsets
	changed.AddOffset(topic, 0, 4, -1)
	if err := first(equal("committed", committed.At, 10), admin.CommitAllOffsets(w.ctx, group, changed)); err != nil {
		return err
	}
	offsets, err = admin.FetchOffsets(w.ctx, group)
	if err != nil {
		return err
	}
	committed, _ = offsets.Lookup(topic, 0)
	if err := equal("altered", committed.At, 4); err != nil {
		return err
	}
	deleted, err := admin.DeleteOffsets(w.ctx, group, changed.TopicsSet())
	if err := first(err, deleted.Error()); err != nil {
		return err
	}
	if _, err := admin.DeleteGroup(w.ctx, group); err != nil {
		return err
	}
	_, err = admin.DeleteGroup(w.ctx, group)
	return refused(err, kerr.GroupIDNotFound)
}

func groupLag(w *world) error {
	topic, err := w.topic(2, nil)
	if err != nil {
		return err
	}
	if err := w.send(numbered(topic, 100)); err != nil {
		return err
	}
	group := unique("go-lag-group")
	admin, err := w.admin()
	if err != nil {
		return err
	}
	var offsets kadm.Offsets
	offsets.AddOffset(topic, 0, 0, -1)
	offsets.AddOffset(topic, 1, 0, -1)
	if err := admin.CommitAllOffsets(w.ctx, group, offsets); err != nil {
		return err
	}
	lags, err := admin.Lag(w.ctx, group)
	if err != nil {
		return err
	}
	return first(lags.Error(), equal("lag", lags[group].Lag.Total(), 100))
}

// offsetsOfEmpty waits until a group of either protocol has no members, and answers what it had committed.
func offsetsOfEmpty(w *world, admin *kadm.Client, group string) (kadm.OffsetResponses, error) {
	err := until(w, "an empty group", func() (bool, error) {
		listed, err := admin.ListGroups(w.ctx, "Empty")
		return listed[group].Group == group, err
	})
	if err != nil {
		return nil, err
	}
	return admin.FetchOffsets(w.ctx, group)
}
