package io.awsgi.core;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Libraries in C, compiled by the C compiler of the machine. */
final class CLibrary {
    private CLibrary() {}

    /** Whether there is a C compiler. */
    static boolean isPossible() {
        try {
            run(List.of("--version"));
            return true;
        } catch (IOException none) {
            return false;
        }
    }

    /** Compiles a library. Answers its file, beside which nothing is left. */
    static Path compile(Path file, String source, List<String> options) throws IOException {
        Path code = file.resolveSibling(file.getFileName() + ".c");
        Files.writeString(code, source);
        List<String> arguments =
                new ArrayList<>(
                        List.of("-shared", "-fPIC", "-o", file.toString(), code.toString()));
        arguments.addAll(options);
        run(arguments);
        Files.delete(code);
        return file;
    }

    private static void run(List<String> arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of("cc"));
        command.addAll(arguments);
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        // A sanitizer that the tests run under is not for the compiler.
        builder.environment().remove("LD_PRELOAD");
        Process process = builder.start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        try {
            if (!process.waitFor(60, TimeUnit.SECONDS) || process.exitValue() != 0) {
                throw new IOException(command + " failed:\n" + said);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException(e);
        }
    }
}
