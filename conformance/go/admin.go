package main

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func init() {
	register("cluster_and_versions", cluster)
	register("topics_create_and_delete", topics)
	register("partitions_are_added", addPartitions)
	register("configs_describe_and_alter", configs)
	register("offsets_by_every_spec", offsetSpecs)
	register("delete_records", deleteRecords)
	register("log_dirs", logDirs)
	register("leader_epochs", leaderEpochs)
	register("producers_are_described", producers)
	register("no_reassignments", reassignments)
	register("unknown_topic_id_is_refused", unknownTopicID)
}

func cluster(w *world) error {
	admin, err := w.admin()
	if err != nil {
		return err
	}
	metadata, err := admin.BrokerMetadata(w.ctx)
	if err != nil {
		return err
	}
	if metadata.Cluster == "" || metadata.Controller < 0 || len(metadata.Brokers) == 0 {
		return fmt.Errorf("cluster, controller or brokers missing: %+v", metadata)
	}
	versions, err := admin.ApiVersions(w.ctx)
	if err != nil {
		return err
	}
	for _, broker := range versions {
		if broker.Err != nil {
			return broker.Err
		}
		least, most := int16(-1), int16(-1)
		if found, ok := broker.KeyMaxVersion(0); ok {
			most = found
		}
		if found, ok := broker.KeyMinVersion(0); ok {
			least = found
		}
		// Older librdkafka turns compression off unless version 0 is offered.
		if err := first(equal("least Produce version", least, 0), equal("most", most, 13)); err != nil {
			return err
		}
	}
	return nil
}

func topics(w *world) error {
	admin, err := w.admin()
	if err != nil {
		return err
	}
	name := unique("go-topics")
	if _, err := admin.CreateTopic(w.ctx, 3, 1, nil, name); err != nil {
		return err
	}
	_, again := admin.CreateTopic(w.ctx, 3, 1, nil, name)
	_, replicas := admin.CreateTopic(w.ctx, 1, 7, nil, name+"-r")
	_, partitions := admin.CreateTopic(w.ctx, 0, 1, nil, name+"-p")
	_, config := admin.CreateTopic(w.ctx, 1, 1, map[string]*string{"nosuch": text("1")}, name+"-c")
	_, badName := admin.CreateTopic(w.ctx, 1, 1, nil, "no/slashes")
	_, defaults := admin.CreateTopic(w.ctx, -1, -1, nil, name+"-d")
	err = first(
		refused(again, kerr.TopicAlreadyExists), refused(replicas, kerr.InvalidReplicationFactor),
		refused(partitions, kerr.InvalidPartitions), refused(config, kerr.InvalidConfig),
		refused(badName, kerr.InvalidTopicException), defaults, w.usable(admin, name, 3),
	)
	if err != nil {
		return err
	}
	if _, err := admin.DeleteTopic(w.ctx, name); err != nil {
		return err
	}
	return until(w, "the topic gone", func() (bool, error) {
		left, err := admin.ListTopics(w.ctx)
		return !left.Has(name), err
	})
}

func addPartitions(w *world) error {
	topic, err := w.topic(2, nil)
	if err != nil {
		return err
	}
	admin, err := w.admin()
	if err != nil {
		return err
	}
	responses, err := admin.UpdatePartitions(w.ctx, 5, topic)
	if err := first(err, responses.Error(), w.usable(admin, topic, 5)); err != nil {
		return err
	}
	responses, err = admin.UpdatePartitions(w.ctx, 3, topic)
	return first(err, refused(responses[topic].Err, kerr.InvalidPartitions))
}

func configs(w *world) error {
	topic, err := w.topic(1, map[string]*string{"retention.ms": text("3600000")})
	if err != nil {
		return err
	}
	admin, err := w.admin()
	if err != nil {
		return err
	}
	value := func(name string) (string, kmsg.ConfigSource) {
		described, err := admin.DescribeTopicConfigs(w.ctx, topic)
		if err != nil {
			return err.Error(), -1
		}
		for _, config := range described[0].Configs {
			if config.Key == name {
				return config.MaybeValue(), config.Source
			}
		}
		return "", -1
	}
	set, source := value("retention.ms")
	unset, defaulted := value("max.message.bytes")
	err = first(
		equal("a set value", set, "3600000"), equal("its source", source, kmsg.ConfigSourceDynamicTopicConfig),
		equal("a default", unset, "1048588"), equal("its source", defaulted, kmsg.ConfigSourceDefaultConfig),
	)
	if err != nil {
		return err
	}
	changes := []kadm.AlterConfig{
		{Op: kadm.SetConfig, Name: "max.message.bytes", Value: text("2000000")},
		{Op: kadm.DeleteConfig, Name: "retention.ms"},
		{Op: kadm.AppendConfig, Name: "cleanup.policy", Value: text("compact")},
	}
	responses, err := admin.AlterTopicConfigs(w.ctx, changes, topic)
	if err := first(err, responses[0].Err); err != nil {
		return err
	}
	err = until(w, "the altered value", func() (bool, error) {
		found, _ := value("max.message.bytes")
		return found == "2000000", nil
	})
	retention, _ := value("retention.ms")
	policy, _ := value("cleanup.policy")
	if err := first(err, equal("a value taken back", retention, "604800000"), equal("a list", policy, "delete,compact")); err != nil {
		return err
	}
	bad := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "segment.bytes", Value: text("17")}}
	responses, err = admin.AlterTopicConfigs(w.ctx, bad, topic)
	return first(err, refused(responses[0].Err, kerr.InvalidConfig))
}

