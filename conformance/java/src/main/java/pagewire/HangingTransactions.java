package pagewire;

import static pagewire.Suite.contains;
import static pagewire.Suite.equal;
import static pagewire.Suite.unique;
import static pagewire.Suite.until;
import static pagewire.Tool.run;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.message.InitProducerIdRequestData;
import org.apache.kafka.common.message.ProduceRequestData;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.record.internal.SimpleRecord;
import org.apache.kafka.common.requests.AbstractRequest;
import org.apache.kafka.common.requests.AbstractResponse;
import org.apache.kafka.common.requests.InitProducerIdRequest;
import org.apache.kafka.common.requests.InitProducerIdResponse;
import org.apache.kafka.common.requests.ProduceRequest;
import org.apache.kafka.common.requests.ProduceResponse;
import org.apache.kafka.common.requests.RequestHeader;

/**
 * What {@code kafka-transactions} does about a transaction that nobody will ever end: one that is open in a partition and
 * not in the coordinator. A broker that asks the coordinator first takes none, so that question is turned off while a
 * bare request of the older rules writes it.
 */
final class HangingTransactions {
    /** Before version 12 a producer adds its partitions itself, or forgets to. */
    private static final short OLDER_RULES = 9;
    private static final short ANY_OF_ITS_VERSIONS = 4;
    private static final String QUESTION = "transaction.partition.verification.enable";
    /** Older than the tool's fifteen minutes. */
    private static final long AGE_MS = 3_600_000;

    private HangingTransactions() {}

    static void addTo(Suite suite) {
        suite.add("kafka-transactions_find-hanging_and_abort_by_offset", HangingTransactions::byOffset);
        suite.add("kafka-transactions_abort_by_producer", HangingTransactions::byProducer);
    }

    private record Producer(long id, short epoch) {}

    /** What is found hanging is aborted by the offset it begins at, and then readers go on. */
    static void byOffset() throws Exception {
        String topic = Kafka.topic(2);
        Kafka.send(List.of(at(topic, "before")));
        // Nobody knows the one; the coordinator knows the other, and knows of no transaction of it.
        Producer stranger = hang(topic, 0, null);
        Producer idle = hang(topic, 1, unique("tool-hanging"));
        Kafka.send(List.of(at(topic, "behind")));
        List<String> found = rows(run("TransactionsCommand", words("find-hanging --topic " + topic)).succeeded());
        equal("what hangs", found.stream().map(HangingTransactions::untilOffset).sorted().toList(),
            List.of(topic + " 0 " + stranger.id + " " + stranger.epoch + " -1 1", topic + " 1 " + idle.id + " " + idle.epoch + " -1 0"));
        equal("of one partition", rows(run("TransactionsCommand", words("find-hanging --partition 1 --topic " + topic)).succeeded()).size(), 1);
        String everywhere = run("TransactionsCommand", words("find-hanging --broker-id " + node())).succeeded().out();
        contains(everywhere, topic);
        String longer = "find-hanging --max-transaction-timeout 120 --topic " + topic;
        equal("for two hours", rows(run("TransactionsCommand", words(longer)).succeeded()), List.of());
        equal("committed", committed(topic, 1), List.of("before"));
        String missed = run("TransactionsCommand", words("abort --partition 0 --start-offset 0 --topic " + topic)).failed().text();
        contains(missed, "Could not find any open transactions starting at offset 0 on partition " + topic + "-0");
        run("TransactionsCommand", words("abort --partition 0 --start-offset 1 --topic " + topic)).succeeded();
        run("TransactionsCommand", words("abort --partition 1 --start-offset 0 --topic " + topic)).succeeded();
        equal("what hangs still", rows(run("TransactionsCommand", words("find-hanging --topic " + topic)).succeeded()), List.of());
        contains(String.join("\n", producers(topic)), stranger.id + " " + stranger.epoch + " 0 ");
        equal("none is open", producers(topic).stream().allMatch(row -> row.endsWith(" None")), true);
        equal("committed", committed(topic, 2), List.of("before", "behind"));
        equal("ended twice", run("TransactionsCommand", words("abort --partition 0 --start-offset 1 --topic " + topic)).code(), 1);
    }

    /** Who knows the producer need not know the offset; an older epoch of the coordinator or the producer ends nothing. */
    static void byProducer() throws Exception {
        String topic = Kafka.topic(1);
        Producer producer = hang(topic, 0, null);
        Kafka.send(List.of(at(topic, "behind")));
        String abort = "abort --partition 0 --topic " + topic + " --producer-id " + producer.id;
        run("TransactionsCommand", words(abort + " --producer-epoch " + producer.epoch + " --coordinator-epoch 7")).succeeded();
        equal("committed", committed(topic, 1), List.of("behind"));
        contains(String.join("\n", producers(topic)), producer.id + " " + producer.epoch + " 7 ");
        String older = run("TransactionsCommand", words(abort + " --producer-epoch " + producer.epoch + " --coordinator-epoch 6")).failed().text();
        contains(older, "failed since the provided coordinator epoch 6 has been fenced by the active coordinator.");
        // An id that nobody has used is made to be ended.
        run("TransactionsCommand", words("forceTerminateTransaction --transactionalId " + unique("tool-nosuch"))).succeeded();
        String nowhere = run("TransactionsCommand", words("find-hanging --topic " + topic + "-nosuch")).failed().text();
        contains(nowhere, "This server does not host this topic-partition.");
    }

