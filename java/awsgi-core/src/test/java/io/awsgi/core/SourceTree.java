package io.awsgi.core;

import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** The source tree around these tests, if they run in one. */
final class SourceTree {
    private SourceTree() {}

    /** A file of it, named from its root; null if there is none around. */
    static @Nullable Path find(String file) {
        for (Path at = Path.of("").toAbsolutePath(); at != null; at = at.getParent()) {
            if (Files.exists(at.resolve("include/awsgi.h"))) {
                return at.resolve(file);
            }
        }
        return null;
    }
}
