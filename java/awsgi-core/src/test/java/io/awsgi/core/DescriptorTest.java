package io.awsgi.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.extension.ExtendWith;

/** Descriptors and threads of native code, in reactors whose hosts know nothing of either. */
@EnabledOnOs(value = OS.LINUX, disabledReason = "the code in C is for Linux")
@ExtendWith(NothingLeft.class)
class DescriptorTest {
    private static final Readiness READABLE = Readiness.READABLE;
    private static final Readiness WRITABLE = Readiness.WRITABLE;
    private static final int EBADF = 9;

    @BeforeAll
    static void compile() throws IOException {
        assumeTrue(CLibrary.isPossible(), "there is no C compiler `cc` for code in C");
        NativeCode.load();
    }

    /** Makes threads, and knows them. */
    private static final class Factory implements ThreadFactory {
        final ConcurrentLinkedQueue<Thread> made = new ConcurrentLinkedQueue<>();

        /** Those of them that watch. */
        List<Thread> watchers() {
            return made.stream()
                    .filter(thread -> thread.getName().equals("awsgi-watcher"))
                    .toList();
        }

        @Override
        public Thread newThread(Runnable task) {
            Thread thread = new Thread(task);
            made.add(thread);
            return thread;
        }
    }

    private static <T> T on(SelectorHost host, java.util.concurrent.Callable<T> work)
            throws Exception {
        return host.reactor().call(work).get(20, TimeUnit.SECONDS);
    }

    private static <T> T get(CompletableFuture<T> future) throws Exception {
        return future.get(20, TimeUnit.SECONDS);
    }

    @Test
    void aDescriptorOfNativeCodeWakesALoopThatIsASelector() throws Exception {
        NativeCode.Ends pipe = NativeCode.pipe();
        NativeCode.Ends sockets = NativeCode.sockets();
        int counter = NativeCode.eventfd();
        try (SelectorHost host = SelectorHost.start(ReactorOptions.DEFAULT)) {
            Reactor reactor = host.reactor();
            for (int round = 0; round < 50; round++) {
                for (NativeCode.Ends ends :
                        List.of(pipe, sockets, new NativeCode.Ends(counter, counter))) {
                    Waitable waitable = on(host, () -> reactor.descriptor(ends.reading()));
                    CompletableFuture<Readiness> wait = reactor.whenReady(waitable, READABLE, null);
                    assertEquals(8, NativeCode.write(ends.writing()));
                    assertSame(READABLE, get(wait));
                    assertEquals(8, NativeCode.read(ends.reading()));
                    assertSame(
                            Readiness.TIMED_OUT,
                            get(reactor.whenReady(waitable, READABLE, Duration.ZERO)));
                    waitable.close();
                }
            }
        }
        pipe.close();
        sockets.close();
        NativeCode.close(counter);
    }

    @Test
    void aDescriptorOfNativeCodeWakesALoopThatHasNothing() throws Exception {
        NativeCode.Ends pipe = NativeCode.pipe();
        try (ManualHost host = new ManualHost()) {
            Waitable reading = host.reactor.descriptor(pipe.reading());
            Waitable writing = host.reactor.descriptor(pipe.writing());
            for (int round = 0; round < 50; round++) {
                CompletableFuture<Readiness> read = host.reactor.whenReady(reading, READABLE, null);
                host.settle();
                host.wakes.drainPermits();
                assertFalse(read.isDone());
                NativeCode.write(pipe.writing());
                assertTrue(host.wakes.tryAcquire(20, TimeUnit.SECONDS), "nobody woke the loop");
                host.turnUntil(read::isDone);
                assertSame(READABLE, read.join());
                NativeCode.read(pipe.reading());
            }
            CompletableFuture<Readiness> write = host.reactor.whenReady(writing, WRITABLE, null);
            host.turnUntil(write::isDone);
            assertTrue(write.join().isWritable());
            NativeCode.close(pipe.writing());
            CompletableFuture<Readiness> hangup =
                    host.reactor.whenReady(reading, Readiness.HANGUP, null);
            host.turnUntil(hangup::isDone);
            assertTrue(hangup.join().isHangup());
            writing.close();
        }
        NativeCode.close(pipe.reading());
    }

