package pagewire;

import java.io.BufferedOutputStream;
import java.io.BufferedReader;
import java.io.FileOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Calls main methods, one after the other, so that many calls cost one virtual machine. A line of standard input is a call, its
 * words apart by tabs: the broker that it is about, the file that it prints to, the class, arguments. The answer is its exit code.
 */
public final class Servant {
    /** Whoever waits has less patience. */
    private static final int LIMIT_SECONDS = 3600;

    private Servant() {}

    public static void main(String[] none) throws Exception {
        PrintStream answers = System.out;
        var calls = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = calls.readLine(); line != null; line = calls.readLine()) {
            String[] words = line.split("\t", -1);
            Suite.aimAt(words[0]);
            answers.println(call(words[1], words[2], Arrays.copyOfRange(words, 3, words.length)));
            answers.flush();
        }
        // Threads of clients that are still closing are of no use any more.
        Runtime.getRuntime().halt(0);
    }

    private static int call(String file, String name, String[] arguments) throws Exception {
        try (var printed = new PrintStream(new BufferedOutputStream(new FileOutputStream(file)), false, StandardCharsets.UTF_8)) {
            try {
                return Tool.into(printed, printed, LIMIT_SECONDS, "", name, arguments);
            } catch (Throwable thrown) {
                // A virtual machine of its own would have ended with 1.
                thrown.printStackTrace(printed);
                return 1;
            }
        }
    }
}
