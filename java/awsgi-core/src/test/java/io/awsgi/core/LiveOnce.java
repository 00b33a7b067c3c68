package io.awsgi.core;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.lang.ref.WeakReference;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.ByteBuffer;
import java.nio.channels.Pipe;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** A program of {@link ChildJvm}: what becomes of reactors when what is around them ends. */
public final class LiveOnce {
    private LiveOnce() {}

    private static final Readiness READABLE = Readiness.READABLE;

    public static void main(String[] arguments) throws Exception {
        switch (arguments[0]) {
            case "leak" -> leak();
            case "loaders" -> loaders();
            case "redeploy" -> redeploy();
            case "lost" -> lost();
            case "exit in a task" -> exitInATask();
            case "exit in a sink" -> exitInASink();
            case "exit elsewhere" -> exitElsewhere();
            case "return" -> returnFromMain();
            case "signals" -> signals();
            case "memory" -> memory(Integer.parseInt(arguments[1]));
            default -> throw new IllegalArgumentException(arguments[0]);
        }
        System.out.println("ended: well");
    }

    private static void check(boolean so, String what) {
        if (!so) {
            throw new AssertionError(what);
        }
    }

    /** Starts waits until there is no memory for more: those that were started go on. */
    private static void memory(int members) {
        try (ManualHost host = new ManualHost()) {
            List<Waitable> events = new ArrayList<>();
            for (int at = 0; at < members; at++) {
                events.add(host.reactor.event());
            }
            Question all = Question.of(events, READABLE).all();
            int[] completed = new int[1];
            Sink sink = (wait, outcome, ready, more) -> completed[0]++;
            int started = 0;
            try {
                while (true) {
                    host.reactor.start(all, sink);
                    started++;
                }
            } catch (OutOfMemoryError expected) {
                System.out.println("without memory: " + expected.getStackTrace()[0]);
            }
            check(host.bridge.waits() == started, "a wait that was not started is waited for");
            host.settle();
            events.forEach(event -> event.signal(READABLE));
            host.settle();
            check(completed[0] == started, completed[0] + " of " + started + " completed");
            check(host.bridge.waits() == 0, "a wait that was not started is waited for");
        }
    }