    @Test
    void oneThreadWatchesForAllReactorsAndEndsWithTheLast() throws Exception {
        NativeCode.Ends pipe = NativeCode.pipe();
        for (int round = 0; round < 5; round++) {
            Factory first = new Factory();
            Factory others = new Factory();
            List<SelectorHost> hosts = new ArrayList<>();
            try {
                List<CompletableFuture<Readiness>> waits = new ArrayList<>();
                for (int at = 0; at < 4; at++) {
                    SelectorHost host =
                            SelectorHost.start(
                                    ReactorOptions.DEFAULT
                                            .name("h" + at)
                                            .threads(at == 0 ? first : others));
                    hosts.add(host);
                    Waitable waitable = on(host, () -> host.reactor().descriptor(pipe.reading()));
                    waits.add(host.reactor().whenReady(waitable, READABLE, null));
                    // Until it is armed, and its turn over.
                    on(host, () -> null);
                    on(host, () -> null);
                }
                // Whose reactor needs it first has it made.
                assertEquals(1, first.watchers().size());
                assertEquals(2, first.made.size());
                assertEquals(3, others.made.size());
                Thread watcher = first.watchers().get(0);
                assertTrue(watcher.isDaemon());
                NativeCode.write(pipe.writing());
                for (CompletableFuture<Readiness> wait : waits) {
                    assertSame(READABLE, get(wait));
                }
                NativeCode.read(pipe.reading());
                for (SelectorHost host : hosts) {
                    // It may be in Java for a moment, to wake one of them.
                    assertTrue(watcher.isAlive());
                    host.close();
                }
                watcher.join(20_000);
                assertFalse(watcher.isAlive());
                assertEquals(0, Native.count(Layout.LIVE_THREADS));
            } finally {
                hosts.forEach(SelectorHost::close);
            }
        }
        pipe.close();
    }

    @Test
    void whoComesWhileTheThreadEndsIsWatchedForToo() throws Exception {
        ConcurrentLinkedQueue<Throwable> wrong = new ConcurrentLinkedQueue<>();
        List<Thread> threads = new ArrayList<>();
        for (int at = 0; at < 4; at++) {
            Thread thread =
                    new Thread(
                            () -> {
                                NativeCode.Ends pipe = NativeCode.pipe();
                                try {
                                    // Each is the last now and then.
                                    for (int round = 0; round < 500; round++) {
                                        waitOnce(pipe);
                                    }
                                } catch (Throwable failure) {
                                    wrong.add(failure);
                                }
                                pipe.close();
                            });
            thread.start();
            threads.add(thread);
        }
        for (Thread thread : threads) {
            thread.join();
        }
        for (Throwable failure : wrong) {
            throw new AssertionError(failure);
        }
    }

    private static void waitOnce(NativeCode.Ends pipe) throws Exception {
        try (ManualHost host = new ManualHost()) {
            Waitable waitable = host.reactor.descriptor(pipe.reading());
            CompletableFuture<Readiness> wait = host.reactor.whenReady(waitable, READABLE, null);
            host.settle();
            host.wakes.drainPermits();
            NativeCode.write(pipe.writing());
            assertTrue(host.wakes.tryAcquire(20, TimeUnit.SECONDS), "nobody woke the loop");
            host.turnUntil(wait::isDone);
            NativeCode.read(pipe.reading());
        }
    }

    @Test
    void aDescriptorThatIsArmedWhileTheThreadBeginsIsWatched() throws Exception {
        NativeCode.Ends pipe = NativeCode.pipe();
        for (int round = 0; round < 500; round++) {
            try (ManualHost host = new ManualHost()) {
                Waitable waitable = host.reactor.descriptor(pipe.reading());
                // This starts the thread.
                host.bridge.turn();
                for (int spin = 0; spin < round % 100 * 20; spin++) {
                    Thread.onSpinWait();
                }
                CompletableFuture<Readiness> wait =
                        host.reactor.whenReady(waitable, READABLE, null);
                host.settle();
                host.wakes.drainPermits();
                NativeCode.write(pipe.writing());
                assertTrue(host.wakes.tryAcquire(20, TimeUnit.SECONDS), "nobody woke the loop");
                host.turnUntil(wait::isDone);
                NativeCode.read(pipe.reading());
            }
        }
        pipe.close();
    }

