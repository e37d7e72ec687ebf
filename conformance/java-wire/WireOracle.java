// Kafka's own message classes as a second opinion on the bytes of crates/wire.
//
// Run by crates/wire/tests/java_classes.rs as `java -cp <kafka-clients and its neighbours> WireOracle.java`. One
// command per line on standard input, one or more lines back:
//
//   recode NAME VERSION HEX        ok HEX | error TEXT      decode, check that nothing is left, encode again
//   random NAME VERSION SEED N     N lines: ok HEX | error TEXT      messages made up here, by reflection
//   keys                           lines: key CODE NAME MIN MAX LATEST_STABLE FIRST_FLEXIBLE, then end
//   errors                         lines: error CODE NAME RETRIABLE, then end
//
// NAME is the name in Kafka's schema, such as FetchRequest. A class's own schema says which fields a version has and
// which of them may be null; everything else about the messages is left to Kafka's code.

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;

import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;
import org.apache.kafka.common.protocol.types.Type;
import org.apache.kafka.common.record.internal.BaseRecords;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.utils.ImplicitLinkedHashCollection;

public final class WireOracle {
    private static final HexFormat HEX = HexFormat.of();

    public static void main(String[] args) throws Exception {
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        var out = new BufferedWriter(new OutputStreamWriter(System.out, StandardCharsets.UTF_8), 1 << 16);
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split(" ", -1);
            switch (words[0]) {
                case "recode" -> out.write(recode(words[1], Short.parseShort(words[2]), words[3]) + "\n");
                case "random" -> {
                    Random random = new Random(Long.parseLong(words[3]));
                    for (int i = Integer.parseInt(words[4]); i > 0; i--) {
                        out.write(random(words[1], Short.parseShort(words[2]), random) + "\n");
                    }
                }
                case "keys" -> keys(out);
                case "errors" -> errors(out);
                default -> throw new IllegalArgumentException(line);
            }
            if (!in.ready()) {
                out.flush();
            }
        }
        out.flush();
    }

    private static Class<?> messageClass(String name) throws ClassNotFoundException {
        String full = "org.apache.kafka.common.message." + name;
        try {
            return Class.forName(full + "Data");
        } catch (ClassNotFoundException e) {
            return Class.forName(full);
        }
    }

    private static String encode(Message message, short version) {
        ByteBuffer buffer = MessageUtil.toByteBufferAccessor(message, version).buffer();
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);
        return HEX.formatHex(bytes);
    }

    private static String recode(String name, short version, String hex) {
        try {
            Message message = (Message) messageClass(name).getConstructor().newInstance();
            ByteBuffer buffer = ByteBuffer.wrap(HEX.parseHex(hex));
            message.read(new ByteBufferAccessor(buffer), version);
            return buffer.hasRemaining() ? "error " + buffer.remaining() + " bytes left" : "ok " + encode(message, version);
        } catch (Exception e) {
            return "error " + e;
        }
    }

    private static String random(String name, short version, Random random) {
        try {
            return "ok " + encode((Message) fill(messageClass(name), version, random), version);
        } catch (Exception e) {
            return "error " + e;
        }
    }

    /** The types of the fields that a version has, by name without underscores; tagged ones included. */
    private static Map<String, Type> typesOf(Class<?> type, short version) throws ReflectiveOperationException {
        Schema[] schemas = (Schema[]) type.getField("SCHEMAS").get(null);
        Map<String, Type> types = new HashMap<>();
        for (BoundField field : schemas[version].fields()) {
            if (field.def.type instanceof TaggedFields tagged) {
                tagged.fields().values().forEach(f -> types.put(plain(f.name), f.type));
            } else {
                types.put(plain(field.def.name), field.def.type);
            }
        }
        return types;
    }

    private static String plain(String name) {
        return name.replace("_", "").toLowerCase();
    }

    private static Object fill(Class<?> type, short version, Random random) throws ReflectiveOperationException {
        Object message = type.getConstructor().newInstance();
        Map<String, Type> types = typesOf(type, version);
        for (Field field : type.getDeclaredFields()) {
            Type wire = types.get(plain(field.getName()));
            if (wire == null || Modifier.isStatic(field.getModifiers()) || field.getName().startsWith("_")) {
                continue;
            }
            field.setAccessible(true);
            boolean isNull = wire.isNullable() && random.nextInt(4) == 0;
            field.set(message, isNull ? null : value(field, wire, version, random));
        }
        return message;
    }

    private static Object value(Field field, Type wire, short version, Random random) throws ReflectiveOperationException {
        Class<?> type = field.getType();
        if (ImplicitLinkedHashCollection.class.isAssignableFrom(type)) {
            @SuppressWarnings("unchecked")
            var list = (ImplicitLinkedHashCollection<ImplicitLinkedHashCollection.Element>) type.getConstructor().newInstance();
            Class<?> element = (Class<?>) ((ParameterizedType) type.getGenericSuperclass()).getActualTypeArguments()[0];
            for (int i = random.nextInt(4); i > 0; i--) {
                list.add((ImplicitLinkedHashCollection.Element) fill(element, version, random));
            }
            return list;
        }
        if (List.class.isAssignableFrom(type)) {
            Class<?> element = (Class<?>) ((ParameterizedType) field.getGenericType()).getActualTypeArguments()[0];
            List<Object> list = new ArrayList<>();
            for (int i = random.nextInt(4); i > 0; i--) {
                list.add(single(element, wire.arrayElementType().orElse(wire), version, random));
            }
            return list;
        }
        return single(type, wire, version, random);
    }

    private static Object single(Class<?> type, Type wire, short version, Random random) throws ReflectiveOperationException {
        if (type == String.class) {
            return "aß☃-topic.9".repeat(20).substring(0, random.nextInt(16) == 0 ? 180 : random.nextInt(12));
        } else if (type == byte[].class) {
            return bytes(random);
        } else if (type == ByteBuffer.class) {
            return ByteBuffer.wrap(bytes(random));
        } else if (type == Uuid.class) {
            return new Uuid(random.nextLong(), random.nextLong());
        } else if (BaseRecords.class.isAssignableFrom(type)) {
            return MemoryRecords.readableRecords(ByteBuffer.wrap(bytes(random)));
        } else if (type == boolean.class || type == Boolean.class) {
            return random.nextBoolean();
        } else if (type == double.class || type == Double.class) {
            return random.nextGaussian();
        } else if (Message.class.isAssignableFrom(type)) {
            return fill(type, version, random);
        }
        long number = switch (random.nextInt(4)) {
            case 0 -> 0;
            case 1 -> random.nextInt(100);
            default -> random.nextLong();
        };
        if (type == byte.class || type == Byte.class) {
            return (byte) number;
        } else if (type == short.class || type == Short.class) {
            return (short) number;
        } else if (type == long.class || type == Long.class) {
            return wire == Type.UNSIGNED_INT32 ? (Object) (number & 0xffffffffL) : (Object) number;
        } else if (type == int.class || type == Integer.class) {
            return wire == Type.UINT16 ? (Object) (int) (number & 0xffff) : (Object) (int) number;
        }
        throw new IllegalArgumentException("no random value for " + type);
    }

    private static byte[] bytes(Random random) {
        byte[] bytes = new byte[random.nextInt(40)];
        random.nextBytes(bytes);
        return bytes;
    }

    private static void keys(BufferedWriter out) throws Exception {
        for (ApiKeys key : ApiKeys.values()) {
            if (!key.hasValidVersion()) {
                continue;
            }
            int flexible = -1;
            for (short version : key.allVersions()) {
                if (flexible < 0 && key.requestHeaderVersion(version) >= 2) {
                    flexible = version;
                }
            }
            out.write("key " + key.id + " " + key.name + " " + key.oldestVersion() + " " + key.latestVersion(true) + " "
                    + key.latestVersion(false) + " " + flexible + "\n");
        }
        out.write("end\n");
    }

    private static void errors(BufferedWriter out) throws Exception {
        for (Errors error : Errors.values()) {
            out.write("error " + error.code() + " " + error.name() + " " + (error.exception() instanceof RetriableException) + "\n");
        }
        out.write("end\n");
    }
}
