package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

func init() {
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	for name, codec := range codecs {
		register("codec_"+name, func(w *world) error { return roundTrip(w, codec) })
	}
	versions := map[string]*kversion.Versions{
		"2_1": kversion.V2_1_0(), "2_3": kversion.V2_3_0(), "2_5": kversion.V2_5_0(), "2_8": kversion.V2_8_0(),
		"3_1": kversion.V3_1_0(), "3_5": kversion.V3_5_0(), "3_9": kversion.V3_9_0(), "4_1": kversion.V4_1_0(),
	}
	for name, version := range versions {
		register("as_version_"+name, func(w *world) error {
			w.max = version
			return first(roundTrip(w, kgo.GzipCompression()), commitAndResume(w))
		})
	}
	for name, acks := range map[string]kgo.Acks{"0": kgo.NoAck(), "1": kgo.LeaderAck(), "all": kgo.AllISRAcks()} {
		register("acks_"+name, func(w *world) error { return everyAck(w, acks) })
	}
	register("idempotent_producer_keeps_order", idempotentOrder)
	register("seek_by_time", seekByTime)
	register("offset_out_of_range_resets", outOfRangeResets)
	register("too_large_record_is_refused", tooLarge)
	register("metadata_creates_the_topic", autoCreate)
	register("unknown_topic_is_an_error", unknownTopic)
	register("small_fetches_read_everything", smallFetches)
	register("topic_created_again_is_read_anew", createdAgain)
}

// roundTrip sends every shape of record through one codec.
func roundTrip(w *world, codec kgo.CompressionCodec) error {
	topic, err := w.topic(1, nil)
	if err != nil {
		return err
	}
	headers := []kgo.RecordHeader{
		{Key: "trace", Value: []byte("abc")}, {Key: "trace", Value: []byte("second")},
		{Key: "empty", Value: []byte{}}, {Key: "null"},
	}
	sent := []*kgo.Record{
		{Key: []byte("k1"), Value: []byte("plain"), Headers: headers},
		{Value: []byte("no key")},
		{Key: []byte("tombstone")},
		{Key: []byte{}, Value: []byte{}},
		{Key: []byte("big"), Value: payload(900 << 10)},
	}
	for i := range 300 {
		sent = append(sent, &kgo.Record{Key: fmt.Appendf(nil, "many-%d", i), Value: slices.Repeat([]byte("text "), 40)})
	}
	for _, record := range sent {
		record.Topic = topic
	}
	// A batch that would not shrink must still be sent with the codec that was asked for.
	if err := w.send(sent, kgo.ProducerBatchCompression(codec)); err != nil {
		return err
	}
	got, err := w.readAll(topic, len(sent))
	if err != nil {
		return err
	}
	for i, record := range got {
		err := first(
			equal("offset", record.Offset, int64(i)),
			equalBytes("key", record.Key, sent[i].Key),
			equalBytes("value", record.Value, sent[i].Value),
			equal("headers", len(record.Headers), len(sent[i].Headers)),
		)
		if err != nil {
			return fmt.Errorf("record %d: %w", i, err)
		}
		for j, header := range record.Headers {
			expected := sent[i].Headers[j]
			if err := first(equal("header", header.Key, expected.Key), equalBytes(header.Key, header.Value, expected.Value)); err != nil {
				return err
			}
		}
	}
	return nil
}

func numbered(topic string, count int) []*kgo.Record {
	records := make([]*kgo.Record, count)
	for i := range records {
		records[i] = &kgo.Record{Topic: topic, Value: fmt.Append(nil, i)}
	}
	return records
}

func inOrder(records []*kgo.Record) error {
	for i, record := range records {
		if err := equal("value", string(record.Value), fmt.Sprint(i)); err != nil {
			return err
		}
	}
	return nil
}

func everyAck(w *world, acks kgo.Acks) error {
	topic, err := w.topic(1, nil)
	if err != nil {
		return err
	}
	if err := w.send(numbered(topic, 500), kgo.RequiredAcks(acks), kgo.DisableIdempotentWrite()); err != nil {
		return err
	}
	got, err := w.readAll(topic, 500)
	return first(err, inOrder(got))
}

func idempotentOrder(w *world) error {
	topic, err := w.topic(1, nil)
	if err != nil {
		return err
	}
	if err := w.send(numbered(topic, 20_000), kgo.ProducerBatchMaxBytes(4096)); err != nil {
		return err
	}
	got, err := w.readAll(topic, 20_000)
	return first(err, inOrder(got))
}

func smallFetches(w *world) error {
	topic, err := w.topic(1, nil)
	if err != nil {
		return err
	}
	if err := w.send(numbered(topic, 5000), kgo.ProducerBatchMaxBytes(2048)); err != nil {
		return err
	}
	got, err := w.readAll(topic, 5000, kgo.FetchMaxBytes(1000), kgo.FetchMaxPartitionBytes(1000))
	return first(err, inOrder(got))
}

