package pagewire;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs the main method of one of Kafka's tools in this process and keeps what it printed and its exit code. A virtual
 * machine per tool would cost a second of processor time each; the code that runs is the same. One tool at a time:
 * standard input and output belong to the whole process.
 */
final class Tool {
    /** What a tool did. */
    record Ran(int code, String out, String err) {
        Ran succeeded() {
            if (code != 0) {
                throw new AssertionError("exit code " + code + ": " + out + err);
            }
            return this;
        }

        Ran failed() {
            if (code == 0) {
                throw new AssertionError("the tool succeeded: " + out);
            }
            return this;
        }

        /** Everything it printed. */
        String text() {
            return out + err;
        }

        List<String> lines() {
            return out.lines().filter(line -> !line.isBlank()).toList();
        }
    }

    private static final class Ended extends RuntimeException {
        Ended() {
            super(null, null, false, false);
        }
    }

    private Tool() {}

    /** A tool that speaks to the broker under test. */
    static Ran run(String name, String... arguments) throws Exception {
        return runWithInput("", name, arguments);
    }

    static Ran runWithInput(String input, String name, String... arguments) throws Exception {
        List<String> all = new ArrayList<>(List.of(arguments));
        // kafka-cluster takes its command first.
        all.addAll(name.equals("ClusterTool") ? 1 : 0, List.of("--bootstrap-server", Suite.bootstrap()));
        return call(input, name, all.toArray(String[]::new));
    }

    /** A tool with exactly these arguments. */
    static Ran call(String input, String name, String... arguments) throws Exception {
        var printed = new ByteArrayOutputStream();
        var complained = new ByteArrayOutputStream();
        try {
            int code = into(new PrintStream(printed, true), new PrintStream(complained, true), 60, input, name, arguments);
            return new Ran(code, printed.toString(StandardCharsets.UTF_8), complained.toString(StandardCharsets.UTF_8));
        } catch (TimeoutException late) {
            throw new AssertionError(name + " did not end in time: " + printed + complained);
        } catch (ExecutionException thrown) {
            throw new AssertionError(name + " threw " + thrown.getCause().getCause());
        }
    }

    /** The exit code of a tool that prints to these streams. */
    static synchronized int into(PrintStream printed, PrintStream complained, int seconds, String input, String name, String... arguments)
            throws Exception {
        InputStream in = System.in;
        PrintStream out = System.out;
        PrintStream err = System.err;
        // Some tools catch everything around their exit and exit again: the first code is the one a shell would see.
        var first = new AtomicReference<Integer>();
        Exit.Procedure procedure = (code, message) -> {
            first.compareAndSet(null, code);
            throw new Ended();
        };
        Exit.setExitProcedure(procedure);
        Exit.setHaltProcedure(procedure);
        // What a tool would do when its process ends (close its client, say) is done here when its main method has.
        List<Runnable> hooks = new CopyOnWriteArrayList<>();
        Exit.setShutdownHookAdder((hook, runnable) -> hooks.add(runnable));
        System.setIn(new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8)));
        System.setOut(printed);
        System.setErr(complained);
        try {
            // Most of Kafka's own are named within their package.
            var whole = name.matches("(kafka|org|pagewire)\\..*") ? name : "org.apache.kafka.tools." + name;
            var main = Class.forName(whole).getMethod("main", String[].class);
            var task = new FutureTask<>(() -> {
                try {
                    main.invoke(null, (Object) arguments);
                } catch (InvocationTargetException thrown) {
                    if (!(thrown.getCause() instanceof Ended)) {
                        throw thrown;
                    }
                }
                hooks.forEach(Runnable::run);
                return first.get() == null ? 0 : first.get();
            });
            var thread = new Thread(task, name);
            thread.setDaemon(true);
            thread.start();
            int code = task.get(seconds, TimeUnit.SECONDS);
            System.out.flush();
            return code;
        } finally {
            System.setIn(in);
            System.setOut(out);
            System.setErr(err);
        }
    }

    /** A tool in a process of its own: some do part of their work in the virtual machine's own shutdown hooks. */
    static Ran process(String name, String... arguments) throws Exception {
        List<String> command = new ArrayList<>(List.of(ProcessHandle.current().info().command().orElse("java"),
            "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", System.getProperty("java.class.path"),
            "org.apache.kafka.tools." + name, "--bootstrap-server", Suite.bootstrap()));
        command.addAll(List.of(arguments));
        Process process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        var out = new FutureTask<>(() -> new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8));
        new Thread(out, name).start();
        try {
            String text = out.get(60, TimeUnit.SECONDS);
            return new Ran(process.waitFor(), text, "");
        } catch (TimeoutException late) {
            throw new AssertionError(name + " did not end within 60 s");
        } finally {
            process.destroyForcibly();
        }
    }
}
