package switchhook;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Map;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;

/** Keeps the furthest status of each message, and says so whenever it gets further. */
final class Furthest implements Processor<String, byte[], String, byte[]> {
    static final String STORE = "furthest";

    /** As in bench/processors/job.py. */
    private static final Map<String, Integer> RANK = Map.ofEntries(
            Map.entry("scheduled", 0),
            Map.entry("accepted", 1),
            Map.entry("queued", 10),
            Map.entry("sending", 20),
            Map.entry("sent", 30),
            Map.entry("canceled", 40),
            Map.entry("failed", 41),
            Map.entry("undelivered", 42),
            Map.entry("delivered", 44),
            Map.entry("read", 50));

    private final ObjectMapper json = new ObjectMapper();
    private ProcessorContext<String, byte[]> context;
    private KeyValueStore<String, Known> store;

    @Override
    public void init(ProcessorContext<String, byte[]> given) {
        context = given;
        store = given.getStateStore(STORE);
    }

    @Override
    public void process(Record<String, byte[]> record) {
        try {
            JsonNode event = json.readTree(record.value());
            String sid = event.get("message_sid").textValue();
            String status = event.get("status").textValue();
            Known known = store.get(sid);
            if (known != null && RANK.get(status) <= RANK.get(known.status())) {
                return;
            }
            Known next = new Known(status, known == null ? 1 : known.version() + 1);
            store.put(sid, next);
            context.forward(new Record<>(sid, said(sid, next, known), record.timestamp()));
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    private byte[] said(String sid, Known next, Known before) throws IOException {
        ObjectNode change = json.createObjectNode();
        change.put("sid", sid);
        change.put("status", next.status());
        change.put("previous", before == null ? null : before.status());
        change.put("version", next.version());
        return json.writeValueAsBytes(change);
    }
}