func offsetSpecs(w *world) error {
	topic, err := w.topic(1, nil)
	if err != nil {
		return err
	}
	start := time.Now().Add(-time.Minute)
	for _, after := range []time.Duration{0, 9 * time.Second, 2 * time.Second} {
		record := &kgo.Record{Topic: topic, Value: []byte("v"), Timestamp: start.Add(after)}
		if err := w.send([]*kgo.Record{record}); err != nil {
			return err
		}
	}
	admin, err := w.admin()
	if err != nil {
		return err
	}
	at := func(listed kadm.ListedOffsets, err error) int64 {
		found, ok := listed.Lookup(topic, 0)
		if err != nil || !ok || found.Err != nil {
			return -100
		}
		return found.Offset
	}
	return first(
		equal("earliest", at(admin.ListStartOffsets(w.ctx, topic)), 0),
		equal("latest", at(admin.ListEndOffsets(w.ctx, topic)), 3),
		equal("latest committed", at(admin.ListCommittedOffsets(w.ctx, topic)), 3),
		equal("largest timestamp", at(admin.ListMaxTimestampOffsets(w.ctx, topic)), 1),
		equal("earliest local", at(admin.ListLocalLogStartOffsets(w.ctx, topic)), 0),
		equal("latest tiered", at(admin.ListLatestRemoteOffsets(w.ctx, topic)), -1),
	)
}

func deleteRecords(w *world) error {
	topic, err := w.topic(1, nil)
	if err != nil {
		return err
	}
	admin, err := w.admin()
	if err := first(err, w.send(numbered(topic, 100))); err != nil {
		return err
	}
	var upto kadm.Offsets
	upto.AddOffset(topic, 0, 37, -1)
	deleted, err := admin.DeleteRecords(w.ctx, upto)
	if err := first(err, deleted.Error()); err != nil {
		return err
	}
	low, _ := deleted.Lookup(topic, 0)
	got, err := w.readAll(topic, 63)
	if err := first(err, equal("low watermark", low.LowWatermark, 37)); err != nil {
		return err
	}
	var past kadm.Offsets
	past.AddOffset(topic, 0, 1000, -1)
	deleted, err = admin.DeleteRecords(w.ctx, past)
	tooFar, _ := deleted.Lookup(topic, 0)
	return first(err, equal("first left", got[0].Offset, 37), refused(tooFar.Err, kerr.OffsetOutOfRange))
}

func logDirs(w *world) error {
	topic, err := w.topic(2, nil)
	if err != nil {
		return err
	}
	admin, err := w.admin()
	if err := first(err, w.send(numbered(topic, 100))); err != nil {
		return err
	}
	described, err := admin.DescribeAllLogDirs(w.ctx, nil)
	if err != nil {
		return err
	}
	size := int64(0)
	described.Each(func(dir kadm.DescribedLogDir) {
		for partition := range int32(2) {
			if found, ok := dir.Topics.Lookup(topic, partition); ok {
				size += found.Size
			}
		}
	})
	if size < 100 {
		return fmt.Errorf("the topic's size is said to be %d", size)
	}
	return nil
}

func leaderEpochs(w *world) error {
	topic, err := w.topic(1, nil)
	if err != nil {
		return err
	}
	admin, err := w.admin()
	if err := first(err, w.send(numbered(topic, 10))); err != nil {
		return err
	}
	found, err := admin.ListTopics(w.ctx, topic)
	if err != nil {
		return err
	}
	epoch := found[topic].Partitions[0].LeaderEpoch
	var request kadm.OffsetForLeaderEpochRequest
	request.Add(topic, 0, epoch)
	answered, err := admin.OffsetForLeaderEpoch(w.ctx, request)
	if err != nil {
		return err
	}
	end := answered[topic][0]
	return first(end.Err, equal("end offset of the epoch", end.EndOffset, 10), equal("epoch", end.LeaderEpoch, epoch))
}

func producers(w *world) error {
	topic, err := w.topic(1, nil)
	if err != nil {
		return err
	}
	admin, err := w.admin()
	if err := first(err, w.send(numbered(topic, 10))); err != nil {
		return err
	}
	var set kadm.TopicsSet
	set.Add(topic, 0)
	described, err := admin.DescribeProducers(w.ctx, set)
	if err != nil {
		return err
	}
	active := described[topic].Partitions[0].ActiveProducers.Sorted()
	if err := equal("producers", len(active), 1); err != nil {
		return err
	}
	return equal("last sequence", active[0].LastSequence, 9)
}

func reassignments(w *world) error {
	admin, err := w.admin()
	if err != nil {
		return err
	}
	found, err := admin.ListPartitionReassignments(w.ctx, nil)
	return first(err, equal("reassignments", len(found), 0))
}

func unknownTopicID(w *world) error {
	client, err := w.client()
	if err != nil {
		return err
	}
	request := kmsg.NewPtrMetadataRequest()
	topic := kmsg.NewMetadataRequestTopic()
	topic.TopicID = [16]byte{1, 2, 3, 4, 5, 6, 7, 8}
	request.Topics = append(request.Topics, topic)
	response, err := request.RequestWith(w.ctx, client)
	if err != nil {
		return err
	}
	return refused(kerr.ErrorForCode(response.Topics[0].ErrorCode), kerr.UnknownTopicID)
}
