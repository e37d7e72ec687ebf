package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func init() {
	register("transactions_are_read_whole_or_not_at_all", wholeTransactions)
	register("a_producer_that_was_replaced_commits_nothing", replacedProducer)
	turns := []step{
		{50, kgo.TryAbort, false, -1}, {20, kgo.TryCommit, false, 20},
		{30, kgo.TryAbort, false, 20}, {30, kgo.TryCommit, false, 50},
	}
	register("offsets_are_committed_with_what_was_made_of_them", func(w *world) error {
		return offsetsInTransactions(w, turns)
	})
	register("offsets_of_a_consumer_group_are_committed_with_what_was_made_of_them", func(w *world) error {
		return offsetsInTransactions(w, turns, kgo.ServerSideBalancer())
	})
	register("a_transaction_of_a_member_that_was_removed_commits_nothing", func(w *world) error {
		return offsetsInTransactions(w, []step{{50, kgo.TryCommit, true, -1}, {50, kgo.TryCommit, false, 50}})
	})
}

// transactional is a producer of this transactional id, for the partitions that records name.
func (w *world) transactional(id string) (*kgo.Client, error) {
	return w.client(kgo.TransactionalID(id), kgo.RecordPartitioner(kgo.ManualPartitioner()))
}

// inBoth has each value once for either partition of a topic.
func inBoth(topic string, values ...string) []*kgo.Record {
	var records []*kgo.Record
	for _, value := range values {
		for partition := range int32(2) {
			records = append(records, &kgo.Record{Topic: topic, Partition: partition, Value: []byte(value)})
		}
	}
	return records
}

// transaction begins one, sends the values into both partitions, and leaves its end to the caller.
func (w *world) transaction(producer *kgo.Client, topic string, values ...string) error {
	if err := producer.BeginTransaction(); err != nil {
		return err
	}
	return producer.ProduceSync(w.ctx, inBoth(topic, values...)...).FirstErr()
}

// committed is what readers of committed records find in each of two partitions, behind which there is nothing.
func (w *world) committed(topic string, count int) ([2][]string, error) {
	return w.readBoth(topic, count, kgo.ReadCommitted())
}

func (w *world) readBoth(topic string, count int, level kgo.IsolationLevel) ([2][]string, error) {
	var values [2][]string
	records, err := w.readAll(topic, count, kgo.FetchIsolationLevel(level))
	for _, record := range records {
		values[record.Partition] = append(values[record.Partition], string(record.Value))
	}
	return values, err
}

func wholeTransactions(w *world) error {
	topic, err := w.topic(2, nil)
	if err != nil {
		return err
	}
	producer, err := w.transactional(unique("go-txn"))
	if err != nil {
		return err
	}
	var kept []string
	for number := range 6 {
		values := []string{fmt.Sprintf("%d-a", number), fmt.Sprintf("%d-b", number)}
		if err := w.transaction(producer, topic, values...); err != nil {
			return err
		}
		// The last is committed: readers come to the end of what the others left.
		commits := number%2 == 1
		if err := producer.EndTransaction(w.ctx, kgo.TransactionEndTry(commits)); err != nil {
			return err
		}
		if commits {
			kept = append(kept, values...)
		}
	}
	found, err := w.committed(topic, 2*len(kept))
	if err != nil {
		return err
	}
	everything, err := w.readBoth(topic, 24, kgo.ReadUncommitted())
	return first(
		err, equal("values in partition 0", fmt.Sprint(found[0]), fmt.Sprint(kept)),
		equal("values in partition 1", fmt.Sprint(found[1]), fmt.Sprint(kept)),
		equal("values that were written", len(everything[0]), 12),
	)
}

func replacedProducer(w *world) error {
	topic, err := w.topic(2, nil)
	if err != nil {
		return err
	}
	id := unique("go-fence")
	one, err := w.transactional(id)
	if err := first(err, w.transaction(one, topic, "lost")); err != nil {
		return err
	}
	two, err := w.transactional(id)
	if err := first(err, w.transaction(two, topic, "kept")); err != nil {
		return err
	}
	if err := refused(one.EndTransaction(w.ctx, kgo.TryCommit), kerr.ProducerFenced); err != nil {
		return err
	}
	if err := two.EndTransaction(w.ctx, kgo.TryCommit); err != nil {
		return err
	}
	found, err := w.committed(topic, 2)
	return first(err, equal("values", fmt.Sprint(found), "[[kept] [kept]]"))
}