func seekByTime(w *world) error {
	topic, err := w.topic(1, nil)
	if err != nil {
		return err
	}
	start := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	records := numbered(topic, 60)
	for i, record := range records {
		record.Timestamp = start.Add(time.Duration(i) * time.Second)
	}
	if err := w.send(records); err != nil {
		return err
	}
	admin, err := w.admin()
	if err != nil {
		return err
	}
	ask := func(at time.Time) int64 {
		listed, err := admin.ListOffsetsAfterMilli(w.ctx, at.UnixMilli(), topic)
		if err != nil {
			return -100
		}
		found, _ := listed.Lookup(topic, 0)
		return found.Offset
	}
	err = first(
		equal("offset at an exact time", ask(start.Add(30*time.Second)), 30),
		equal("offset between two times", ask(start.Add(30*time.Second+time.Millisecond)), 31),
		equal("offset after the last time", ask(start.Add(3000*time.Second)), 60),
	)
	if err != nil {
		return err
	}
	at := kgo.NewOffset().AfterMilli(start.Add(45 * time.Second).UnixMilli())
	consumer, err := w.client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(at))
	if err != nil {
		return err
	}
	got, err := w.receive(consumer, 15)
	if err != nil {
		return err
	}
	consumer.SetOffsets(map[string]map[int32]kgo.EpochOffset{topic: {0: {Epoch: -1, Offset: 10}}})
	back, err := w.receive(consumer, 5)
	if err != nil {
		return err
	}
	return first(equal("first offset by time", got[0].Offset, 45), equal("offset after seeking back", back[0].Offset, 10))
}

func outOfRangeResets(w *world) error {
	topic, err := w.topic(1, nil)
	if err != nil {
		return err
	}
	if err := w.send(numbered(topic, 10)); err != nil {
		return err
	}
	far := map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().At(5000)}}
	consumer, err := w.client(kgo.ConsumePartitions(far), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return err
	}
	got, err := w.receive(consumer, 10)
	return first(err, inOrder(got))
}

func tooLarge(w *world) error {
	topic, err := w.topic(1, nil)
	if err != nil {
		return err
	}
	big := &kgo.Record{Topic: topic, Value: payload(1_500_000)}
	err = w.send([]*kgo.Record{big}, kgo.ProducerBatchMaxBytes(4_000_000))
	if err := refused(err, kerr.MessageTooLarge); err != nil {
		return err
	}
	if err := w.send(numbered(topic, 1)); err != nil {
		return err
	}
	got, err := w.readAll(topic, 1)
	return first(err, inOrder(got))
}

func autoCreate(w *world) error {
	topic := unique("go-auto")
	if err := w.send(numbered(topic, 3), kgo.AllowAutoTopicCreation()); err != nil {
		return err
	}
	got, err := w.readAll(topic, 3)
	return first(err, inOrder(got))
}

func unknownTopic(w *world) error {
	topic := unique("go-unknown")
	err := w.send(numbered(topic, 1), kgo.UnknownTopicRetries(2))
	if err := refused(err, kerr.UnknownTopicOrPartition); err != nil {
		return err
	}
	admin, err := w.admin()
	if err != nil {
		return err
	}
	topics, err := admin.ListTopics(w.ctx)
	return first(err, equal("the topic exists", topics.Has(topic), false))
}

// topicID asks the broker; a client that was asked before may answer from memory.
func (w *world) topicID(topic string) (kadm.TopicID, error) {
	client, err := w.client()
	if err != nil {
		return kadm.TopicID{}, err
	}
	request := kmsg.NewPtrMetadataRequest()
	wanted := kmsg.NewMetadataRequestTopic()
	wanted.Topic = &topic
	request.Topics = append(request.Topics, wanted)
	response, err := request.RequestWith(w.ctx, client)
	if err != nil {
		return kadm.TopicID{}, err
	}
	return response.Topics[0].TopicID, kerr.ErrorForCode(response.Topics[0].ErrorCode)
}

// createdAgain deletes a topic under a consumer and makes it anew: the id changes, the records must come.
func createdAgain(w *world) error {
	topic, err := w.topic(1, nil)
	if err != nil {
		return err
	}
	admin, err := w.admin()
	if err != nil {
		return err
	}
	ids := map[kadm.TopicID]bool{}
	for range 3 {
		id, err := w.topicID(topic)
		if err != nil {
			return err
		}
		ids[id] = true
		if err := w.send(numbered(topic, 10)); err != nil {
			return err
		}
		got, err := w.readAll(topic, 10)
		if err := first(err, inOrder(got)); err != nil {
			return err
		}
		if _, err := admin.DeleteTopic(w.ctx, topic); err != nil {
			return err
		}
		err = until(w, "the topic gone", func() (bool, error) {
			left, err := admin.ListTopics(w.ctx)
			return !left.Has(topic), err
		})
		if err != nil {
			return err
		}
		if _, err := admin.CreateTopic(w.ctx, 1, 1, nil, topic); err != nil {
			return err
		}
		if err := w.usable(admin, topic, 1); err != nil {
			return err
		}
	}
	return equal("distinct ids", len(ids), 3)
}
