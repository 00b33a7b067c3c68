package io.awsgi.core;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** The volumes of this process, in so far as they decide whether a library can be loaded. */
final class Mounts {
    private Mounts() {}

    /** The mount point of the volume of this file, if nothing on it may be executed; else null. */
    static @Nullable String noexec(Path file) {
        try {
            return noexec(
                    Files.readString(Path.of("/proc/self/mountinfo"), StandardCharsets.UTF_8),
                    file.toRealPath());
        } catch (IOException unknown) {
            return null;
        }
    }

    static @Nullable String noexec(String mountinfo, Path file) {
        String found = "";
        boolean noexec = false;
        for (String line : mountinfo.split("\n", -1)) {
            // id, parent, device, root, mount point, options, and more.
            String[] words = line.split(" ", -1);
            if (words.length < 6) {
                continue;
            }
            String point = unescape(words[4]);
            // The last of equals hides those before it.
            if (point.length() >= found.length() && file.startsWith(point)) {
                found = point;
                noexec = ("," + words[5] + ",").contains(",noexec,");
            }
        }
        return noexec ? found : null;
    }

    private static String unescape(String word) {
        return word.replace("\\040", " ")
                .replace("\\011", "\t")
                .replace("\\012", "\n")
                .replace("\\134", "\\");
    }
}
