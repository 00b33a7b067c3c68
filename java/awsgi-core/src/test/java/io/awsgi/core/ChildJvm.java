package io.awsgi.core;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A fresh JVM, since a library is loaded once in each, with these classes and those of the tests.
 */
final class ChildJvm {
    private static final int SECONDS = 110;

    private final Path temporary;
    private final List<String> before = new ArrayList<>();
    private final List<String> options = new ArrayList<>();
    private final List<Path> classPath = new ArrayList<>();
    private Class<?> program = LoadOnce.class;
    private boolean modular;
    private boolean denied;
    private Path directory;

    /** One that puts temporary files into this folder. */
    ChildJvm(Path temporary) {
        this.temporary = temporary;
        this.directory = temporary;
        classPath.add(root(Awsgi.class));
        classPath.add(root(ChildJvm.class));
    }

    /**
     * What the program printed, and the log.
     *
     * @param ended when it was over, as {@link System#currentTimeMillis} counts
     */
    record Output(int status, String text, long ended) {
        /** Asserts that each of these is in it. */
        Output has(String... words) {
            for (String word : words) {
                assertTrue(text.contains(word), () -> "no `" + word + "` in:\n" + text);
            }
            return this;
        }

        /** Asserts that none of these is in it. */
        Output hasNot(String... words) {
            for (String word : words) {
                assertFalse(text.contains(word), () -> "`" + word + "` in:\n" + text);
            }
            return this;
        }

        /** What follows these words on their line. */
        String after(String words) {
            has(words);
            return text.substring(text.indexOf(words) + words.length())
                    .lines()
                    .findFirst()
                    .orElse("");
        }
    }

    /** With this program in place of {@link LoadOnce}, and what it needs to assert. */
    ChildJvm program(Class<?> program) {
        this.program = program;
        for (Class<?> type :
                List.of(
                        org.junit.jupiter.api.Assertions.class,
                        org.junit.platform.commons.util.ExceptionUtils.class,
                        org.opentest4j.AssertionFailedError.class)) {
            with(root(type));
        }
        return this;
    }

    /** With the library that these tests use. */
    ChildJvm withLibrary() {
        String path = System.getProperty(Loader.PATH, "");
        if (!path.isEmpty()) {
            return with("-D" + Loader.PATH + "=" + path);
        }
        String name =
                "META-INF/native/" + Platform.CLASSIFIER + "/" + System.mapLibraryName("awsgi");
        return with(root(name));
    }

    /** With this option. */
    ChildJvm with(String option) {
        options.add(option);
        return this;
    }

    /** With this folder or jar on the class path. */
    ChildJvm with(Path entry) {
        classPath.add(entry);
        return this;
    }

    /** In this folder. */
    ChildJvm in(Path folder) {
        directory = folder;
        return this;
    }

    /** Started by this command, which gets that of the JVM as its last words. */
    ChildJvm under(String... command) {
        before.addAll(List.of(command));
        return this;
    }

    /** Without leave to load libraries, in a JVM that asks for it. */
    ChildJvm denied() {
        denied = true;
        return with("--illegal-native-access=deny");
    }

    /** On the module path, with these modules. */
    ChildJvm modular(Path... modules) {
        modular = true;
        String path =
                Stream.concat(Stream.of(root(Awsgi.class)), Stream.of(modules))
                        .map(Path::toString)
                        .collect(Collectors.joining(File.pathSeparator));
        options.addAll(List.of("--module-path", path));
        options.addAll(List.of("--patch-module", "io.awsgi.core=" + root(ChildJvm.class)));
        classPath.subList(0, 2).clear();
        return this;
    }

    /** Runs the program to its end, and asserts that it came to one. */
    Output run(String... arguments) throws IOException {
        return runToAnyEnd(arguments).has("ended: well");
    }

    /** Runs the program, which may be ended by somebody. */
    Output runToAnyEnd(String... arguments) throws IOException {
        List<String> command = new ArrayList<>(before);
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(List.of("-Xshare:auto", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"));
        command.addAll(List.of("-Xcheck:jni", "-Djava.io.tmpdir=" + temporary));
        command.add("-XX:ErrorFile=" + directory.resolve("hs_err.log"));
        if (Runtime.version().feature() >= 22 && !denied) {
            command.add("--enable-native-access=" + (modular ? "io.awsgi.core" : "ALL-UNNAMED"));
        }
        command.addAll(options);
        if (!classPath.isEmpty()) {
            command.add("-classpath");
            command.add(
                    classPath.stream()
                            .map(Path::toString)
                            .collect(Collectors.joining(File.pathSeparator)));
        }
        if (modular) {
            command.add("--module");
        }
        command.add((modular ? "io.awsgi.core/" : "") + program.getName());
        command.addAll(List.of(arguments));

        Path log = Files.createTempFile(directory.getParent(), "child", ".log");
        try {
            Process process =
                    new ProcessBuilder(command)
                            .directory(directory.toFile())
                            .redirectErrorStream(true)
                            .redirectOutput(log.toFile())
                            .start();
            boolean ended;
            try {
                ended = process.waitFor(SECONDS, TimeUnit.SECONDS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                ended = false;
            }
            if (!ended) {
                process.destroyForcibly();
            }
            long over = System.currentTimeMillis();
            String text = Files.readString(log, StandardCharsets.UTF_8);
            assertTrue(ended, () -> "it did not end within " + SECONDS + " s:\n" + text);
            Output output = new Output(process.exitValue(), text, over);
            output.hasNot("WARNING in native method", "FATAL ERROR in native method");
            return output;
        } finally {
            Files.delete(log);
        }
    }

    /** Where the class was loaded from: a folder or a jar. */
    static Path root(Class<?> type) {
        return root(type.getName().replace('.', '/') + ".class");
    }

    private static Path root(String name) {
        URL url = ChildJvm.class.getClassLoader().getResource(name);
        String text = String.valueOf(url);
        text = text.substring(0, text.length() - name.length());
        if (text.startsWith("jar:")) {
            text = text.substring("jar:".length(), text.length() - "!/".length());
        }
        return Path.of(URI.create(text));
    }

    /** Whether the classes are a module. */
    static boolean canBeModular() {
        Path root = root(Awsgi.class);
        return Files.isRegularFile(root) || Files.exists(root.resolve("module-info.class"));
    }
}
