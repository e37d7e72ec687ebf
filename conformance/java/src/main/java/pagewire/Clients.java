package pagewire;

import java.util.List;

/** Kafka's own Java clients at default settings. */
public final class Clients {
    private Clients() {}

    public static void main(String[] names) throws Exception {
        Suite suite = new Suite();
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            suite.add("codec_" + codec, () -> Records.everyShape(codec));
        }
        for (String acks : List.of("0", "1", "all")) {
            suite.add("acks_" + acks, () -> Records.everyAck(acks));
        }
        suite.add("idempotent_producer_keeps_order", Records::idempotentOrder);
        suite.add("keys_choose_partitions", Records::keysChoosePartitions);
        suite.add("small_fetches_read_everything", Records::smallFetches);
        suite.add("log_append_time_topic", Records::logAppendTime);
        suite.add("topic_recompresses", Records::recompress);
        suite.add("too_large_record_is_refused", Records::tooLarge);
        suite.add("record_older_than_the_topic_takes_is_refused", Records::tooOld);
        suite.add("null_key_on_a_compacted_topic_is_refused", Records::nullKeyOnCompacted);
        suite.add("metadata_creates_the_topic", Records::autoCreate);
        suite.add("seek_by_time", Records::seekByTime);
        suite.add("offset_out_of_range", Records::outOfRange);

        suite.add("group_of_two_default", () -> Groups.groupOfTwo(null));
        suite.add("group_of_two_cooperative", () -> Groups.groupOfTwo("org.apache.kafka.clients.consumer.CooperativeStickyAssignor"));
        suite.add("commit_and_resume", Groups::commitAndResume);
        suite.add("asynchronous_commits", Groups::asynchronousCommits);
        suite.add("static_member_returns", Groups::staticMember);
        suite.add("subscription_by_pattern", Groups::pattern);
        suite.add("groups_list_describe_delete", Groups::admin);
        suite.add("unknown_groups", Groups::unknown);
        suite.add("consumer_group_uniform", () -> ConsumerGroups.sharing("uniform"));
        suite.add("consumer_group_range", () -> ConsumerGroups.sharing("range"));
        suite.add("consumer_group_static_member", ConsumerGroups::staticMember);
        suite.add("consumer_group_pattern", ConsumerGroups::pattern);
        suite.add("consumer_group_changing_sides", ConsumerGroups::changingSides);

        suite.add("transactions_are_read_whole_or_not_at_all", Transactions::wholeOrNotAtAll);
        suite.add("a_producer_that_was_replaced_commits_nothing", Transactions::replaced);
        suite.add("offsets_are_committed_with_what_was_made_of_them", Transactions::offsetsWithWhatWasMade);
        suite.add("an_open_transaction_keeps_nothing_from_retention", Transactions::retention);
        suite.add("transactions_may_not_be_open_for_longer_than_the_broker_allows", Transactions::timeoutsAreBounded);

        suite.add("cluster", Administration::cluster);
        suite.add("topics_create_describe_delete", Administration::topics);
        suite.add("refused_topics", Administration::refusedTopics);
        suite.add("partitions_are_added", Administration::partitions);
        suite.add("configs_describe_and_alter", Administration::configs);
        suite.add("broker_configs", Administration::brokerConfigs);
        suite.add("offsets_by_every_spec", Administration::offsets);
        suite.add("delete_records", Administration::deleteRecords);
        suite.add("log_dirs", Administration::logDirs);
        suite.add("producers_are_described", Administration::producers);
        suite.add("acls_without_an_authorizer", Administration::aclsWithoutAnAuthorizer);
        suite.runAndExit(names, 6);
    }
}
