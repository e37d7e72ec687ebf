package pagewire;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.message.KRaftVersionRecord;
import org.apache.kafka.common.message.LeaderChangeMessage;
import org.apache.kafka.common.message.SnapshotFooterRecord;
import org.apache.kafka.common.message.SnapshotHeaderRecord;
import org.apache.kafka.common.message.VotersRecord;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.DefaultRecordBatch;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MemoryRecordsBuilder;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.record.internal.SimpleRecord;

/**
 * Logs of batches that no client sends in a test, written by Kafka's own classes: {@code OddLogs DIRECTORY} makes a directory of a
 * partition for each codec, and one of control batches.
 */
final class OddLogs {
    private static final int ROUNDS = 6;
    private static final Header[] NONE = {};
    /** A producer, its epoch, and what stands for none. */
    private static final long PRODUCER = 77;
    private static final short EPOCH = 3;

    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private long offset;

    private OddLogs() {}

    public static void main(String[] args) throws Exception {
        Path directory = Path.of(args[0]);
        for (CompressionType codec : CompressionType.values()) {
            var log = new OddLogs();
            for (int round = 0; round < ROUNDS; round++) {
                log.records(codec);
            }
            log.save(directory.resolve("odd-" + codec.name + "-0"), 0);
        }
        var log = new OddLogs();
        log.offset = 50;
        for (int round = 0; round < ROUNDS; round++) {
            log.controls();
        }
        log.save(directory.resolve("controls-0"), 50);
    }

    private void save(Path partition, long base) throws Exception {
        Files.createDirectories(partition);
        Files.writeString(partition.resolve("partition.metadata"), "version: 0\ntopic_id: " + Uuid.randomUuid());
        Files.write(partition.resolve(String.format("%020d.log", base)), bytes.toByteArray());
    }

    private void put(ByteBuffer batch) {
        byte[] all = new byte[batch.remaining()];
        batch.duplicate().get(all);
        bytes.writeBytes(all);
    }

    private MemoryRecordsBuilder batch(CompressionType codec, TimestampType type, long producer, int sequence, boolean control) {
        short epoch = producer < 0 ? RecordBatch.NO_PRODUCER_EPOCH : EPOCH;
        return new MemoryRecordsBuilder(ByteBuffer.allocate(65536), RecordBatch.MAGIC_VALUE_V2, Compression.of(codec).build(), type, offset,
                555_555, producer, epoch, sequence, control, control, 3, 65536);
    }

    /** Bytes that are no text, no keys and no values, headers without, times of before 1970, sequences that wrap, holes, no records. */
    private void records(CompressionType codec) {
        var odd = batch(codec, TimestampType.CREATE_TIME, -1, -1, false);
        Header[] headers = {new RecordHeader("h", (byte[]) null), new RecordHeader("é,]", new byte[] {1}), new RecordHeader("", new byte[0])};
        odd.appendWithOffset(offset++, 1000, "k".getBytes(), "v".getBytes(), headers);
        odd.appendWithOffset(offset++, -1, (byte[]) null, (byte[]) null, NONE);
        odd.appendWithOffset(offset++, 2000, new byte[0], new byte[0], NONE);
        byte[] text = "a\nb\u0000\u007f\u001b[31m\ud83d\ude00".getBytes(StandardCharsets.UTF_8);
        odd.appendWithOffset(offset++, Long.MAX_VALUE / 2, new byte[] {(byte) 0xff, 0, 10, 13, 9}, text, NONE);
        put(odd.build().buffer());
        var wraps = batch(codec, TimestampType.CREATE_TIME, PRODUCER, Integer.MAX_VALUE - 1, false);
        for (int i = 0; i < 5; i++) {
            wraps.appendWithOffset(offset++, -1, ("i" + i).getBytes(), new byte[] {0, 0, 0, (byte) i}, NONE);
        }
        put(wraps.build().buffer());
        var appended = batch(codec, TimestampType.LOG_APPEND_TIME, PRODUCER, 5, false);
        appended.appendWithOffset(offset, 12, new byte[8], new byte[4], NONE);
        appended.appendWithOffset(offset + 5, 6, "after a hole".getBytes(), null, NONE);
        put(appended.build().buffer());
        offset += 9;
        empty(9, TimestampType.CREATE_TIME, -1, 5, false);
        empty(-1, TimestampType.LOG_APPEND_TIME, 99, 1, true);
    }

    /** What compaction leaves of a batch without records. */
    private void empty(int sequence, TimestampType type, long time, int offsets, boolean control) {
        ByteBuffer header = ByteBuffer.allocate(DefaultRecordBatch.RECORD_BATCH_OVERHEAD);
        DefaultRecordBatch.writeEmptyHeader(header, RecordBatch.MAGIC_VALUE_V2, PRODUCER, EPOCH, sequence, offset, offset + offsets - 1, 1,
                type, time, true, control);
        header.flip();
        put(header);
        offset += offsets;
    }

    private void controls() throws Exception {
        for (ControlRecordType type : List.of(ControlRecordType.COMMIT, ControlRecordType.ABORT)) {
            var marker = new EndTransactionMarker(type, 9);
            put(MemoryRecords.withEndTransactionMarker(offset++, type.ordinal() - 1, 1, PRODUCER, EPOCH, marker).buffer());
        }
        var leader = new LeaderChangeMessage().setLeaderId(3).setVoters(List.of(new LeaderChangeMessage.Voter().setVoterId(3)));
        put(MemoryRecords.withLeaderChangeMessage(offset++, 5, 2, room(), leader).buffer());
        var header = new SnapshotHeaderRecord().setLastContainedLogTimestamp(44);
        put(MemoryRecords.withSnapshotHeaderRecord(offset++, 5, 2, room(), header).buffer());
        put(MemoryRecords.withSnapshotFooterRecord(offset++, 5, 2, room(), new SnapshotFooterRecord()).buffer());
        put(MemoryRecords.withKRaftVersionRecord(offset++, 5, 2, room(), new KRaftVersionRecord().setKRaftVersion((short) 1)).buffer());
        var voter = new VotersRecord.Voter().setVoterId(1).setVoterDirectoryId(Uuid.ONE_UUID);
        put(MemoryRecords.withVotersRecord(offset++, 5, 2, room(), new VotersRecord().setVoters(List.of(voter))).buffer());
        // A type that nobody knows.
        var unknown = batch(CompressionType.NONE, TimestampType.CREATE_TIME, PRODUCER, -1, true);
        unknown.appendUncheckedWithOffset(offset++, new SimpleRecord(8, new byte[] {0, 0, 0, 99}, new byte[] {0, 0, 1, 2, 3}));
        put(unknown.build().buffer());
    }

    private static ByteBuffer room() {
        return ByteBuffer.allocate(4096);
    }
}
