package switchhook;

import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.state.Stores;

/** `Main BROKER INPUT OUTPUT GROUP FOLDER COMMIT_MS`: works until it is told to stop. RocksDB, at least once. */
public final class Main {
    private Main() {}

    public static void main(String[] given) throws InterruptedException {
        Properties settings = new Properties();
        settings.putAll(Map.of(
                StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, given[0],
                StreamsConfig.APPLICATION_ID_CONFIG, given[3],
                StreamsConfig.STATE_DIR_CONFIG, given[4],
                StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, given[5],
                StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1,
                StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest",
                StreamsConfig.producerPrefix("acks"), "all"));
        KafkaStreams streams = new KafkaStreams(topology(given[1], given[2]), settings);
        CountDownLatch stopped = new CountDownLatch(1);
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            Runtime.getRuntime().halt(1);
            return null;
        });
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            streams.close();
            stopped.countDown();
        }));
        streams.start();
        stopped.await();
    }

    private static Topology topology(String input, String output) {
        Topology topology = new Topology();
        topology.addSource("events", Serdes.String().deserializer(), Serdes.ByteArray().deserializer(), input);
        topology.addProcessor("furthest", Furthest::new, "events");
        topology.addStateStore(
                Stores.keyValueStoreBuilder(
                        Stores.persistentKeyValueStore(Furthest.STORE), Serdes.String(), Known.serde()),
                "furthest");
        topology.addSink("changes", output, Serdes.String().serializer(), Serdes.ByteArray().serializer(), "furthest");
        return topology;
    }
}
