package io.awsgi.core;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.lang.invoke.MethodHandles;
import java.net.URL;
import java.net.URLConnection;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Finds the library, loads it, and makes sure that it belongs to these classes; see {@link Awsgi}.
 */
final class Loader {
    /** {@code false} switches the library off. */
    static final String SWITCH = "awsgi.native";

    /** The library, or a folder with it. */
    static final String PATH = "awsgi.library.path";

    private static final String NAME = System.mapLibraryName("awsgi");
    private static final String CHECKSUM = ".sha256";
    private static final String RESOURCES = "META-INF/native/";
    private static final List<String> OTHERS =
            List.of("linux-x86_64", "linux-aarch_64", "linux-x86_64-musl", "linux-aarch_64-musl");

    /**
     * How it ended.
     *
     * @param found where the library is; null if there is a failure
     * @param failure why there is none
     */
    record Loaded(@Nullable Path found, @Nullable AwsgiLinkageError failure) {
        Path path() {
            if (found == null) {
                throw new IllegalStateException("there is a failure");
            }
            return found;
        }
    }

    // Not a static initializer: an error in one would hide what this class tells.
    private static final ReentrantLock LOCK = new ReentrantLock();
    private static volatile @Nullable Loaded loaded;

    private final LoadReport report = new LoadReport();
    private final List<String> warnings = new ArrayList<>();
    private boolean denied;

    private Loader() {}

    /** Loads the library, the first time; answers how that ended. Throws nothing. */
    static Loaded load() {
        Loaded known = loaded;
        return known != null ? known : loadOnce();
    }

    private static Loaded loadOnce() {
        // JNI_OnLoad looks for this class. It finds it without asking the class loader, whose locks
        // another thread may hold, if it is there already; and nobody's initializer runs under
        // ours.
        try {
            MethodHandles.lookup().ensureInitialized(Native.class);
        } catch (IllegalAccessException impossible) {
            throw new IllegalStateException(impossible);
        }
        Loader loader = new Loader();
        Loaded result;
        LOCK.lock();
        try {
            result = loaded;
            if (result != null) {
                return result;
            }
            Path found = loader.search();
            if (found == null && !loader.report.hasRemedy()) {
                loader.addArtifact();
            }
            result = new Loaded(found, found == null ? loader.report.error() : null);
            loaded = result;
        } finally {
            LOCK.unlock();
        }
        // Outside of the lock: a log may do anything.
        loader.tell(result);
        return result;
    }

    private void tell(Loaded result) {
        if (warnings.isEmpty() && (result.found() == null || report.attempts().isEmpty())) {
            return;
        }
        System.Logger log = System.getLogger("io.awsgi");
        for (String warning : warnings) {
            log.log(System.Logger.Level.WARNING, warning);
        }
        if (result.found() != null) {
            for (String attempt : report.attempts()) {
                log.log(System.Logger.Level.DEBUG, "passed over: " + attempt);
            }
        }
    }

    private @Nullable Path search() {
        String wanted = System.getProperty(SWITCH, "true").toLowerCase(Locale.ROOT);
        if (!wanted.equals("true")) {
            report.missing(
                    "-D" + SWITCH + "=" + wanted,
                    wanted.equals("false")
                            ? "the library is switched off"
                            : "neither true nor false, so the library stays off");
            report.remedy("leave out -D" + SWITCH + ", or set it to true");
            return null;
        }
        String explicit = System.getProperty(PATH, "");
        if (!explicit.isEmpty()) {
            Path found = attempt("-D" + PATH + "=" + explicit, () -> explicit(explicit));
            if (found == null) {
                report.remedy(
                        "correct -D"
                                + PATH
                                + ": nothing else is tried while it is set; without it, "
                                + NAME
                                + " is looked for in java.library.path and on the class path");
            }
            return found;
        }
        Path found = inLibraryPath();
        if (found == null && !denied) {
            found = inResources();
        }
        return found;
    }

    /** One attempt: a place, and what is tried there. */
    private interface Attempt {
        Path run() throws IOException;
    }

    private @Nullable Path attempt(String where, Attempt attempt) {
        try {
            return attempt.run();
        } catch (IOException | LinkageError | RuntimeException e) {
            if (e instanceof IllegalCallerException) {
                denied = true;
                Module module = Loader.class.getModule();
                report.remedy(
                        "start Java with --enable-native-access="
                                + (module.isNamed() ? module.getName() : "ALL-UNNAMED"));
            }
            report.tried(where, e);
            return null;
        }
    }

    private Path explicit(String value) throws IOException {
        Path given = Path.of(value).toAbsolutePath();
        Path file = Files.isDirectory(given) ? given.resolve(NAME) : given;
        if (!Files.exists(file)) {
            throw new UnsatisfiedLinkError(
                    file.equals(given) ? "there is no such file" : "the folder has no " + NAME);
        }
        return loadFile(file);
    }