    @Test
    void noThreadWatchesForAReactorWithoutDescriptors() throws Exception {
        Factory factory = new Factory();
        try (SelectorHost host = SelectorHost.start(ReactorOptions.DEFAULT.threads(factory))) {
            Waitable event = on(host, host.reactor()::event);
            CompletableFuture<Readiness> wait = host.reactor().whenReady(event, READABLE, null);
            event.signal(READABLE);
            assertSame(READABLE, get(wait));
            assertTrue(get(host.reactor().sleep(Duration.ofMillis(1))).isTimedOut());
            assertEquals(1, factory.made.size());
            assertEquals(List.of(), factory.watchers());
        }
    }

    @Test
    void theThreadThatWatchesKeepsNoClassLoaderOfWhoNeededItFirst() throws Exception {
        Factory factory = new Factory();
        Thread thread = Thread.currentThread();
        ClassLoader before = thread.getContextClassLoader();
        try (URLClassLoader application = new URLClassLoader(new URL[0], before);
                ManualHost host = new ManualHost(ReactorOptions.DEFAULT.threads(factory))) {
            thread.setContextClassLoader(application);
            // Native code may signal it from now on.
            host.reactor.event().token();
            assertEquals(1, factory.watchers().size());
            assertNull(factory.watchers().get(0).getContextClassLoader());
        } finally {
            thread.setContextClassLoader(before);
        }
    }

    @Test
    void aThreadFactoryThatMakesNoneIsToldAndAskedAgain() throws Exception {
        NativeCode.Ends pipe = NativeCode.pipe();
        List<Throwable> caught = new ArrayList<>();
        Thread thread = Thread.currentThread();
        var before = thread.getUncaughtExceptionHandler();
        thread.setUncaughtExceptionHandler((ignored, failure) -> caught.add(failure));
        int[] asked = {0};
        ThreadFactory factory =
                task -> {
                    if (asked[0]++ == 0) {
                        throw new IllegalStateException("no thread today");
                    }
                    return asked[0] == 2 ? null : new Thread(task);
                };
        try (ManualHost host = new ManualHost(ReactorOptions.DEFAULT.threads(factory))) {
            Waitable event = host.reactor.event();
            event.signal(READABLE);
            Waitable waitable = host.reactor.descriptor(pipe.reading());
            // What completes in the turn that asks for the thread is not lost with it.
            CompletableFuture<Readiness> other = host.reactor.whenReady(event, READABLE, null);
            CompletableFuture<Readiness> wait = host.reactor.whenReady(waitable, READABLE, null);
            host.bridge.turn();
            assertSame(READABLE, other.join());
            assertEquals("no thread today", caught.get(0).getMessage());
            host.bridge.turn();
            assertEquals(IllegalStateException.class, caught.get(1).getClass());
            host.bridge.turn();
            assertEquals(2, caught.size());
            host.settle();
            host.wakes.drainPermits();
            NativeCode.write(pipe.writing());
            assertTrue(host.wakes.tryAcquire(20, TimeUnit.SECONDS), "nobody woke the loop");
            host.turnUntil(wait::isDone);
            assertSame(READABLE, wait.join());
        } finally {
            thread.setUncaughtExceptionHandler(before);
        }
        pipe.close();
    }

    @Test
    void aHostThatWatchesTheReactorsDescriptorNeedsNoThread() throws Exception {
        NativeCode.Ends pipe = NativeCode.pipe();
        Factory factory = new Factory();
        try (ManualHost inner = new ManualHost(ReactorOptions.DEFAULT.nested().threads(factory));
                ManualHost outer = new ManualHost()) {
            int descriptor = inner.bridge.descriptor();
            Waitable waitable = inner.reactor.descriptor(pipe.reading());
            CompletableFuture<Readiness> wait = inner.reactor.whenReady(waitable, READABLE, null);
            inner.settle();
            // It is a descriptor as any other, for all loops but its own.
            Waitable watched = outer.reactor.descriptor(descriptor);
            CompletableFuture<Readiness> ready = outer.reactor.whenReady(watched, READABLE, null);
            outer.settle();
            assertFalse(ready.isDone());
            NativeCode.write(pipe.writing());
            outer.turnUntil(ready::isDone);
            inner.settle();
            assertSame(READABLE, wait.join());
            watched.close();
            outer.settle();
            assertEquals(
                    Status.NESTING,
                    assertThrows(AwsgiException.class, () -> inner.reactor.descriptor(descriptor))
                            .status());
            assertEquals(
                    Status.STATE,
                    assertThrows(AwsgiException.class, outer.bridge::descriptor).status());
            assertEquals(List.of(), List.copyOf(factory.made));
        }
        pipe.close();
    }

