package io.awsgi.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.reflect.Executable;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Parameter;
import java.net.URI;
import java.net.URL;
import java.nio.channels.SelectableChannel;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * Every public method of every class, also one that is added tomorrow, with everything that is
 * wrong: with null, after the end, on another thread, with objects of others and numbers that mean
 * nothing. The answer is an exception that says so, and never another.
 */
@ExtendWith(NothingLeft.class)
class EveryMethodTest {
    /**
     * For any thread, as their documentation says. All others refuse other threads than the
     * owner's.
     */
    private static final Set<String> FOR_ANY_THREAD =
            Set.of(
                    "Reactor.awaitReady",
                    "Reactor.call",
                    "Reactor.close",
                    "Reactor.execute",
                    "Reactor.inLoop",
                    "Reactor.isOpen",
                    "Reactor.sleep",
                    "Reactor.toString",
                    "Reactor.whenClosed",
                    "Reactor.whenReady",
                    "ReactorBridge.close",
                    "ReactorBridge.reactor",
                    "ReactorBridge.toString",
                    "SelectorHost.awaitReady",
                    "SelectorHost.close",
                    "SelectorHost.reactor",
                    "SelectorHost.release",
                    "SelectorHost.toString",
                    "SelectorHost.whenReady",
                    "Waitable.attachment",
                    "Waitable.close",
                    "Waitable.isOpen",
                    "Waitable.reactor",
                    "Waitable.signal",
                    "Waitable.toString",
                    "Waitable.token");

    /** They have an answer after the end, too. All others say that it has come. */
    private static final Set<String> AFTER_THE_END =
            Set.of(
                    "Reactor.close",
                    "Reactor.inLoop",
                    "Reactor.isOpen",
                    "Reactor.toString",
                    "Reactor.whenClosed",
                    "ReactorBridge.close",
                    "ReactorBridge.limitTurns",
                    "ReactorBridge.mustTurn",
                    "ReactorBridge.reactor",
                    "ReactorBridge.timeoutNanos",
                    "ReactorBridge.toString",
                    "ReactorBridge.turn",
                    "SelectorHost.close",
                    "SelectorHost.reactor",
                    "SelectorHost.toString",
                    "SelectorHost.turn",
                    "Wait.cancel",
                    "Wait.failure",
                    "Wait.forget",
                    "Wait.isPending",
                    "Wait.members",
                    "Wait.rearm",
                    "Waitable.attachment",
                    "Waitable.close",
                    "Waitable.isOpen",
                    "Waitable.reactor",
                    "Waitable.toString",
                    "Waitable.token");

    /** What those throw that are given such a thing. */
    private static final class Planted extends RuntimeException {
        private static final long serialVersionUID = 1L;
    }

    // ---- what there is ------------------------------------------------------------------------

    /** The public classes of the package. */
    private static List<Class<?>> classes() throws Exception {
        String name = Awsgi.class.getName().replace('.', '/') + ".class";
        URL url = Awsgi.class.getClassLoader().getResource(name);
        List<String> files = new ArrayList<>();
        URI uri = url.toURI();
        if (uri.getScheme().equals("jar")) {
            try (var jar = FileSystems.newFileSystem(uri, Map.of())) {
                list(jar.getPath("/", name).getParent(), files);
            }
        } else {
            list(Path.of(uri).getParent(), files);
        }
        List<Class<?>> classes = new ArrayList<>();
        for (String file : files) {
            String type = file.substring(0, file.length() - ".class".length());
            Class<?> found =
                    Class.forName(
                            Awsgi.class.getPackageName() + "." + type,
                            false,
                            Awsgi.class.getClassLoader());
            if (isPublic(found)) {
                classes.add(found);
            }
        }
        return classes;
    }

    private static void list(Path folder, List<String> files) throws IOException {
        try (Stream<Path> all = Files.list(folder)) {
            all.map(file -> file.getFileName().toString())
                    .filter(file -> file.endsWith(".class") && !file.endsWith("-info.class"))
                    .sorted()
                    .forEach(files::add);
        }
    }

    private static boolean isPublic(Class<?> type) {
        for (Class<?> at = type; at != null; at = at.getEnclosingClass()) {
            if (!Modifier.isPublic(at.getModifiers())) {
                return false;
            }
        }
        return true;
    }

    /** Its public methods, by their names; those that its users write are not among them. */
    private static List<Executable> methods(Class<?> type) {
        List<Executable> methods = new ArrayList<>();
        for (Method method : type.getDeclaredMethods()) {
            boolean theirs = type.isInterface() && !Modifier.isStatic(method.getModifiers());
            if (Modifier.isPublic(method.getModifiers()) && !method.isSynthetic() && !theirs) {
                methods.add(method);
            }
        }
        methods.addAll(List.of(type.getConstructors()));
        methods.sort(Comparator.comparing(Executable::toString));
        return methods;
    }

