package io.awsgi.core;

import java.io.IOException;
import java.lang.ref.WeakReference;
import java.net.NetworkInterface;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import org.jspecify.annotations.Nullable;

/** The program of {@link ChildJvm}: loads the library and prints how that ended. */
public final class LoadOnce {
    private LoadOnce() {}

    public static void main(String[] arguments) throws Exception {
        String what = arguments.length == 0 ? "once" : arguments[0];
        switch (what) {
            case "once" -> System.out.println(report());
            case "interrupted" -> {
                Thread.currentThread().interrupt();
                System.out.println(report());
                System.out.println("interrupted: " + Thread.currentThread().isInterrupted());
            }
            case "threads" -> threads();
            case "loaders" -> loaders();
            case "redeploy" -> redeploy();
            default -> throw new IllegalArgumentException(what);
        }
        System.out.println("ended: well");
    }

    /** What there is to say about this copy of the classes. */
    public static String report() throws IOException {
        StringBuilder text = new StringBuilder();
        text.append("available: ").append(Awsgi.isAvailable());
        text.append("\nversion: ").append(Awsgi.version());
        Throwable cause = Awsgi.unavailabilityCause();
        if (cause == null) {
            Awsgi.ensureAvailable();
            Path path = Awsgi.libraryPath();
            text.append("\npath: ").append(path);
            text.append("\nmapped: ").append(mapped().contains(path.toString()));
            text.append("\nfile: ").append(Files.exists(path));
            text.append("\nfinds itself: ").append(Native.count(StandIn.FINDS_ITSELF));
            return text.toString();
        }
        text.append("\nsame: ").append(cause == Awsgi.unavailabilityCause());
        text.append("\nsuppressed: ").append(cause.getSuppressed().length);
        text.append("\ncause: ").append(cause.getMessage());
        for (Callable<?> call : List.<Callable<?>>of(LoadOnce::ensure, Awsgi::libraryPath)) {
            try {
                call.call();
                text.append("\nthrown: nothing");
            } catch (AwsgiLinkageError thrown) {
                text.append("\nthrown: ")
                        .append(String.valueOf(thrown.getMessage()).equals(cause.getMessage()))
                        .append(" with ")
                        .append(thrown.getSuppressed().length);
            } catch (Exception other) {
                text.append("\nthrown: ").append(other);
            }
        }
        return text.toString();
    }

    private static @Nullable Void ensure() {
        Awsgi.ensureAvailable();
        return null;
    }

    /** The files of this name that the process has mapped, by their paths. */
    private static List<String> mapped() throws IOException {
        return Files.readString(Path.of("/proc/self/maps"), StandardCharsets.UTF_8)
                .lines()
                .filter(line -> line.contains(System.mapLibraryName("awsgi")))
                .map(line -> line.substring(line.indexOf('/')).replace(" (deleted)", ""))
                .distinct()
                .toList();
    }

    private static void threads() throws Exception {
        int count = 8;
        CyclicBarrier start = new CyclicBarrier(count);
        ExecutorService threads = Executors.newFixedThreadPool(count);
        List<Future<String>> reports = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            boolean other = i % 2 == 1;
            reports.add(
                    threads.submit(
                            () -> {
                                start.await(30, TimeUnit.SECONDS);
                                if (other) {
                                    // Who loads libraries and classes at the same time.
                                    SSLContext.getDefault();
                                    NetworkInterface.getNetworkInterfaces();
                                }
                                return report();
                            }));
        }
        Set<String> different = ConcurrentHashMap.newKeySet();
        for (Future<String> report : reports) {
            different.add(report.get(30, TimeUnit.SECONDS));
        }
        threads.shutdown();
        System.out.println("different: " + different.size());
        System.out.println("copies: " + mapped().size());
        different.forEach(System.out::println);
    }

    private static URLClassLoader loader() throws IOException {
        List<URL> path = new ArrayList<>();
        for (String entry : System.getProperty("java.class.path").split(":", -1)) {
            path.add(Path.of(entry).toUri().toURL());
        }
        return new URLClassLoader(path.toArray(new URL[0]), ClassLoader.getPlatformClassLoader());
    }

    private static String reportOf(URLClassLoader loader) throws Exception {
        return (String) loader.loadClass(LoadOnce.class.getName()).getMethod("report").invoke(null);
    }

    private static void loaders() throws Exception {
        try (URLClassLoader one = loader();
                URLClassLoader other = loader()) {
            System.out.println(reportOf(one).replace("path:", "path of one:"));
            System.out.println(reportOf(other).replace("path:", "path of other:"));
            System.out.println("copies: " + mapped().size());
        }
    }

    private static void redeploy() throws Exception {
        List<WeakReference<ClassLoader>> gone = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            gone.add(deploy());
        }
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (gone.stream().anyMatch(one -> one.get() != null) && System.nanoTime() < end) {
            System.gc();
            Thread.sleep(10);
        }
        while (!mapped().isEmpty() && System.nanoTime() < end) {
            System.gc();
            Thread.sleep(10);
        }
        System.out.println("alive: " + gone.stream().filter(one -> one.get() != null).count());
        System.out.println("copies: " + mapped().size());
    }

    private static WeakReference<ClassLoader> deploy() throws Exception {
        try (URLClassLoader loader = loader()) {
            String report = reportOf(loader);
            if (!report.startsWith("available: true")) {
                throw new IllegalStateException(report);
            }
            return new WeakReference<>(loader);
        }
    }
}