// session is a member of a group whose offsets go into its transactions.
func (w *world) session(group, source string, options ...kgo.Opt) (*kgo.GroupTransactSession, error) {
	all := []kgo.Opt{
		kgo.SeedBrokers(bootstrap()), kgo.TransactionalID(unique("go-eos")), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(source), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
	}
	made, err := kgo.NewGroupTransactSession(append(all, options...)...)
	if err == nil {
		w.closers = append(w.closers, made.CloseAllowingRebalance)
	}
	return made, err
}

// carry takes count records in a transaction and sends them on, into both partitions by turns.
func (w *world) carry(session *kgo.GroupTransactSession, target string, count int) error {
	var polled []*kgo.Record
	for len(polled) < count {
		fetches := session.PollRecords(w.ctx, count-len(polled))
		// One that was removed is told so once, and joins anew.
		if err := fetches.Err(); err != nil && !errors.Is(err, kerr.UnknownMemberID) {
			return fmt.Errorf("after %d of %d records: %w", len(polled), count, err)
		}
		polled = append(polled, fetches.Records()...)
	}
	if err := session.Begin(); err != nil {
		return err
	}
	var made []*kgo.Record
	for i, record := range polled {
		made = append(made, &kgo.Record{Topic: target, Partition: int32(i % 2), Value: record.Value})
	}
	return session.ProduceSync(w.ctx, made...).FirstErr()
}

// stands waits until a group stands at an offset in the only partition of a topic, -1 if nowhere, and nothing of it is open.
// Kafka answers a commit before its markers are written, and leaves out a partition whose first offset is open.
func (w *world) stands(admin *kadm.Client, group, topic string, expected int64) error {
	return until(w, fmt.Sprintf("the group's offset %d", expected), func() (bool, error) {
		offsets, err := admin.FetchOffsets(kadm.RequireStable(w.ctx), group)
		found, ok := offsets.Lookup(topic, 0)
		if !ok {
			return expected == -1, err
		}
		if errors.Is(found.Err, kerr.UnstableOffsetCommit) {
			return false, nil
		}
		return found.At == expected, first(err, found.Err)
	})
}

// A step carries count records in a transaction, asks for an end of it, and leaves the group at an offset.
type step struct {
	count int
	end   kgo.TransactionEndTry
	// removed: before the end somebody removes the member, which comes back afterwards.
	removed bool
	at      int64
}

// offsetsInTransactions: what a transaction polled that was not committed comes again, what a committed one polled does not.
func offsetsInTransactions(w *world, steps []step, options ...kgo.Opt) error {
	source, err := w.topic(1, nil)
	if err := first(err, w.send(numbered(source, 50))); err != nil {
		return err
	}
	target, err := w.topic(2, nil)
	if err != nil {
		return err
	}
	admin, err := w.admin()
	if err != nil {
		return err
	}
	group := unique("go-eos")
	session, err := w.session(group, source, options...)
	if err != nil {
		return err
	}
	for _, step := range steps {
		if err := w.carry(session, target, step.count); err != nil {
			return err
		}
		if step.removed {
			if err := w.remove(session, group); err != nil {
				return err
			}
		}
		committed, err := session.End(w.ctx, step.end)
		expected := bool(step.end) && !step.removed
		err = first(err, equal("committed", committed, expected), w.stands(admin, group, source, step.at))
		if err != nil {
			return err
		}
	}
	found, err := w.committed(target, 50)
	if err != nil {
		return err
	}
	values := slices.Concat(found[0], found[1])
	slices.Sort(values)
	return equal("distinct values", len(slices.Compact(values)), 50)
}

func (w *world) remove(session *kgo.GroupTransactSession, group string) error {
	client, err := w.client()
	if err != nil {
		return err
	}
	request := kmsg.NewPtrLeaveGroupRequest()
	request.Group = group
	member := kmsg.NewLeaveGroupRequestMember()
	member.MemberID, _ = session.Client().GroupMetadata()
	request.Members = append(request.Members, member)
	response, err := request.RequestWith(w.ctx, client)
	if err != nil {
		return err
	}
	return first(kerr.ErrorForCode(response.ErrorCode), kerr.ErrorForCode(response.Members[0].ErrorCode))
}