    private static boolean isStatic(Executable method) {
        return !(method instanceof Method) || Modifier.isStatic(method.getModifiers());
    }

    private static String name(Executable method) {
        return method.getDeclaringClass().getSimpleName()
                + (method instanceof Method ? "." + method.getName() : "");
    }

    // ---- what they are given ------------------------------------------------------------------

    /** A channel that no selector of the JDK takes. */
    private static final class Alien extends SelectableChannel {
        @Override
        public java.nio.channels.spi.SelectorProvider provider() {
            return java.nio.channels.spi.SelectorProvider.provider();
        }

        @Override
        public int validOps() {
            return java.nio.channels.SelectionKey.OP_READ;
        }

        @Override
        public boolean isRegistered() {
            return false;
        }

        @Override
        public java.nio.channels.SelectionKey keyFor(java.nio.channels.Selector selector) {
            throw new Planted();
        }

        @Override
        public java.nio.channels.SelectionKey register(
                java.nio.channels.Selector selector, int ops, Object attachment) {
            throw new Planted();
        }

        @Override
        public SelectableChannel configureBlocking(boolean block) {
            return this;
        }

        @Override
        public boolean isBlocking() {
            return false;
        }

        @Override
        public Object blockingLock() {
            return this;
        }

        @Override
        protected void implCloseChannel() {}
    }

    /** All that one can have of these classes, of one thread, to call a method with. */
    private static final class World implements AutoCloseable {
        final ManualHost manual = new ManualHost();
        final ManualHost other = new ManualHost();
        final SelectorHost host;
        final java.nio.channels.Pipe pipe = java.nio.channels.Pipe.open();
        final java.nio.channels.Pipe closed = java.nio.channels.Pipe.open();
        final java.nio.channels.SocketChannel idle = java.nio.channels.SocketChannel.open();
        final Sink sink = (wait, outcome, ready, more) -> {};
        final Waitable event = manual.reactor.event();
        final Waitable gone = manual.reactor.event();
        final Waitable theirs = other.reactor.event();
        final List<Waitable> waitables = new ArrayList<>();
        final List<Wait> waits = new ArrayList<>();
        final List<CompletableFuture<?>> futures = new ArrayList<>();

        /** What the method is called on; a static one on nothing, once. */
        final List<?> receivers;

        /** With what it is called: all right, and then with one that may be wrong. */
        final List<@Nullable Object[]> arguments;

        World(Executable method) throws IOException {
            host = SelectorHost.open(ReactorOptions.DEFAULT);
            pipe.source().configureBlocking(false);
            pipe.sink().configureBlocking(false);
            closed.source().configureBlocking(false);
            closed.source().close();
            closed.sink().close();
            idle.configureBlocking(false);
            waitables.add(event);
            waitables.add(manual.reactor.counter());
            waitables.add(manual.reactor.timer(Duration.ofDays(1), Duration.ZERO));
            waitables.add(manual.bridge.level("level"));
            waitables.add(manual.bridge.once("once"));
            waitables.add(host.waitable(pipe.source()));
            gone.close();
            Question question = Question.of(event, Readiness.WRITABLE);
            waits.add(manual.reactor.start(question, sink));
            waits.add(manual.reactor.start(question.multishot(), sink));
            waits.add(manual.reactor.start(Question.sleep(Duration.ZERO), sink));
            waits.add(
                    manual.reactor.start(question.and(waitables.get(1), Readiness.READABLE), sink));
            manual.settle();
            event.signal(Readiness.READABLE);
            receivers =
                    isStatic(method)
                            ? Arrays.asList((Object) null)
                            : receivers(method.getDeclaringClass());
            arguments = arguments(method);
        }

        boolean isOpen() {
            return manual.reactor.isOpen() && host.reactor().isOpen() && event.isOpen();
        }