    @Test
    void aNumberThatIsNotOpenIsRefusedAtOnce() {
        int low = NativeCode.eventfd();
        int closed = NativeCode.duplicate(low, 700);
        NativeCode.close(low);
        NativeCode.close(closed);
        try (ManualHost host = new ManualHost()) {
            for (int number : new int[] {-1, closed, Integer.MIN_VALUE, Integer.MAX_VALUE}) {
                for (int owned = 0; owned < 2; owned++) {
                    boolean own = owned == 1;
                    AwsgiException refused =
                            assertThrows(
                                    AwsgiException.class,
                                    () -> {
                                        if (own) {
                                            host.reactor.ownedDescriptor(number);
                                        } else {
                                            host.reactor.descriptor(number);
                                        }
                                    });
                    assertEquals(Status.OS, refused.status());
                    assertEquals(EBADF, refused.errno());
                }
            }
            assertEquals(0, host.reactor.stats().waitables());
        }
    }

    @Test
    void aDescriptorThatWasClosedTooEarlyFailsTheWait() {
        int low = NativeCode.eventfd();
        // Nobody who opens a file now is given the number again.
        int descriptor = NativeCode.duplicate(low, 700);
        NativeCode.close(low);
        try (ManualHost host = new ManualHost()) {
            Waitable waitable = host.reactor.descriptor(descriptor);
            NativeCode.close(descriptor);
            CompletableFuture<Readiness> wait = host.reactor.whenReady(waitable, READABLE, null);
            host.settle();
            ExecutionException failed = assertThrows(ExecutionException.class, wait::get);
            assertEquals(
                    AwsgiIOException.class,
                    failed.getCause().getClass(),
                    () ->
                            ""
                                    + failed
                                    + failed.getCause()
                                    + ((AwsgiException) failed.getCause()).status());
            assertEquals(EBADF, ((AwsgiIOException) failed.getCause()).errno());
            assertTrue(
                    String.valueOf(failed.getCause().getMessage()).contains("EBADF"),
                    failed::toString);
        }
    }

    @Test
    void aDescriptorThatIsOnlyLentStaysAsItIs() {
        NativeCode.Ends sockets = NativeCode.sockets();
        int flags = NativeCode.flags(sockets.reading());
        assertTrue(flags >= 0);
        try (ManualHost host = new ManualHost()) {
            Waitable waitable = host.reactor.descriptor(sockets.reading());
            CompletableFuture<Readiness> wait = host.reactor.whenReady(waitable, READABLE, null);
            host.settle();
            NativeCode.write(sockets.writing());
            host.turnUntil(wait::isDone);
            assertEquals(flags, NativeCode.flags(sockets.reading()));
            waitable.close();
            host.settle();
            assertEquals(flags, NativeCode.flags(sockets.reading()));
            Waitable again = host.reactor.descriptor(sockets.reading());
            assertSame(host.reactor, again.reactor());
        }
        assertEquals(flags, NativeCode.flags(sockets.reading()));
        assertEquals(8, NativeCode.read(sockets.reading()));
        sockets.close();
    }

    @Test
    void aDescriptorThatIsGivenAwayIsClosedWithItsWaitable() {
        NativeCode.Ends one = NativeCode.sockets();
        NativeCode.Ends other = NativeCode.sockets();
        try (ManualHost host = new ManualHost()) {
            Waitable waitable = host.reactor.ownedDescriptor(one.reading());
            assertEquals(
                    Status.STATE,
                    assertThrows(
                                    AwsgiException.class,
                                    () -> host.reactor.ownedDescriptor(one.reading()))
                            .status());
            CompletableFuture<Readiness> wait = host.reactor.whenReady(waitable, READABLE, null);
            host.settle();
            waitable.close();
            host.settle();
            assertTrue(wait.isCompletedExceptionally());
            assertEquals(-EBADF, NativeCode.flags(one.reading()));
            host.reactor.ownedDescriptor(other.reading());
        }
        assertEquals(-EBADF, NativeCode.flags(other.reading()));
        NativeCode.close(one.writing());
        NativeCode.close(other.writing());
    }

