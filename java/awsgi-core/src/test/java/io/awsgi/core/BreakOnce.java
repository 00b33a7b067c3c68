package io.awsgi.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Field;
import java.nio.channels.Pipe;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;

/**
 * A program of {@link ChildJvm}: has a library break that was built with {@code --cfg
 * awsgi_faults}.
 */
public final class BreakOnce {
    private BreakOnce() {}

    private static final Readiness READABLE = Readiness.READABLE;

    /** An input record and an operation that panic, in {@code src/jni}. */
    private static final int PANIC = 0x7f00;

    /** An operation that reads what was freed. */
    private static final int READ_FREED = 0x7f01;

    public static void main(String[] arguments) throws Exception {
        switch (arguments[0]) {
            case "turn" -> turn();
            case "sink" -> sink();
            case "host" -> host();
            case "submit" -> submit();
            case "flush" -> flush();
            case "close" -> close();
            case "read what was freed" -> readWhatWasFreed();
            case "for ever" -> {
                forEver();
                System.out.println("ended: well");
                return;
            }
            default -> throw new IllegalArgumentException(arguments[0]);
        }
        nothingIsLeft();
        System.out.println("ended: well");
    }

    private static void nothingIsLeft() throws InterruptedException {
        for (int what : new int[] {0, 1, 2, 3, 4, 6}) {
            long until = System.nanoTime() + 20_000_000_000L;
            while (Native.count(what) != 0 && System.nanoTime() < until) {
                Thread.sleep(1);
            }
            assertEquals(0, Native.count(what), "count " + what);
        }
    }

    /** The next crossing panics. */
    private static void plant(ReactorBridge bridge) {
        try {
            Field ring = ReactorBridge.class.getDeclaredField("ring");
            ring.setAccessible(true);
            ((Ring) ring.get(bridge)).put(0, PANIC, 0, 0);
        } catch (ReflectiveOperationException impossible) {
            throw new LinkageError("ReactorBridge.ring", impossible);
        }
    }

    private static void assertPanic(Throwable bug) {
        assertEquals(ReactorPanicException.class, bug.getClass(), bug::toString);
        assertEquals(Status.PANIC, ((ReactorPanicException) bug).status());
        assertTrue(String.valueOf(bug.getMessage()).contains("planted"), bug::toString);
        System.out.println("told: " + bug.getMessage());
    }

    private static Throwable failure(CompletableFuture<?> future) {
        return assertThrows(CompletionException.class, future::join).getCause();
    }

    /** Takes part in nothing that breaks. */
    private static void isWell(ManualHost host) {
        Waitable event = host.reactor.event();
        CompletableFuture<Readiness> wait = host.reactor.whenReady(event, READABLE, null);
        event.signal(READABLE);
        host.settle();
        assertSame(READABLE, wait.join());
        event.close();
        host.settle();
    }

    private static void turn() {
        ManualHost other = new ManualHost();
        ManualHost host = new ManualHost();
        Waitable event = host.reactor.event();
        List<String> told = new ArrayList<>();
        CompletableFuture<Readiness> before = host.reactor.whenReady(event, READABLE, null);
        Wait wait =
                host.reactor.start(
                        Question.of(event, READABLE),
                        (one, outcome, ready, more) -> {
                            told.add(outcome + " " + ready + " " + more);
                            assertPanic(one.failure());
                        });
        host.settle();
        CompletableFuture<Readiness> sleep = host.reactor.sleep(Duration.ofDays(1));
        plant(host.bridge);
        // It never crosses.
        CompletableFuture<Readiness> after = host.reactor.whenReady(event, READABLE, null);
        assertPanic(assertThrows(ReactorPanicException.class, host.bridge::turn));
        for (CompletableFuture<Readiness> future : List.of(before, sleep, after)) {
            assertPanic(failure(future));
        }
        assertEquals(List.of("FAILED NONE false"), told);
        assertFalse(wait.isPending());
        assertFalse(host.reactor.isOpen());
        assertThrows(
                ReactorClosedException.class, () -> host.reactor.whenReady(event, READABLE, null));
        assertThrows(ReactorClosedException.class, host.reactor::event);
        isWell(other);
        host.close();
        assertTrue(host.reactor.whenClosed().isDone());
        assertEquals(List.of("FAILED NONE false"), told);
        isWell(other);
        try (ManualHost next = new ManualHost()) {
            isWell(next);
        }
        other.close();
    }

    private static void sink() {
        List<Throwable> caught = new ArrayList<>();
        Thread.currentThread()
                .setUncaughtExceptionHandler((ignored, failure) -> caught.add(failure));
        ManualHost host = new ManualHost();
        Waitable event = host.reactor.event();
        List<CompletableFuture<Readiness>> futures = new ArrayList<>();
        int[] told = {0};
        for (int at = 0; at < 10; at++) {
            futures.add(host.reactor.whenReady(event, READABLE, null));
            host.reactor.start(
                    Question.of(event, READABLE),
                    (wait, outcome, ready, more) -> {
                        told[0]++;
                        // All that it might do about it.
                        assertThrows(AwsgiException.class, () -> host.bridge.turn());
                        assertFalse(wait.cancel());
                        host.close();
                        throw new IllegalStateException("a sink that fails");
                    });
        }
        plant(host.bridge);
        assertPanic(assertThrows(ReactorPanicException.class, host.bridge::turn));
        assertEquals(10, told[0]);
        assertEquals(10, caught.size());
        futures.forEach(future -> assertPanic(failure(future)));
        host.close();
        assertEquals(10, told[0]);
    }