        /** What its methods are called on. */
        private List<?> receivers(Class<?> type) {
            if (type == Reactor.class) {
                return List.of(manual.reactor);
            } else if (type == ReactorBridge.class) {
                return List.of(manual.bridge);
            } else if (type == SelectorHost.class) {
                return List.of(host);
            } else if (type == Waitable.class) {
                return waitables;
            } else if (type == Wait.class) {
                return waits;
            } else if (type == Question.class) {
                return List.of(
                        Question.of(event, Readiness.READABLE),
                        Question.sleep(Duration.ZERO),
                        Question.of(List.of(event, waitables.get(1)), Readiness.READABLE).all());
            } else if (type == ReactorOptions.class) {
                return List.of(ReactorOptions.DEFAULT);
            } else if (type == Readiness.class) {
                return List.of(Readiness.READABLE, Readiness.NONE, Readiness.TIMED_OUT);
            } else if (type == Awsgi.Version.class) {
                return List.of(Awsgi.version());
            } else if (type == Member.class) {
                return List.of(new Member(event, 0, Readiness.READABLE));
            } else if (type == Stats.class) {
                return List.of(manual.reactor.stats());
            } else if (AwsgiException.class.isAssignableFrom(type)) {
                return Stream.of(Status.values())
                        .map(status -> AwsgiException.of(status.number(), 0, null))
                        .filter(type::isInstance)
                        .toList();
            } else if (type == AwsgiIOException.class) {
                return List.of(new AwsgiIOException(9, "test"), new AwsgiIOException(-1, "test"));
            } else if (type.isEnum()) {
                return List.of(type.getEnumConstants());
            }
            throw new AssertionError("there is no " + type + " here: say in World how to have one");
        }

        /** Values of a parameter, the first of them one that is right. */
        private List<?> values(Class<?> type) {
            if (type == Duration.class) {
                return List.of(
                        Duration.ofMillis(1),
                        Duration.ZERO,
                        Duration.ofNanos(-1),
                        Duration.ofSeconds(Long.MIN_VALUE),
                        Duration.ofSeconds(Long.MAX_VALUE, 999_999_999));
            } else if (type == int.class) {
                return List.of(1, 0, -1, 1 << 22, Integer.MAX_VALUE, Integer.MIN_VALUE);
            } else if (type == long.class) {
                return List.of(1L, 0L, -1L, Long.MAX_VALUE, Long.MIN_VALUE);
            } else if (type == boolean.class) {
                return List.of(true, false);
            } else if (type == String.class) {
                return List.of("READY", "", "\ud800\u0000 %s", "x".repeat(1_100_000));
            } else if (type == Object.class) {
                return List.of(new Object(), manual, Readiness.READABLE);
            } else if (type == Readiness.class) {
                return List.of(
                        Readiness.READABLE,
                        Readiness.WRITABLE,
                        Readiness.NONE,
                        Readiness.PRIORITY,
                        Readiness.of(63),
                        Readiness.TIMED_OUT,
                        Readiness.timedOut(63));
            } else if (type == Waitable.class) {
                List<Waitable> all = new ArrayList<>(waitables);
                all.add(gone);
                all.add(theirs);
                return all;
            } else if (type == Iterable.class) {
                return List.of(
                        List.of(event),
                        List.of(),
                        List.of(event, event),
                        Arrays.asList(event, null),
                        List.of(event, gone, theirs));
            } else if (type == Question.class) {
                Question question = Question.of(event, Readiness.READABLE);
                return List.of(
                        question,
                        question.and(waitables.get(1), Readiness.of(63)).all(),
                        Question.of(gone, Readiness.READABLE),
                        question.and(theirs, Readiness.READABLE),
                        question.multishot().offLoop().within(Duration.ZERO),
                        Question.sleep(Duration.ofNanos(-1)));
            } else if (type == SelectableChannel.class) {
                return List.of(
                        pipe.source(),
                        pipe.sink(),
                        closed.source(),
                        closed.sink(),
                        idle,
                        new Alien());
            } else if (type == java.util.concurrent.Callable.class) {
                return List.<java.util.concurrent.Callable<?>>of(
                        () -> event,
                        () -> theirs,
                        () -> gone,
                        () -> null,
                        () -> {
                            throw new Planted();
                        },
                        () -> {
                            throw new IOException("planted");
                        });
            } else if (type == Runnable.class) {
                return List.<Runnable>of(
                        () -> {},
                        () -> {
                            throw new Planted();
                        });
            } else if (type == Sink.class) {
                Sink fails =
                        (wait, outcome, ready, more) -> {
                            throw new Planted();
                        };
                return List.of(sink, fails);
            } else if (type == ThreadFactory.class) {
                return List.<ThreadFactory>of(Thread::new, task -> null);
            } else if (type == ReactorOptions.class) {
                ReactorOptions options = ReactorOptions.DEFAULT;
                return List.of(
                        options,
                        options.nested(),
                        options.maxWaits(Integer.MAX_VALUE),
                        options.maxWaitables(Integer.MAX_VALUE),
                        options.threads(task -> null));
            } else if (type == ReactorBridge.Host.class) {
                return List.of(manual);
            } else if (type == Status.class) {
                return List.of((Object[]) Status.values());
            } else if (type == Exception.class) {
                return List.of(new IOException("planted"));
            }
            throw new AssertionError(
                    "there is no " + type + " here: say in World what may be given");
        }