    private static ProducerRecord<byte[], byte[]> at(String topic, String value) {
        return new ProducerRecord<>(topic, 0, null, value.getBytes());
    }

    private static List<String> committed(String topic, int count) {
        try (var consumer = Kafka.consumer("isolation.level", "read_committed")) {
            consumer.assign(List.of(new TopicPartition(topic, 0)));
            return Kafka.receive(consumer, count).stream().map(record -> new String(record.value())).toList();
        }
    }

    private static String[] words(String line) {
        return line.split(" ");
    }

    /** Who has written to the first partition. */
    private static List<String> producers(String topic) throws Exception {
        return rows(run("TransactionsCommand", words("describe-producers --partition 0 --topic " + topic)).succeeded());
    }

    /** The lines of a table below its head. */
    private static List<String> rows(Tool.Ran ran) {
        return ran.lines().stream().skip(1).map(line -> line.replaceAll("[ \t]+", " ").trim()).toList();
    }

    /** Topic, partition, producer, its epoch, the coordinator's, and where it began. */
    private static String untilOffset(String row) {
        return String.join(" ", Arrays.asList(row.split(" ")).subList(0, 6));
    }

    private static String node() throws Exception {
        try (var admin = Kafka.admin()) {
            return admin.describeCluster().controller().get().idString();
        }
    }

    /** A transactional batch in a partition that its coordinator has not been told of. */
    private static Producer hang(String topic, int partition, String transactionalId) throws Exception {
        ask(false);
        try (Bare bare = new Bare()) {
            Producer producer = transactionalId == null ? stranger(bare) : idle(transactionalId);
            var record = new SimpleRecord(System.currentTimeMillis() - AGE_MS, null, "hangs".getBytes());
            var batch = MemoryRecords.withTransactionalRecords(RecordBatch.MAGIC_VALUE_V2, 0, Compression.NONE, producer.id, producer.epoch,
                0, 0, record);
            var partitions = List.of(new ProduceRequestData.PartitionProduceData().setIndex(partition).setRecords(batch));
            var topics = new ProduceRequestData.TopicProduceDataCollection(
                List.of(new ProduceRequestData.TopicProduceData().setName(topic).setPartitionData(partitions)).iterator());
            String id = transactionalId == null ? unique("tool-stranger") : transactionalId;
            var data = new ProduceRequestData().setAcks((short) -1).setTimeoutMs(30_000).setTransactionalId(id).setTopicData(topics);
            // The broker may not have heard of the setting yet: until then it asks the coordinator, which knows of nothing.
            until("the batch taken", () -> {
                var got = (ProduceResponse) bare.call(new ProduceRequest.Builder(OLDER_RULES, OLDER_RULES, data).build());
                return got.data().responses().stream().flatMap(r -> r.partitionResponses().stream()).allMatch(p -> p.errorCode() == 0);
            });
            return producer;
        } finally {
            ask(true);
        }
    }

    /** A producer without a transactional id. */
    private static Producer stranger(Bare bare) throws Exception {
        var init = new InitProducerIdRequestData().setTransactionalId(null).setTransactionTimeoutMs(60_000);
        var got = (InitProducerIdResponse) bare.call(new InitProducerIdRequest.Builder(init).build(ANY_OF_ITS_VERSIONS));
        equal("a producer id", got.error(), Errors.NONE);
        return new Producer(got.data().producerId(), got.data().producerEpoch());
    }

    /** A producer that has begun nothing. */
    private static Producer idle(String transactionalId) throws Exception {
        try (var client = Kafka.producer("transactional.id", transactionalId); var admin = Kafka.admin()) {
            client.initTransactions();
            var known = admin.describeTransactions(List.of(transactionalId)).description(transactionalId).get();
            return new Producer(known.producerId(), (short) known.producerEpoch());
        }
    }

    /** Whether partitions ask the coordinator first. */
    private static void ask(boolean first) throws Exception {
        var brokers = new ConfigResource(ConfigResource.Type.BROKER, "");
        var op = first ? new AlterConfigOp(new ConfigEntry(QUESTION, null), AlterConfigOp.OpType.DELETE)
            : new AlterConfigOp(new ConfigEntry(QUESTION, "false"), AlterConfigOp.OpType.SET);
        try (var admin = Kafka.admin()) {
            admin.incrementalAlterConfigs(Map.of(brokers, List.of(op))).all().get();
        }
    }

    /** A connection on which one request after the other is asked and answered. */
    private static final class Bare implements AutoCloseable {
        private final Socket socket;
        private int correlation;

        Bare() throws Exception {
            String[] address = Suite.bootstrap().split(":");
            socket = new Socket(address[0], Integer.parseInt(address[1]));
            socket.setSoTimeout(30_000);
        }

        AbstractResponse call(AbstractRequest request) throws Exception {
            var header = new RequestHeader(request.apiKey(), request.version(), "bare", correlation++);
            ByteBuffer frame = request.serializeWithHeader(header);
            var out = new DataOutputStream(socket.getOutputStream());
            out.writeInt(frame.remaining());
            out.write(frame.array(), frame.arrayOffset() + frame.position(), frame.remaining());
            out.flush();
            var in = new DataInputStream(socket.getInputStream());
            byte[] answer = in.readNBytes(in.readInt());
            return AbstractResponse.parseResponse(ByteBuffer.wrap(answer), header);
        }

        @Override
        public void close() throws Exception {
            socket.close();
        }
    }
}