    /** Waits until something is so that garbage collection, or another thread, brings about. */
    private static void until(BooleanSupplier so, String what) throws InterruptedException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (!so.getAsBoolean()) {
            check(System.nanoTime() < end, "not within 20 seconds: " + what);
            System.gc();
            Thread.sleep(5);
        }
    }

    private static <T> T get(CompletableFuture<T> future) throws Exception {
        return future.get(20, TimeUnit.SECONDS);
    }

    private static <T> T on(SelectorHost host, Callable<T> work) throws Exception {
        return get(host.reactor().call(work));
    }

    /** A loop that is turned by nobody. */
    private static final class Idle implements ReactorBridge.Host {
        @Override
        public void wakeup() {}

        @Override
        public void watch(Waitable waitable, Readiness interest) {}
    }

    // ---- a reactor that nobody closes ---------------------------------------------------------

    private static void leak() throws Exception {
        // Before there is a log, which keeps what it finds here.
        PrintStream before = System.err;
        ByteArrayOutputStream said = new ByteArrayOutputStream();
        System.setErr(new PrintStream(said, true, StandardCharsets.UTF_8));
        try (ReactorBridge closed =
                ReactorBridge.open(new Idle(), ReactorOptions.DEFAULT.name("closed"))) {
            closed.turn();
        }
        dropOne();
        until(() -> said.toString(StandardCharsets.UTF_8).contains("LEAK"), "a report");
        System.setErr(before);
        System.out.println(said.toString(StandardCharsets.UTF_8));
        System.out.println("reactors: " + Native.count(Layout.LIVE_REACTORS));
    }

    /** Called in another class loader, too. */
    public static void dropOne() {
        ReactorBridge leaked = ReactorBridge.open(new Idle(), ReactorOptions.DEFAULT.name("lost"));
        leaked.turn();
    }

    // ---- class loaders ------------------------------------------------------------------------

    private static URLClassLoader loader() throws IOException {
        List<URL> path = new ArrayList<>();
        for (String entry : System.getProperty("java.class.path").split(":", -1)) {
            path.add(Path.of(entry).toUri().toURL());
        }
        return new URLClassLoader(path.toArray(new URL[0]), ClassLoader.getPlatformClassLoader());
    }

    private static Class<?> in(ClassLoader loader) throws ClassNotFoundException {
        return loader.loadClass(LiveOnce.class.getName());
    }

    /** The files of this name that the process has mapped. */
    private static Set<String> mapped() {
        try {
            return Files.readString(Path.of("/proc/self/maps"), StandardCharsets.UTF_8)
                    .lines()
                    .filter(line -> line.contains(System.mapLibraryName("awsgi")))
                    .map(line -> line.substring(line.indexOf('/')))
                    .collect(Collectors.toCollection(TreeSet::new));
        } catch (IOException impossible) {
            throw new java.io.UncheckedIOException(impossible);
        }
    }

    /** What is open, by number; the folder that is read for it is not. */
    private static Map<String, String> descriptors() throws IOException {
        Map<String, String> descriptors = new TreeMap<>();
        try (Stream<Path> all = Files.list(Path.of("/proc/self/fd"))) {
            for (Path path : all.toList()) {
                try {
                    String file = Files.readSymbolicLink(path).toString();
                    if (!file.startsWith("/proc/")) {
                        descriptors.put(path.getFileName().toString(), file);
                    }
                } catch (NoSuchFileException closed) {
                    // By another thread, meanwhile.
                }
            }
        }
        return descriptors;
    }

    /** Of a pipe that is opened now, with the number of the end that reads. */
    private record Numbered(Pipe pipe, int reading) {
        static Numbered open() throws IOException {
            Set<Map.Entry<String, String>> before = descriptors().entrySet();
            Pipe pipe = Pipe.open();
            for (Map.Entry<String, String> one : descriptors().entrySet()) {
                if (one.getValue().startsWith("pipe:") && !before.contains(one)) {
                    String info = Files.readString(Path.of("/proc/self/fdinfo", one.getKey()));
                    if (info.lines().anyMatch(line -> line.matches("flags:\\s*[0-7]*0"))) {
                        return new Numbered(pipe, Integer.parseInt(one.getKey()));
                    }
                }
            }
            throw new IOException("the pipe is not there");
        }

        void write() throws IOException {
            pipe.sink().write(ByteBuffer.wrap(new byte[] {1}));
        }

        void close() throws IOException {
            pipe.sink().close();
            pipe.source().close();
        }
    }

    private static List<Thread> threads(String name) {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().equals(name))
                .toList();
    }

    /** What one application does, with everything that a thread or a table could keep of it. */
    private static final class Deployed implements Callable<String>, AutoCloseable {
        private final SelectorHost host =
                SelectorHost.start(ReactorOptions.DEFAULT.name("deployed"));
        private final Numbered pipe = Numbered.open();
        private final Pipe channels = Pipe.open();
        private final Waitable event = on(host, host.reactor()::event);
        private final Waitable descriptor =
                on(host, () -> host.reactor().descriptor(pipe.reading()));

        Deployed() throws Exception {
            channels.source().configureBlocking(false);
        }

        /** A round of waiting for each. Answers which library it is. */
        @Override
        public String call() throws Exception {
            CompletableFuture<Readiness> one = host.reactor().whenReady(event, READABLE, null);
            CompletableFuture<Readiness> other =
                    host.reactor().whenReady(descriptor, READABLE, null);
            CompletableFuture<Readiness> third = host.whenReady(channels.source(), READABLE, null);
            event.signal(READABLE);
            pipe.write();
            channels.sink().write(ByteBuffer.wrap(new byte[] {1}));
            check(get(one) == READABLE, "the event");
            check(get(other) == READABLE, "the descriptor");
            check(get(third) == READABLE, "the channel");
            check(get(host.reactor().sleep(Duration.ofNanos(1))).isTimedOut(), "the timer");
            on(host, event::take);
            return Awsgi.libraryPath().toString();
        }

        @Override
        public void close() throws IOException {
            host.close();
            pipe.close();
            channels.source().close();
            channels.sink().close();
        }
    }

    /** Called in another class loader: its application. */
    public static Callable<String> deploy() throws Exception {
        return new Deployed();
    }

    @SuppressWarnings("unchecked")
    private static Callable<String> deployIn(ClassLoader loader) throws Exception {
        return (Callable<String>) in(loader).getMethod("deploy").invoke(null);
    }

    private static void loaders() throws Exception {
        try (URLClassLoader first = loader();
                URLClassLoader second = loader()) {
            Callable<String> one = deployIn(first);
            Callable<String> other = deployIn(second);
            for (int round = 0; round < 10; round++) {
                System.out.println("different: " + !one.call().equals(other.call()));
            }
            System.out.println("copies: " + mapped().size());
            System.out.println("watchers: " + threads("awsgi-watcher").size());
            ((AutoCloseable) one).close();
            until(() -> threads("awsgi-watcher").size() == 1, "the end of the first watcher");
            other.call();
            ((AutoCloseable) other).close();
            until(() -> threads("awsgi-watcher").isEmpty(), "the end of the second watcher");
        }
    }

    private static void redeploy() throws Exception {
        // Once, for what stays for good.
        WeakReference<ClassLoader> first = deployOnce();
        until(() -> first.get() == null && mapped().isEmpty(), "the end of the first");
        Map<String, String> before = descriptors();
        List<WeakReference<ClassLoader>> gone = new ArrayList<>();
        int most = 0;
        for (int round = 0; round < 50; round++) {
            WeakReference<ClassLoader> loader = deployOnce();
            gone.add(loader);
            until(() -> loader.get() == null, "the end of class loader " + gone.size());
            most = Math.max(most, mapped().size());
        }
        until(() -> mapped().isEmpty(), "the end of the libraries");
        System.out.println("alive: " + gone.stream().filter(one -> one.get() != null).count());
        System.out.println("copies: " + mapped().size() + ", at most " + most);
        System.out.println("threads: " + threads("awsgi-watcher").size());
        Map<String, String> after = descriptors();
        // The JVM itself may have had one more for a moment.
        System.out.println("descriptors: " + Math.max(0, after.size() - before.size()));
        check(most <= 2, "libraries gather: " + most);
    }

    private static void lost() throws Exception {
        WeakReference<ClassLoader> gone = loseOne();
        until(() -> gone.get() == null && mapped().isEmpty(), "the end of the class loader");
        WeakReference<ClassLoader> next = deployOnce();
        until(() -> next.get() == null && mapped().isEmpty(), "the end of the next one");
    }

    private static WeakReference<ClassLoader> loseOne() throws Exception {
        try (URLClassLoader loader = loader()) {
            in(loader).getMethod("dropOne").invoke(null);
            return new WeakReference<>(loader);
        }
    }

    private static WeakReference<ClassLoader> deployOnce() throws Exception {
        try (URLClassLoader loader = loader()) {
            Callable<String> application = deployIn(loader);
            application.call();
            ((AutoCloseable) application).close();
            return new WeakReference<>(loader);
        }
    }

    // ---- the end of the JVM -------------------------------------------------------------------

    /** Everything that could hold up its end. */
    private static List<Object> busy() throws Exception {
        List<Object> all = new ArrayList<>();
        for (int at = 0; at < 3; at++) {
            Deployed deployed = new Deployed();
            deployed.call();
            SelectorHost host = deployed.host;
            all.add(deployed);
            all.add(host.whenReady(deployed.channels.source(), READABLE, Duration.ofDays(1)));
            all.add(host.reactor().whenReady(deployed.event, READABLE, null));
            all.add(host.reactor().whenReady(deployed.descriptor, Readiness.HANGUP, null));
            all.add(host.reactor().sleep(Duration.ofDays(1)));
            Thread waiting =
                    new Thread(
                            () -> {
                                try {
                                    host.reactor().awaitReady(deployed.event, READABLE, null);
                                } catch (IOException | InterruptedException ended) {
                                    throw new IllegalStateException(ended);
                                }
                            });
            waiting.setDaemon(true);
            waiting.start();
        }
        check(threads("awsgi-watcher").size() == 1, "a watcher");
        all.add(SelectorHost.open(ReactorOptions.DEFAULT));
        all.add(ReactorBridge.open(new Idle(), ReactorOptions.DEFAULT));
        return all;
    }

    private static void exit(int status) {
        System.out.println("ended: well");
        System.out.println("exits at: " + System.currentTimeMillis());
        System.exit(status);
    }

    private static void exitInATask() throws Exception {
        Deployed last = (Deployed) busy().get(0);
        last.host.reactor().execute(() -> exit(41));
        Thread.sleep(Long.MAX_VALUE);
    }

    private static void exitInASink() throws Exception {
        Deployed last = (Deployed) busy().get(0);
        Waitable event = on(last.host, last.host.reactor()::event);
        on(
                last.host,
                () ->
                        last.host
                                .reactor()
                                .start(
                                        Question.of(event, READABLE),
                                        (wait, outcome, ready, more) -> exit(42)));
        event.signal(READABLE);
        Thread.sleep(Long.MAX_VALUE);
    }

    private static void exitElsewhere() throws Exception {
        for (Object one : busy()) {
            if (one instanceof Deployed deployed) {
                turnForEver(deployed.host.reactor());
            }
        }
        exit(43);
    }

    private static void turnForEver(Reactor reactor) {
        reactor.execute(() -> turnForEver(reactor));
    }

    private static void returnFromMain() throws Exception {
        check(!busy().isEmpty(), "something to do");
        System.out.println("exits at: " + System.currentTimeMillis());
    }

    // ---- signals and children -----------------------------------------------------------------

    private static Map<String, String> signalsOfThisProcess() throws IOException {
        return Files.readAllLines(Path.of("/proc/self/status")).stream()
                .filter(line -> line.matches("Sig(Cgt|Ign):.*"))
                .collect(Collectors.toMap(line -> line.substring(0, 6), line -> line.substring(7)));
    }

    private static void signals() throws Exception {
        // What the JVM itself does the first time.
        check(exitOf(0) == 0, "a child");
        Map<String, String> before = signalsOfThisProcess();
        check(before.size() == 2, "signals");
        List<Object> all = busy();
        for (int status = 0; status < 50; status++) {
            int told = exitOf(status);
            check(told == status, "a child that ended with " + status + " told " + told);
            ((Deployed) all.get(0)).call();
        }
        Map<String, String> after = signalsOfThisProcess();
        check(before.equals(after), "signals " + before + " became " + after);
        System.out.println("signals: " + after);
    }

    private static int exitOf(int status) throws IOException, InterruptedException {
        Process child = new ProcessBuilder("sh", "-c", "exit " + status).start();
        check(child.waitFor(20, TimeUnit.SECONDS), "a child does not end");
        return child.exitValue();
    }
}
