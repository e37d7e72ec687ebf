package pagewire;

import java.io.PrintStream;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import java.util.ArrayList;

/**
 * Naming, running and reporting cases: one line each, {@code ok NAME}, {@code FAIL NAME: reason} or {@code skip NAME:
 * reason}. Cases run side by side, with topics and groups of their own.
 */
final class Suite {
    /** The broker under test: from the environment, until somebody names another. */
    private static volatile String bootstrap = Objects.requireNonNullElse(System.getenv("BOOTSTRAP"), "127.0.0.1:9092");

    static String bootstrap() {
        return bootstrap;
    }

    static void aimAt(String address) {
        bootstrap = address;
    }

    interface Case {
        void run() throws Exception;
    }

    /** Thrown by a case that cannot run here. */
    static final class Skip extends RuntimeException {
        Skip(String reason) {
            super(reason);
        }
    }

    private final Map<String, Case> cases = new LinkedHashMap<>();
    /** Tools print to System.out; the verdicts go where it pointed at the start. */
    private final PrintStream out = System.out;

    void add(String name, Case test) {
        cases.put(name, test);
    }

    /** Runs all cases, or those named, and ends the process. */
    void runAndExit(String[] names, int sideBySide) throws InterruptedException {
        var pool = Executors.newFixedThreadPool(sideBySide);
        List<Future<Boolean>> verdicts = new ArrayList<>();
        cases.forEach((name, test) -> {
            if (names.length == 0 || Arrays.asList(names).contains(name)) {
                verdicts.add(pool.submit(() -> report(name, test)));
            }
        });
        boolean good = true;
        for (var verdict : verdicts) {
            try {
                good &= verdict.get();
            } catch (ExecutionException impossible) {
                good = false;
            }
        }
        out.flush();
        Runtime.getRuntime().halt(good ? 0 : 1);
    }

    private boolean report(String name, Case test) {
        String line;
        boolean good = true;
        try {
            test.run();
            line = "ok " + name;
        } catch (Skip reason) {
            line = "skip " + name + ": " + reason.getMessage();
        } catch (Throwable error) {
            good = false;
            line = "FAIL " + name + ": " + error.toString().replaceAll("\\s+", " ");
            error.printStackTrace(System.err);
        }
        synchronized (out) {
            out.println(line);
            out.flush();
        }
        return good;
    }

    static String unique(String prefix) {
        byte[] bytes = new byte[6];
        ThreadLocalRandom.current().nextBytes(bytes);
        return prefix + "-" + HexFormat.of().formatHex(bytes);
    }

    /** Bytes that no codec can shrink. */
    static byte[] payload(int size) {
        byte[] bytes = new byte[size];
        new Random(7).nextBytes(bytes);
        return bytes;
    }

    static void equal(String what, Object got, Object expected) {
        if (!Objects.deepEquals(got, expected)) {
            throw new AssertionError(what + ": got " + shorten(got) + ", expected " + shorten(expected));
        }
    }

    static void contains(String text, String part) {
        if (!text.contains(part)) {
            throw new AssertionError("missing «" + part + "» in: " + shorten(text));
        }
    }

    /** The cause of a failed future, which must be of this class. */
    static <T extends Throwable> T refused(Class<T> expected, Callable<?> call) throws Exception {
        try {
            call.call();
        } catch (Exception error) {
            Throwable cause = error instanceof ExecutionException ? error.getCause() : error;
            if (expected.isInstance(cause)) {
                return expected.cast(cause);
            }
            throw error;
        }
        throw new AssertionError("the call succeeded, expected " + expected.getSimpleName());
    }

    static void until(String what, Callable<Boolean> check) throws Exception {
        until(what, Duration.ofSeconds(45), check);
    }

    static void until(String what, Duration limit, Callable<Boolean> check) throws Exception {
        Instant deadline = Instant.now().plus(limit);
        while (!check.call()) {
            if (Instant.now().isAfter(deadline)) {
                throw new AssertionError(what + " did not come true within " + limit.toSeconds() + " s");
            }
            Thread.sleep(20);
        }
    }

    private static String shorten(Object value) {
        String text = value instanceof byte[] bytes ? bytes.length + " bytes" : String.valueOf(value);
        return text.length() > 300 ? text.substring(0, 300) + "…" : text;
    }
}
