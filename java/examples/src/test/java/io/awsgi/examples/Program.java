package io.awsgi.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A program in a JVM of its own, as somebody starts it. It lives for a minute at most. */
final class Program implements AutoCloseable {
    private final Process process;
    private final BufferedReader output;
    private final StringBuilder said = new StringBuilder();
    private final Thread timer;

    private Program(List<String> command) throws IOException {
        process = new ProcessBuilder(command).redirectErrorStream(true).start();
        output = process.inputReader(StandardCharsets.UTF_8);
        timer =
                new Thread(
                        () -> {
                            try {
                                if (!process.waitFor(60, TimeUnit.SECONDS)) {
                                    process.destroyForcibly();
                                }
                            } catch (InterruptedException over) {
                                process.destroyForcibly();
                            }
                        });
        timer.setDaemon(true);
        timer.start();
    }

    /** Starts one with the class path of these tests, and more of it. */
    static Program start(Class<?> main, String... arguments) throws IOException {
        return start(List.of(), main.getName(), arguments);
    }

    static Program start(List<Path> classes, String main, String... arguments) throws IOException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(List.of("-Xcheck:jni", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"));
        if (Runtime.version().feature() >= 22) {
            command.add("--enable-native-access=ALL-UNNAMED");
        }
        StringBuilder classPath = new StringBuilder(System.getProperty("java.class.path"));
        classes.forEach(more -> classPath.append(File.pathSeparator).append(more));
        command.addAll(List.of("-classpath", classPath.toString(), main));
        command.addAll(List.of(arguments));
        return new Program(command);
    }

    /** Types this at its terminal. */
    void type(String text) throws IOException {
        OutputStream input = process.getOutputStream();
        input.write(text.getBytes(StandardCharsets.UTF_8));
        input.flush();
    }

    /** Has its standard input end. */
    void typeEnd() throws IOException {
        process.getOutputStream().close();
    }

    /** The next line that it prints; empty at its end. */
    String line() throws IOException {
        String line = output.readLine();
        said.append(line == null ? "" : line + "\n");
        return line == null ? "" : line;
    }

    /** The rest of what it prints until it has ended, as it should. */
    List<String> rest() throws Exception {
        List<String> lines = new ArrayList<>();
        for (String line; (line = output.readLine()) != null; ) {
            lines.add(line);
            said.append(line).append('\n');
        }
        timer.join();
        assertEquals(0, process.waitFor(), () -> "it said:\n" + said);
        assertFalse(said.toString().contains(" in native method"), () -> "it said:\n" + said);
        assertTrue(process.exitValue() == 0);
        return lines;
    }

    @Override
    public void close() throws IOException {
        process.destroyForcibly();
        output.close();
    }
}
