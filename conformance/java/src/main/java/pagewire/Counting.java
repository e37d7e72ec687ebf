package pagewire;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;

/**
 * An application of Kafka Streams that counts words, exactly once. An input is a number (its key) and a word; its output has the
 * word as its key and {@code COUNT NUMBER} as its value.
 */
public final class Counting {
    private static final Duration CLOSING = Duration.ofSeconds(60);

    private Counting() {}

    /** Application id, input, output, directory of the stores. */
    public static void main(String[] args) {
        var streams = new KafkaStreams(topology(args[1], args[2]), settings(args[0], args[3]));
        Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(CLOSING)));
        streams.start();
    }

    private static Topology topology(String input, String output) {
        var builder = new StreamsBuilder();
        builder.<String, String>stream(input)
            .map((number, word) -> KeyValue.pair(word, number))
            .groupByKey(Grouped.as("by-word"))
            .aggregate(() -> "0 -", (word, number, counted) -> (count(counted) + 1) + " " + number, Materialized.as("counts"))
            .toStream()
            .to(output, Produced.with(Serdes.String(), Serdes.String()));
        return builder.build();
    }

    private static long count(String counted) {
        return Long.parseLong(counted.substring(0, counted.indexOf(' ')));
    }

    private static Properties settings(String application, String stores) {
        var settings = new Properties();
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, Suite.bootstrap());
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, application);
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 2);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, stores);
        settings.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
        settings.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
        // Every input is to be seen in the output, not only the last of a word between two commits.
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0);
        settings.put(StreamsConfig.REPARTITION_PURGE_INTERVAL_MS_CONFIG, 1000);
        // Whoever was killed is not missed for long.
        settings.put(StreamsConfig.consumerPrefix("session.timeout.ms"), 6000);
        settings.put(StreamsConfig.consumerPrefix("heartbeat.interval.ms"), 1000);
        return settings;
    }

    /** What {@link #main} makes of an input: how manieth of its word, and its number. */
    record Output(String word, long count, long number) {
        static Output of(byte[] key, byte[] value) {
            String[] words = new String(value, StandardCharsets.UTF_8).split(" ");
            return new Output(new String(key, StandardCharsets.UTF_8), Long.parseLong(words[0]), Long.parseLong(words[1]));
        }
    }
}
