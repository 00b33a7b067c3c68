package io.awsgi.core;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * Whether the native library can be used, and if not, why.
 *
 * <p>The library is loaded when it is first needed, once for each class loader that loads these
 * classes; whoever wants to know before asks {@link #isAvailable()}. It is looked for
 *
 * <ol>
 *   <li>where the system property {@code awsgi.library.path} says: a file, or a folder with a
 *       {@code libawsgi.so}. Who sets it wants that library and no other: if it cannot be used,
 *       nothing else is tried, and the error says why;
 *   <li>in the folders of {@code java.library.path};
 *   <li>as resource {@code META-INF/native/<os>-<arch>/libawsgi.so}, which the artifact {@code
 *       awsgi-native} with the classifier of the platform has. It is copied into a folder of its
 *       own that only this user can enter, in {@code awsgi.native.workdir} or else in {@code
 *       java.io.tmpdir}, loaded, and deleted at once.
 * </ol>
 *
 * <p>{@code -Dawsgi.native=false} switches the library off. The properties are read once, before
 * the library is loaded; a failure is final too. What failed is told in one error, with every
 * attempt and the remedy.
 *
 * <p>All methods are for any thread; the first that needs the library loads it, and others that
 * come meanwhile block until it has.
 */
public final class Awsgi {
    /** The version of these classes; the same as in the poms. */
    static final String VERSION = "0.1.0";

    private Awsgi() {}

    /**
     * Versions.
     *
     * @param classes that of the classes, as {@code 0.1.0}
     * @param library that of the native library; null if it is not available
     */
    public record Version(String classes, @Nullable String library) {
        /**
         * Both, for a log.
         *
         * @return as {@code 0.1.0 (native library 0.1.0)}
         */
        @Override
        public String toString() {
            return classes
                    + (library == null
                            ? " (native library not available)"
                            : " (native library " + library + ")");
        }
    }

    /**
     * Whether the native library can be used. Loads it, if nobody has yet.
     *
     * @return true if it can; else {@link #unavailabilityCause()} says why not
     */
    public static boolean isAvailable() {
        return Loader.load().failure() == null;
    }

    /**
     * Why the native library cannot be used. Loads it, if nobody has yet.
     *
     * @return an error whose message tells every attempt and the remedy, the same one at each call;
     *     null if the library can be used
     */
    public static @Nullable Throwable unavailabilityCause() {
        return Loader.load().failure();
    }

    /**
     * Makes sure that the native library can be used. Loads it, if nobody has yet.
     *
     * @throws AwsgiLinkageError if it cannot, with the message of {@link #unavailabilityCause()}
     */
    public static void ensureAvailable() {
        AwsgiLinkageError failure = Loader.load().failure();
        if (failure != null) {
            // A new one, because the stack trace is that of this caller.
            AwsgiLinkageError now = new AwsgiLinkageError(failure.getMessage());
            for (Throwable attempt : failure.getSuppressed()) {
                now.addSuppressed(attempt);
            }
            throw now;
        }
    }

    /**
     * The versions of these classes and of the native library. Loads it, if nobody has yet.
     *
     * @return the versions
     */
    public static Version version() {
        return new Version(VERSION, isAvailable() ? Layout.libraryVersion() : null);
    }

    /**
     * The path under which this copy of the library was loaded. There may be no file any more, and
     * there may be other copies in the process, of other class loaders: C code that wants the
     * functions of this one asks {@code dlopen(path, RTLD_NOW | RTLD_NOLOAD)} with exactly this
     * path. (The C library musl wants to see the file for that: there, give one with {@code
     * awsgi.library.path}.)
     *
     * @return the absolute path
     * @throws AwsgiLinkageError if the library cannot be used
     */
    public static Path libraryPath() {
        ensureAvailable();
        return Loader.load().path();
    }
}