    private @Nullable Path inLibraryPath() {
        String path = System.getProperty("java.library.path", "");
        Set<Path> seen = new HashSet<>();
        for (String folder : path.split(File.pathSeparator, -1)) {
            // An empty one would be the current folder, in which anybody's file may lie.
            if (folder.isEmpty()) {
                continue;
            }
            try {
                Path file = Path.of(folder, NAME).toAbsolutePath();
                if (!Files.isRegularFile(file) || !seen.add(file.toRealPath())) {
                    continue;
                }
                Path found = attempt("java.library.path: " + file, () -> loadFile(file));
                if (found != null || denied) {
                    return found;
                }
            } catch (IOException | InvalidPathException e) {
                report.tried("java.library.path: " + folder, e);
            }
        }
        if (seen.isEmpty()) {
            report.missing("java.library.path=" + path, "no " + NAME);
        }
        return null;
    }

    private @Nullable Path inResources() {
        String name = RESOURCES + Platform.CLASSIFIER + "/" + NAME;
        try {
            Map<String, Resource> found = resources(name);
            if (found.isEmpty()) {
                report.missing("resource " + name, missing());
                addArtifact();
                return null;
            }
            if (found.size() > 1) {
                StringBuilder text = new StringBuilder();
                found.values().forEach(one -> text.append("\n  ").append(one.url));
                warnings.add(
                        "the class path has different libraries named "
                                + name
                                + "; the first that belongs to these classes ("
                                + Awsgi.VERSION
                                + ") is used. Leave one awsgi-native there:"
                                + text);
            }
            for (Resource resource : found.values()) {
                Path path = attempt("resource " + resource.url, () -> loadResource(resource));
                if (path != null || denied) {
                    return path;
                }
            }
            if (found.size() > 1) {
                report.remedy(
                        "leave one awsgi-native on the class path, of the version of awsgi-core");
            }
        } catch (IOException | RuntimeException e) {
            report.tried("resource " + name, e);
            addArtifact();
        }
        return null;
    }

    private static final class Resource {
        final URL url;
        final byte[] bytes;
        final String digest;

        Resource(URL url) throws IOException {
            this.url = url;
            this.bytes = read(url);
            this.digest = sha256(bytes);
        }
    }

    /** The libraries of this name that differ, in the order of the class path. */
    private static Map<String, Resource> resources(String name) throws IOException {
        Map<String, Resource> found = new LinkedHashMap<>();
        for (URL url : list(name)) {
            Resource resource = new Resource(url);
            found.putIfAbsent(resource.digest, resource);
        }
        return found;
    }

    private static List<URL> list(String name) throws IOException {
        ClassLoader ours = Loader.class.getClassLoader();
        return Collections.list(
                ours == null ? ClassLoader.getSystemResources(name) : ours.getResources(name));
    }

    private static byte[] read(URL url) throws IOException {
        URLConnection connection = url.openConnection();
        // The cache shares an open jar with others, who may close it.
        connection.setUseCaches(false);
        try (InputStream in = connection.getInputStream()) {
            return in.readAllBytes();
        }
    }