        private List<@Nullable Object[]> arguments(Executable method) {
            Class<?>[] types = method.getParameterTypes();
            @Nullable Object[] right = new @Nullable Object[types.length];
            for (int at = 0; at < types.length; at++) {
                right[at] = values(types[at]).get(0);
            }
            List<@Nullable Object[]> all = new ArrayList<>();
            all.add(right);
            for (int at = 0; at < types.length; at++) {
                List<@Nullable Object> values = new ArrayList<>(values(types[at]));
                values.remove(0);
                if (!types[at].isPrimitive()) {
                    values.add(null);
                }
                for (Object value : values) {
                    @Nullable Object[] wrong = right.clone();
                    wrong[at] = value;
                    all.add(wrong);
                }
            }
            return all;
        }

        /** Turns both loops, so that what was asked goes on. */
        void turn() throws IOException {
            manual.settle();
            // A selector without anything to do would sleep.
            prod();
            host.turn(Duration.ZERO);
        }

        void prod() {
            if (host.reactor().isOpen()) {
                host.reactor().execute(() -> {});
            }
        }

        @Override
        public void close() throws IOException {
            manual.close();
            other.close();
            host.close();
            // One that was being closed when that was called in its own turn.
            while (manual.bridge.turn() || host.turn(Duration.ZERO)) {
                prod();
            }
            for (var channel : List.of(pipe.source(), pipe.sink(), idle)) {
                channel.close();
            }
            for (CompletableFuture<?> future : futures) {
                assertTrue(future.isDone(), "a future is left when all is over");
            }
        }
    }

    // ---- how they are called ------------------------------------------------------------------

    /** How a call ended. */
    private record Answer(@Nullable Object value, @Nullable Throwable thrown) {}

    private static Answer call(
            World world, Executable method, @Nullable Object receiver, @Nullable Object... given) {
        Answer answer;
        try {
            Object value =
                    method instanceof Method plain
                            ? plain.invoke(receiver, given)
                            : ((java.lang.reflect.Constructor<?>) method).newInstance(given);
            answer = new Answer(value, null);
        } catch (InvocationTargetException thrown) {
            answer = new Answer(null, thrown.getCause());
        } catch (ReflectiveOperationException impossible) {
            throw new LinkageError("" + method, impossible);
        }
        // What it has made is not of the world.
        if (answer.value() instanceof ReactorBridge bridge && bridge != world.manual.bridge) {
            bridge.close();
        } else if (answer.value() instanceof SelectorHost host && host != world.host) {
            host.close();
        } else if (answer.value() instanceof CompletableFuture<?> future) {
            synchronized (world.futures) {
                world.futures.add(future);
            }
        }
        return answer;
    }

    /** The same on another thread, while this one does what the loops do. */
    private static Answer callElsewhere(
            World world, Executable method, @Nullable Object receiver, @Nullable Object... given)
            throws Exception {
        AtomicReference<Answer> answer = new AtomicReference<>();
        AtomicReference<Throwable> broken = new AtomicReference<>();
        Thread thread = new Thread(() -> answer.set(call(world, method, receiver, given)));
        thread.setUncaughtExceptionHandler((ignored, failure) -> broken.set(failure));
        thread.start();
        int waited = 0;
        while (thread.isAlive()) {
            world.turn();
            thread.join(1);
            // It waits for what will never come.
            if (thread.getState() == Thread.State.WAITING && ++waited > 5) {
                thread.interrupt();
            }
        }
        if (broken.get() != null) {
            throw new AssertionError(broken.get());
        }
        return answer.get();
    }

    private static boolean isDocumented(Executable method, Throwable thrown) {
        return thrown instanceof NullPointerException
                || thrown instanceof IllegalArgumentException
                || thrown instanceof IllegalStateException
                || thrown instanceof Planted
                || Stream.of(method.getExceptionTypes()).anyMatch(type -> type.isInstance(thrown));
    }

    private enum When {
        OPEN,
        ELSEWHERE,
        CLOSED,
        CLOSED_ELSEWHERE;

        boolean isElsewhere() {
            return this == ELSEWHERE || this == CLOSED_ELSEWHERE;
        }

        boolean isClosed() {
            return this == CLOSED || this == CLOSED_ELSEWHERE;
        }
    }

