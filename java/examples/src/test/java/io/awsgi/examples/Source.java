package io.awsgi.examples;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.awsgi.core.SelectorHost;
import java.io.File;
import java.io.IOException;
import java.io.StringWriter;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.tools.JavaCompiler;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;
import org.jspecify.annotations.NullMarked;

/** A source file that is no part of the module: compiled by itself, a warning being an error. */
final class Source {
    private Source() {}

    /** Compiles a file, named from the folder of the module, for a release of Java. */
    static void compile(String file, int release, Path classes) throws Exception {
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        StringWriter said = new StringWriter();
        String classPath =
                Stream.of(SelectorHost.class, NioEcho.class, NullMarked.class)
                        .map(Source::place)
                        .collect(Collectors.joining(File.pathSeparator));
        List<String> options =
                List.of(
                        "--release",
                        Integer.toString(release),
                        "-Xlint:all,-processing",
                        "-Werror",
                        "-proc:none",
                        "-implicit:none",
                        "-classpath",
                        classPath,
                        "-d",
                        classes.toString());
        try (StandardJavaFileManager files = compiler.getStandardFileManager(null, null, null)) {
            boolean compiled =
                    compiler.getTask(
                                    said,
                                    files,
                                    null,
                                    options,
                                    null,
                                    files.getJavaFileObjects(folder().resolve(file)))
                            .call();
            assertTrue(compiled, () -> file + ":\n" + said);
        } catch (IOException failure) {
            throw new AssertionError(failure);
        }
    }

    /** The folder of the module: surefire runs in it. */
    static Path folder() {
        return Path.of("").toAbsolutePath();
    }

    /** Where a class comes from: a folder or a jar. */
    private static String place(Class<?> type) {
        try {
            return Path.of(type.getProtectionDomain().getCodeSource().getLocation().toURI())
                    .toString();
        } catch (URISyntaxException impossible) {
            throw new AssertionError(impossible);
        }
    }
}