    private static String sha256(byte[] bytes) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (NoSuchAlgorithmException impossible) {
            throw new IllegalStateException("every JVM has SHA-256", impossible);
        }
    }

    private Path loadResource(Resource resource) throws IOException {
        verify(resource);
        return loadCopy(resource.bytes);
    }

    private void verify(Resource resource) throws IOException {
        String beside = resource.url.toExternalForm() + CHECKSUM;
        String name = RESOURCES + Platform.CLASSIFIER + "/" + NAME + CHECKSUM;
        for (URL url : list(name)) {
            if (url.toExternalForm().equals(beside)) {
                String expected =
                        new String(read(url), StandardCharsets.US_ASCII)
                                .strip()
                                .split("\\s", 2)[0]
                                .toLowerCase(Locale.ROOT);
                if (expected.equals(resource.digest)) {
                    return;
                }
                report.remedy("the jar is damaged: delete it, also from ~/.m2, and fetch it again");
                throw new UnsatisfiedLinkError(
                        "its SHA-256 is "
                                + resource.digest
                                + ", and "
                                + NAME
                                + CHECKSUM
                                + " beside it says "
                                + expected);
            }
        }
        report.remedy("the jar is incomplete: use awsgi-native as it is published");
        throw new UnsatisfiedLinkError("there is no " + NAME + CHECKSUM + " beside it");
    }

    private Path loadCopy(byte[] library) throws IOException {
        Path workdir = Extraction.workdir();
        Extraction extraction;
        try {
            extraction = Extraction.of(workdir, NAME, library);
        } catch (IOException e) {
            otherWorkdir();
            throw new IOException(
                    "it cannot be copied to "
                            + workdir
                            + " ("
                            + e.getClass().getSimpleName()
                            + ": "
                            + e.getMessage()
                            + ")",
                    e);
        }
        try (extraction) {
            return loadFile(extraction.file);
        }
    }

    /** Loads a file, or a copy of it if another class loader has it. Answers the path loaded. */
    private Path loadFile(Path file) throws IOException {
        examine(file);
        // The JVM resolves links too, and gives this path to dlopen.
        String path = file.toFile().getCanonicalPath();
        try {
            System.load(path);
        } catch (UnsatisfiedLinkError e) {
            String message = String.valueOf(e.getMessage());
            if (message.contains("already loaded in another classloader")) {
                return loadCopy(Files.readAllBytes(file));
            }
            throw explained(e, file);
        }
        handshake();
        return Path.of(path);
    }

    /** What would kill the JVM if it were loaded is not. */
    private void examine(Path file) throws IOException {
        if (!Platform.OS.equals("linux")) {
            return;
        }
        String misfit = Elf.read(file).misfit(Platform.ARCH, Platform.LIBC);
        if (misfit != null) {
            addArtifact();
            throw new UnsatisfiedLinkError(misfit);
        }
    }

    private UnsatisfiedLinkError explained(UnsatisfiedLinkError e, Path file) {
        String message = String.valueOf(e.getMessage());
        String volume = Mounts.noexec(file);
        String why = "";
        if (volume != null) {
            why = "the volume " + volume + " is mounted noexec, so nothing on it can be loaded; ";
            otherWorkdir();
        } else if (message.contains("GLIBC_")) {
            why = "it was built for a newer C library than this system has; ";
            report.remedy(
                    "use awsgi-native as it is published, which is built for old systems, or build"
                            + " the library on this one");
        }
        if (why.isEmpty()) {
            return e;
        }
        UnsatisfiedLinkError explained = new UnsatisfiedLinkError(why + message);
        explained.initCause(e);
        return explained;
    }

    private void handshake() {
        try {
            Layout.check();
        } catch (AwsgiLinkageError mismatch) {
            String version = Layout.libraryVersion();
            report.remedy(
                    "use awsgi-core and awsgi-native of one version, as awsgi-bom has them: these"
                            + " classes are "
                            + Awsgi.VERSION);
            AwsgiLinkageError explained =
                    new AwsgiLinkageError(
                            "it is version "
                                    + (version.startsWith("-") ? "unknown" : version)
                                    + " and these classes are "
                                    + Awsgi.VERSION
                                    + ": "
                                    + mismatch.getMessage());
            explained.initCause(mismatch);
            throw explained;
        } catch (UnsatisfiedLinkError unbound) {
            throw noBridge(unbound);
        }
        try {
            // The handshake works even if nothing else does.
            Native.count(Layout.LIVE_REACTORS);
        } catch (UnsatisfiedLinkError unbound) {
            throw noBridge(unbound);
        }
    }

    private UnsatisfiedLinkError noBridge(UnsatisfiedLinkError unbound) {
        // Written so that a tool which renames packages does not rename this.
        String home = "io!awsgi!core".replace('!', '.');
        String moved = Loader.class.getPackageName();
        UnsatisfiedLinkError explained;
        if (moved.equals(home)) {
            report.remedy(
                    "use awsgi-native of version "
                            + Awsgi.VERSION
                            + ", or build the library with feature jni");
            explained =
                    new UnsatisfiedLinkError(
                            "it has no bridge for these classes: it is not libawsgi, another"
                                    + " version of it, or was built without feature jni");
        } else {
            report.remedy("do not relocate " + home + " when shading");
            explained =
                    new UnsatisfiedLinkError(
                            "it looks for its classes in " + home + ", and they are in " + moved);
        }
        explained.initCause(unbound);
        return explained;
    }

    private static String missing() throws IOException {
        StringBuilder others = new StringBuilder();
        for (String classifier : OTHERS) {
            if (!list(RESOURCES + classifier + "/" + NAME).isEmpty()) {
                others.append(others.length() == 0 ? "" : ", ").append(classifier);
            }
        }
        return others.length() == 0
                ? "not there"
                : "not there; the class path has it for " + others;
    }

    private void addArtifact() {
        String text =
                "add this to the pom:\n"
                        + "<dependency>\n"
                        + "  <groupId>io.awsgi</groupId>\n"
                        + "  <artifactId>awsgi-native</artifactId>\n"
                        + "  <version>"
                        + Awsgi.VERSION
                        + "</version>\n"
                        + "  <classifier>"
                        + Platform.CLASSIFIER
                        + "</classifier>\n"
                        + "  <scope>runtime</scope>\n"
                        + "</dependency>";
        if (Loader.class.getModule().isNamed()) {
            text +=
                    "\n(on the module path, nothing requires its module: add --add-modules"
                            + " io.awsgi.natives."
                            + Platform.OS
                            + "."
                            + Platform.ARCH
                            + ")";
        }
        report.remedy(text);
        report.remedy("or say where the library is: -D" + PATH + "=<file or folder>");
    }

    private void otherWorkdir() {
        report.remedy(
                "name a folder that this user can write to, on a volume that is not mounted noexec:"
                        + " -D"
                        + Extraction.WORKDIR
                        + "=<folder>; or put the library on one and name it: -D"
                        + PATH
                        + "=<file or folder>");
    }
}
