package io.awsgi.core;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/**
 * What this JVM runs on, in the words of os-maven-plugin, so that a classifier in a pom and the
 * folder of a library in a jar have the same name.
 */
final class Platform {
    private Platform() {}

    /** As {@code linux}, {@code osx}, {@code windows}. */
    static final String OS = os(System.getProperty("os.name", ""));

    /** As {@code x86_64}, {@code aarch_64}. */
    static final String ARCH = arch(System.getProperty("os.arch", ""));

    /** Which C library the JVM itself uses. */
    static final Libc LIBC = OS.equals("linux") ? libc() : Libc.OTHER;

    /** The classifier of the artifact with the library for this platform. */
    static final String CLASSIFIER = OS + "-" + ARCH + (LIBC == Libc.MUSL ? "-musl" : "");

    /** C libraries. A program of one crashes in a process of the other, if it loads at all. */
    enum Libc {
        GLIBC("glibc"),
        MUSL("musl"),
        OTHER("that of the system");

        final String words;

        Libc(String words) {
            this.words = words;
        }
    }

    /** This platform, for a person who wonders why something does not fit. */
    static String describe() {
        return "Java "
                + System.getProperty("java.version")
                + ", os "
                + OS
                + ", arch "
                + ARCH
                + ", libc "
                + LIBC.words;
    }

    static String os(String name) {
        String plain = plain(name);
        if (plain.startsWith("mac") || plain.startsWith("osx")) {
            return "osx";
        }
        return plain.startsWith("windows") ? "windows" : plain;
    }

    static String arch(String name) {
        String plain = plain(name);
        return switch (plain) {
            case "x8664", "amd64", "ia32e", "em64t", "x64" -> "x86_64";
            case "x8632", "x86", "i386", "i486", "i586", "i686", "ia32", "x32" -> "x86_32";
            case "aarch64", "arm64" -> "aarch_64";
            case "arm", "arm32" -> "arm_32";
            case "ppc64le", "ppcle64" -> "ppcle_64";
            case "s390x", "s390" -> "s390_64";
            default -> plain;
        };
    }

    private static String plain(String name) {
        return name.toLowerCase(Locale.ROOT).replaceAll("[^a-z0-9]+", "");
    }

    private static Libc libc() {
        // What this process has mapped decides: a machine may have both.
        try {
            return libcOf(
                    Files.readString(Path.of("/proc/self/maps"), StandardCharsets.ISO_8859_1));
        } catch (IOException hidden) {
            return muslIn(Path.of("/lib")) ? Libc.MUSL : Libc.GLIBC;
        }
    }

    static Libc libcOf(String maps) {
        return maps.contains("/ld-musl-") || maps.contains("/libc.musl-") ? Libc.MUSL : Libc.GLIBC;
    }

    private static boolean muslIn(Path folder) {
        try (DirectoryStream<Path> loaders = Files.newDirectoryStream(folder, "ld-musl-*")) {
            return loaders.iterator().hasNext();
        } catch (IOException unreadable) {
            return false;
        }
    }
}
