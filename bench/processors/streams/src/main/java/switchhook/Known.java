package switchhook;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/** What the store holds of one message: four bytes of version, then the status. */
record Known(String status, int version) {
    static Serde<Known> serde() {
        return Serdes.serdeFrom((topic, known) -> known == null ? null : known.bytes(), (topic, bytes) -> of(bytes));
    }

    private byte[] bytes() {
        byte[] text = status.getBytes(StandardCharsets.US_ASCII);
        return ByteBuffer.allocate(4 + text.length).putInt(version).put(text).array();
    }

    private static Known of(byte[] bytes) {
        if (bytes == null) {
            return null;
        }
        String status = new String(bytes, 4, bytes.length - 4, StandardCharsets.US_ASCII);
        return new Known(status, ByteBuffer.wrap(bytes).getInt());
    }
}