    @Test
    void aFileIsAlwaysReady() throws Exception {
        Path file = java.nio.file.Files.createTempFile("awsgi", "test");
        try (SelectorHost host = SelectorHost.start(ReactorOptions.DEFAULT);
                var channel = java.nio.channels.FileChannel.open(file)) {
            assertNotNull(channel);
            int descriptor = numberOf(file);
            Waitable waitable = on(host, () -> host.reactor().descriptor(descriptor));
            assertTrue(get(host.reactor().whenReady(waitable, READABLE, null)).isReadable());
            assertTrue(get(host.reactor().whenReady(waitable, WRITABLE, null)).isWritable());
        } finally {
            java.nio.file.Files.delete(file);
        }
    }

    private static int numberOf(Path file) throws IOException {
        try (var all = java.nio.file.Files.list(Path.of("/proc/self/fd"))) {
            Path real = file.toRealPath();
            return all.filter(
                            fd -> {
                                try {
                                    return fd.toRealPath().equals(real);
                                } catch (IOException gone) {
                                    return false;
                                }
                            })
                    .mapToInt(fd -> Integer.parseInt(fd.getFileName().toString()))
                    .findFirst()
                    .orElseThrow();
        }
    }

    @Test
    void aThreadOfNativeCodeWakesALoopThatSleeps() throws Exception {
        try (SelectorHost host = SelectorHost.start(ReactorOptions.DEFAULT);
                ManualHost manual = new ManualHost()) {
            Waitable event = on(host, host.reactor()::event);
            long token = event.token();
            for (int round = 0; round < 200; round++) {
                CompletableFuture<Readiness> wait = host.reactor().whenReady(event, READABLE, null);
                assertEquals(0, NativeCode.notifyElsewhere(token, 1, 1));
                assertSame(READABLE, get(wait));
                on(host, event::take);
            }
            Waitable other = manual.reactor.event();
            CompletableFuture<Readiness> wait = manual.reactor.whenReady(other, READABLE, null);
            manual.settle();
            manual.wakes.drainPermits();
            assertEquals(0, NativeCode.notifyElsewhere(other.token(), 1, 10));
            assertTrue(manual.wakes.tryAcquire(20, TimeUnit.SECONDS), "nobody woke the loop");
            // Once between the beginnings of two turns.
            assertEquals(0, manual.wakes.availablePermits());
            manual.settle();
            assertSame(READABLE, wait.join());
        }
    }

    @Test
    void whatNativeThreadsNotifyIsCountedToTheLast() throws Exception {
        try (SelectorHost host = SelectorHost.start(ReactorOptions.DEFAULT)) {
            Waitable counter = on(host, host.reactor()::counter);
            long token = counter.token();
            List<Thread> threads = new ArrayList<>();
            for (int at = 0; at < 4; at++) {
                Thread thread = new Thread(() -> NativeCode.notifyElsewhere(token, 1, 5000));
                thread.start();
                threads.add(thread);
            }
            long counted = 0;
            while (counted < 20_000) {
                assertSame(READABLE, get(host.reactor().whenReady(counter, READABLE, null)));
                counted += on(host, counter::take);
            }
            assertEquals(20_000, counted);
            for (Thread thread : threads) {
                thread.join();
            }
        }
    }

    @Test
    void aTokenOutlivesWhatItNamed() throws Exception {
        long token;
        long closed;
        try (ManualHost host = new ManualHost()) {
            Waitable event = host.reactor.event();
            Waitable other = host.reactor.event();
            token = event.token();
            closed = other.token();
            other.close();
            assertEquals(closed, other.token());
            host.settle();
            assertEquals(Status.STALE.number(), NativeCode.notifyElsewhere(closed, 1, 1));
            assertEquals(0, NativeCode.notifyElsewhere(token, 1, 1));
        }
        assertEquals(Status.STALE.number(), NativeCode.notifyElsewhere(token, 1, 1));
        assertEquals(Status.STALE.number(), NativeCode.notifyElsewhere(closed, 1, 1));
    }