    /** A null where none may be. */
    private static boolean isRefused(Executable method, @Nullable Object[] given) {
        Parameter[] parameters = method.getParameters();
        for (int at = 0; at < given.length; at++) {
            if (given[at] == null
                    && !parameters[at].getAnnotatedType().isAnnotationPresent(Nullable.class)) {
                return true;
            }
        }
        return false;
    }

    private void tryAll(Executable method, When when) throws Exception {
        List<Throwable> caught = new ArrayList<>();
        Thread here = Thread.currentThread();
        var before = here.getUncaughtExceptionHandler();
        here.setUncaughtExceptionHandler((ignored, failure) -> caught.add(failure));
        try {
            int receivers;
            int lists;
            try (World world = new World(method)) {
                receivers = world.receivers.size();
                lists = world.arguments.size();
            }
            for (int receiver = 0; receiver < receivers; receiver++) {
                World world = new World(method);
                try {
                    if (when.isClosed()) {
                        world.close();
                    }
                    for (int list = 0; list < lists; list++) {
                        tryOne(world, method, receiver, list, when);
                        if (!when.isClosed() && !world.isOpen()) {
                            world.close();
                            world = new World(method);
                        }
                    }
                } finally {
                    world.close();
                }
            }
        } finally {
            here.setUncaughtExceptionHandler(before);
        }
        for (Throwable failure : caught) {
            assertEquals(Planted.class, failure.getClass(), () -> words(failure));
        }
    }

    private static void tryOne(World world, Executable method, int at, int list, When when)
            throws Exception {
        Object receiver = world.receivers.get(at);
        @Nullable Object[] given = world.arguments.get(list);
        world.prod();
        Answer answer =
                when.isElsewhere()
                        ? callElsewhere(world, method, receiver, given)
                        : call(world, method, receiver, given);
        String words =
                method + " of " + receiver + " with " + shown(given) + " " + when + ": " + answer;
        Throwable thrown = answer.thrown();
        assertTrue(
                thrown == null || isDocumented(method, thrown), () -> words + "\n" + words(thrown));
        if (!when.isClosed() && isRefused(method, given) && !isRecord(method)) {
            // It may not be the first thing that is wrong.
            assertTrue(
                    thrown instanceof NullPointerException
                            || thrown instanceof IllegalStateException,
                    words);
        }
        boolean ofAWorld =
                Set.of(
                                Reactor.class,
                                ReactorBridge.class,
                                SelectorHost.class,
                                Waitable.class,
                                Wait.class)
                        .contains(method.getDeclaringClass());
        if (isStatic(method) || !ofAWorld || list != 0) {
            return;
        }
        if (when == When.ELSEWHERE && !FOR_ANY_THREAD.contains(name(method))) {
            assertTrue(thrown instanceof WrongOwnerException, words);
        }
        if (when == When.CLOSED && !AFTER_THE_END.contains(name(method))) {
            assertTrue(
                    thrown instanceof ReactorClosedException
                            || (thrown instanceof IllegalStateException
                                    && name(method).endsWith("awaitReady")),
                    words);
        }
        if (when == When.CLOSED && AFTER_THE_END.contains(name(method))) {
            assertFalse(thrown instanceof ReactorClosedException, words);
        }
    }

    private static boolean isRecord(Executable method) {
        return method.getDeclaringClass().isRecord();
    }

    private static String shown(@Nullable Object[] given) {
        String text = Arrays.toString(given);
        return text.length() > 300 ? text.substring(0, 300) + "..." : text;
    }

    private static String words(@Nullable Throwable thrown) {
        java.io.StringWriter text = new java.io.StringWriter();
        if (thrown != null) {
            thrown.printStackTrace(new java.io.PrintWriter(text));
        }
        return text.toString();
    }

    @TestFactory
    List<DynamicTest> everyMethodRefusesWhatIsWrongWithAnExceptionThatSaysSo() throws Exception {
        List<DynamicTest> tests = new ArrayList<>();
        for (Class<?> type : classes()) {
            for (Executable method : methods(type)) {
                for (When when : When.values()) {
                    tests.add(
                            DynamicTest.dynamicTest(
                                    method + " " + when, () -> tryAll(method, when)));
                }
            }
        }
        return tests;
    }

    @Test
    void theListsOfThisTestNameMethodsThatThereAre() throws Exception {
        Set<String> named = new TreeSet<>(FOR_ANY_THREAD);
        named.addAll(AFTER_THE_END);
        Map<String, Executable> there = new TreeMap<>();
        for (Class<?> type : classes()) {
            methods(type).forEach(method -> there.put(name(method), method));
        }
        assertTrue(there.size() > 100, there::toString);
        named.removeAll(there.keySet());
        assertEquals(Set.of(), named);
    }
}