    private static void host() throws Exception {
        Pipe pipe = Pipe.open();
        pipe.source().configureBlocking(false);
        try (SelectorHost other = SelectorHost.start(ReactorOptions.DEFAULT)) {
            SelectorHost host = SelectorHost.start(ReactorOptions.DEFAULT.name("breaks"));
            CompletableFuture<Readiness> wait = host.whenReady(pipe.source(), READABLE, null);
            CompletableFuture<Readiness> others =
                    other.reactor()
                            .whenReady(
                                    other.reactor().call(other.reactor()::event).get(),
                                    READABLE,
                                    null);
            CompletableFuture<Object> awaiting = new CompletableFuture<>();
            Thread thread =
                    new Thread(
                            () -> {
                                try {
                                    awaiting.complete(
                                            host.awaitReady(pipe.source(), READABLE, null));
                                } catch (Throwable failure) {
                                    awaiting.complete(failure);
                                }
                            });
            thread.start();
            while (host.reactor().call(() -> host.reactor().stats().waits()).get() < 2) {
                Thread.onSpinWait();
            }
            Field bridge = SelectorHost.class.getDeclaredField("bridge");
            bridge.setAccessible(true);
            host.reactor().execute(() -> plant(bridgeOf(host, bridge)));
            assertPanic(
                    assertThrows(ExecutionException.class, () -> wait.get(20, TimeUnit.SECONDS))
                            .getCause());
            assertPanic((Throwable) awaiting.get(20, TimeUnit.SECONDS));
            thread.join();
            host.reactor().whenClosed().get(20, TimeUnit.SECONDS);
            host.close();
            assertTrue(pipe.source().isOpen());
            assertFalse(pipe.source().isRegistered());
            assertFalse(others.isDone());
            assertTrue(other.reactor().sleep(Duration.ofMillis(1)).get().isTimedOut());
        }
        pipe.source().close();
        pipe.sink().close();
    }

    private static ReactorBridge bridgeOf(SelectorHost host, Field field) {
        try {
            return (ReactorBridge) field.get(host);
        } catch (IllegalAccessException impossible) {
            throw new LinkageError("SelectorHost.bridge", impossible);
        }
    }

    private static void submit() {
        try (ManualHost host = new ManualHost()) {
            Waitable event = host.reactor.event();
            CompletableFuture<Readiness> wait = host.reactor.whenReady(event, READABLE, null);
            host.settle();
            for (int round = 0; round < 3; round++) {
                assertPanic(
                        assertThrows(ReactorPanicException.class, () -> host.bridge.submit(PANIC)));
                isWell(host);
            }
            assertFalse(wait.isDone());
            event.signal(READABLE);
            host.settle();
            assertSame(READABLE, wait.join());
        }
    }

    /** What crosses between two turns, because an operation depends on it. */
    private static void flush() {
        ManualHost host = new ManualHost();
        Waitable event = host.reactor.event();
        CompletableFuture<Readiness> before = host.reactor.whenReady(event, READABLE, null);
        host.settle();
        plant(host.bridge);
        CompletableFuture<Readiness> after = host.reactor.whenReady(event, READABLE, null);
        assertPanic(assertThrows(ReactorPanicException.class, event::take));
        for (CompletableFuture<Readiness> future : List.of(before, after)) {
            assertTrue(future.isDone());
            assertPanic(failure(future));
        }
        assertThrows(
                ReactorClosedException.class, () -> host.reactor.whenReady(event, READABLE, null));
        // It does not cross a second time.
        host.turnUntil(host.reactor.whenClosed()::isDone);
    }

    /** Each turn panics, also those that are to close it. */
    private static void forEver() throws Exception {
        SelectorHost host = SelectorHost.start(ReactorOptions.DEFAULT);
        Thread loop = host.reactor().call(Thread::currentThread).get(20, TimeUnit.SECONDS);
        CompletableFuture<Readiness> wait = host.reactor().sleep(Duration.ofDays(1));
        Field bridge = SelectorHost.class.getDeclaredField("bridge");
        bridge.setAccessible(true);
        host.reactor()
                .execute(
                        () -> {
                            // More than cross in so many turns.
                            for (int at = 0; at < 10 * Layout.RING; at++) {
                                plant(bridgeOf(host, bridge));
                            }
                        });
        host.close();
        assertPanic(failure(wait));
        assertPanic(failure(host.reactor().whenClosed()));
        loop.join(20_000);
        assertFalse(loop.isAlive());
        try (ManualHost other = new ManualHost()) {
            isWell(other);
        }
    }

    /** Nobody notices, as long as nobody looks. */
    private static void readWhatWasFreed() {
        try (ManualHost host = new ManualHost()) {
            System.out.println("told: " + host.bridge.submit(READ_FREED));
        }
    }

    private static void close() {
        ManualHost host = new ManualHost();
        Waitable object = host.bridge.level("object");
        CompletableFuture<Readiness> wait = host.reactor.whenReady(object, READABLE, null);
        host.settle();
        // In the crossing that was to close it.
        plant(host.bridge);
        assertPanic(assertThrows(ReactorPanicException.class, host.reactor::close));
        assertPanic(failure(wait));
        assertTrue(host.reactor.whenClosed().isDone());
    }
}