    @Test
    void nativeCodeUsesTheReactorOnItsThread() throws Exception {
        try (SelectorHost host = SelectorHost.start(ReactorOptions.DEFAULT)) {
            long pointer = on(host, host.reactor()::pointer);
            assertEquals(Status.THREAD.number(), NativeCode.makeEvent(pointer));
            assertEquals(Status.THREAD.number(), NativeCode.makeEventElsewhere(pointer));
            assertEquals(0, on(host, () -> NativeCode.makeEvent(pointer)));
            long event = NativeCode.made();
            assertEquals(1, on(host, () -> host.reactor().stats().waitables()));
            assertEquals(0, on(host, () -> NativeCode.take(event)));
            assertEquals(0, NativeCode.notifyElsewhere(event, 1, 1));
            assertEquals(1, on(host, () -> NativeCode.take(event)));
            assertEquals(0, on(host, () -> NativeCode.end(event)));
            assertEquals(0, on(host, () -> host.reactor().stats().waitables()));
            // One that it leaves behind goes with the reactor.
            assertEquals(0, on(host, () -> NativeCode.makeEvent(pointer)));
        }
    }

    @Test
    void whatNativeCodeHasWatchedIsNoneOfTheHosts() {
        try (ManualHost host = new ManualHost()) {
            Waitable ours = host.bridge.level("ours");
            long pointer = host.reactor.pointer();
            for (long handle : new long[] {0, 1, 1000, -1, 1L << 32, 0x7fff_1234_5678_9abcL}) {
                assertEquals(0, NativeCode.waitForForeign(pointer, handle));
            }
            CompletableFuture<Readiness> wait = host.reactor.whenReady(ours, READABLE, null);
            host.settle();
            assertEquals(List.of(new ManualHost.Change(ours, READABLE)), host.changes);
            ours.signal(READABLE);
            host.settle();
            assertTrue(wait.isDone());
        }
    }

    @Test
    void whatNativeCodeClosesWithTheReactorIsToldSoInEachTurn() {
        ManualHost host = new ManualHost();
        Waitable event = host.reactor.event();
        List<CompletableFuture<Readiness>> waits = new ArrayList<>();
        for (int at = 0; at < 3; at++) {
            waits.add(host.reactor.whenReady(event, READABLE, null));
        }
        host.settle();
        host.bridge.limitTurns(0, 1);
        assertEquals(0, NativeCode.shut(host.reactor.pointer()));
        host.turnUntil(host.reactor.whenClosed()::isDone);
        for (CompletableFuture<Readiness> wait : waits) {
            assertEquals(
                    ReactorClosedException.class,
                    assertThrows(CompletionException.class, wait::join).getCause().getClass());
        }
    }

    @Test
    void whatNativeCodeClosesAloneIsToldSo() {
        try (ManualHost host = new ManualHost()) {
            Waitable event = host.reactor.event();
            CompletableFuture<Readiness> wait = host.reactor.whenReady(event, READABLE, null);
            host.settle();
            assertEquals(0, NativeCode.end(event.token()));
            host.turnUntil(wait::isDone);
            assertEquals(
                    Status.STALE,
                    assertInstanceOf(
                                    AwsgiException.class,
                                    assertThrows(CompletionException.class, wait::join).getCause())
                            .status());
            assertTrue(host.reactor.isOpen());
        }
    }

    @Test
    void aReactorThatNativeCodeClosesTakesNothingMoreAndEndsItsWaits() {
        ManualHost host = new ManualHost();
        Waitable event = host.reactor.event();
        CompletableFuture<Readiness> wait = host.reactor.whenReady(event, READABLE, null);
        List<Throwable> refused = new ArrayList<>();
        CompletableFuture<Void> seen =
                wait.handle(
                        (ready, failure) -> {
                            refused.add(failure);
                            refused.add(
                                    assertThrows(
                                            AwsgiException.class,
                                            () -> host.reactor.whenReady(event, READABLE, null)));
                            return null;
                        });
        assertEquals(0, NativeCode.shut(host.reactor.pointer()));
        host.turnUntil(host.reactor.whenClosed()::isDone);
        seen.join();
        for (Throwable each : refused) {
            assertTrue(each instanceof ReactorClosedException, each::toString);
        }
    }
}
