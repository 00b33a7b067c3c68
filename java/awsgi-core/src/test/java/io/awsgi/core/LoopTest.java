package io.awsgi.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Pipe;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** What the loop of a selector has beside channels: time, events, other threads, and an end. */
@ExtendWith(NothingLeft.class)
class LoopTest {
    private static final Readiness READABLE = Readiness.READABLE;

    private static SelectorHost start() throws IOException {
        return SelectorHost.start(ReactorOptions.DEFAULT);
    }

    private static Pipe pipe() throws IOException {
        Pipe pipe = Pipe.open();
        pipe.source().configureBlocking(false);
        pipe.sink().configureBlocking(false);
        return pipe;
    }

    private static void close(Pipe pipe) throws IOException {
        pipe.source().close();
        pipe.sink().close();
    }

    private static void feed(Pipe pipe) throws IOException {
        assertEquals(1, pipe.sink().write(ByteBuffer.wrap(new byte[] {1})));
    }

    private static <T> T get(CompletableFuture<T> future) throws Exception {
        return future.get(20, TimeUnit.SECONDS);
    }

    private static <T> T on(SelectorHost host, Callable<T> work) throws Exception {
        return get(host.reactor().call(work));
    }

    private static Throwable failure(CompletableFuture<?> future) {
        return assertThrows(ExecutionException.class, () -> get(future)).getCause();
    }

    // ---- time ---------------------------------------------------------------------------------

    @Test
    void aDeadlineIsNeverEarly() throws Exception {
        Pipe pipe = pipe();
        try (SelectorHost host = start()) {
            Waitable event = on(host, host.reactor()::event);
            for (long micros : new long[] {1, 300, 999, 1_000, 1_001, 2_700}) {
                Duration time = Duration.ofNanos(micros * 1_000);
                for (int round = 0; round < 30; round++) {
                    long begun = System.nanoTime();
                    Readiness ready =
                            switch (round % 5) {
                                case 0 -> host.awaitReady(pipe.source(), READABLE, time);
                                case 1 -> get(host.whenReady(pipe.source(), READABLE, time));
                                case 2 -> get(host.reactor().whenReady(event, READABLE, time));
                                case 3 -> get(host.reactor().sleep(time));
                                default -> host.reactor().awaitReady(event, READABLE, time);
                            };
                    long took = System.nanoTime() - begun;
                    assertSame(Readiness.TIMED_OUT, ready);
                    assertTrue(took >= time.toNanos(), () -> took + " ns of " + time);
                }
            }
        }
        close(pipe);
    }

    @Test
    void deadlinesThatAreMadeOnTheLoopAreNeverEarlyEither() throws Exception {
        try (SelectorHost host = SelectorHost.open(ReactorOptions.DEFAULT)) {
            int[] early = {0};
            int[] over = {0};
            for (int at = 0; at < 200; at++) {
                long nanos = 300_000 + at * 17_000L;
                long begun = System.nanoTime();
                host.reactor()
                        .start(
                                Question.sleep(Duration.ofNanos(nanos)),
                                (wait, outcome, ready, more) -> {
                                    early[0] += System.nanoTime() - begun < nanos ? 1 : 0;
                                    over[0]++;
                                });
            }
            while (over[0] < 200) {
                host.turn(null);
            }
            assertEquals(0, early[0]);
        }
    }

    @Test
    void aTimerExpiresInItsRhythmAndIsNeverEarly() throws Exception {
        try (SelectorHost host = start()) {
            long begun = System.nanoTime();
            CompletableFuture<Long> sixth = new CompletableFuture<>();
            Waitable timer =
                    on(
                            host,
                            () -> {
                                Waitable made =
                                        host.reactor()
                                                .timer(Duration.ofMillis(3), Duration.ofMillis(1));
                                long[] expired = {0};
                                host.reactor()
                                        .start(
                                                Question.of(made, READABLE).multishot(),
                                                (wait, outcome, ready, more) -> {
                                                    if (outcome != Outcome.READY) {
                                                        return;
                                                    }
                                                    expired[0] += made.take();
                                                    if (expired[0] >= 6) {
                                                        sixth.complete(
                                                                System.nanoTime()
                                                                        - 1_000_000
                                                                                * (expired[0] - 6));
                                                    }
                                                });
                                return made;
                            });
            assertTrue(get(sixth) - begun >= 8_000_000);
            timer.close();
            on(host, () -> null);
            assertEquals(0, on(host, () -> host.reactor().stats().waitables()));
        }
    }

    @Test
    void aNearerDeadlineIsHeededWhileTheLoopSleepsForAFarOne() throws Exception {
        try (SelectorHost host = start()) {
            CompletableFuture<Readiness> far = host.reactor().sleep(Duration.ofDays(1));
            on(host, () -> null);
            assertTrue(get(host.reactor().sleep(Duration.ofMillis(1))).isTimedOut());
            assertFalse(far.isDone());
            assertTrue(far.cancel(false));
        }
    }

    @Test
    void aLoopWithNothingToDoDoesNothing() throws Exception {
        Pipe pipe = pipe();
        try (SelectorHost host = start()) {
            CompletableFuture<Readiness> wait =
                    host.whenReady(pipe.source(), READABLE, Duration.ofDays(1));
            on(host, () -> null);
            on(host, () -> null);
            long before = Native.count(Layout.CROSSINGS);
            // Nobody can be asked whether something will not happen.
            Thread.sleep(50);
            long crossings = Native.count(Layout.CROSSINGS) - before;
            // The end of what came before may fall into it.
            assertTrue(crossings <= 2, () -> crossings + " crossings");
            assertTrue(wait.cancel(false));
        }
        close(pipe);
    }

    // ---- events and other threads -------------------------------------------------------------

    @Test
    void whatAllThreadsSignalIsCountedToTheLast() throws Exception {
        try (SelectorHost host = start()) {
            AtomicLong counted = new AtomicLong();
            CompletableFuture<Void> all = new CompletableFuture<>();
            Waitable counter =
                    on(
                            host,
                            () -> {
                                Waitable made = host.reactor().counter();
                                host.reactor()
                                        .start(
                                                Question.of(made, READABLE).multishot(),
                                                (wait, outcome, ready, more) -> {
                                                    if (outcome == Outcome.READY
                                                            && counted.addAndGet(made.take())
                                                                    == 40_000) {
                                                        all.complete(null);
                                                    }
                                                });
                                return made;
                            });
            List<Thread> threads = new ArrayList<>();
            for (int at = 0; at < 8; at++) {
                Thread thread =
                        new Thread(
                                () -> {
                                    for (int times = 0; times < 5000; times++) {
                                        counter.signal(READABLE);
                                    }
                                });
                thread.start();
                threads.add(thread);
            }
            for (Thread thread : threads) {
                thread.join();
            }
            get(all);
            assertEquals(40_000, counted.get());
        }
    }

    @Test
    void aLoopThatSleepsIsWokenEachTime() throws Exception {
        try (SelectorHost host = start()) {
            Waitable event = on(host, host.reactor()::event);
            for (int round = 0; round < 2000; round++) {
                CompletableFuture<Readiness> wait = host.reactor().whenReady(event, READABLE, null);
                event.signal(READABLE);
                assertSame(READABLE, get(wait));
                assertEquals(1, on(host, event::take));
            }
        }
    }

    @Test
    void aWakeUpIsNotLostToASelectInsideOfATurn() throws Exception {
        Pipe pipe = pipe();
        try (SelectorHost host = SelectorHost.open(ReactorOptions.DEFAULT)) {
            Waitable first = host.reactor().event();
            Waitable second = host.reactor().event();
            CompletableFuture<Readiness> wait = host.reactor().whenReady(second, READABLE, null);
            host.reactor()
                    .start(
                            Question.of(first, READABLE),
                            (one, outcome, ready, more) -> elsewhere(second));
            Watched watched = (Watched) host.waitable(pipe.source()).object();
            host.turn(Duration.ZERO);
            host.reactor()
                    .execute(
                            () -> {
                                elsewhere(first);
                                // The selector has to forget it first, and forgets that it was
                                // woken.
                                watched.key.cancel();
                                try {
                                    host.waitable(pipe.source());
                                } catch (IOException failure) {
                                    throw new java.io.UncheckedIOException(failure);
                                }
                            });
            long begun = System.nanoTime();
            while (!wait.isDone()) {
                host.turn(Duration.ofSeconds(20));
            }
            assertTrue(System.nanoTime() - begun < 10_000_000_000L, "nobody woke the loop");
        }
        close(pipe);
    }

    private static void elsewhere(Waitable event) {
        Thread thread = new Thread(() -> event.signal(READABLE));
        thread.start();
        try {
            thread.join();
        } catch (InterruptedException interrupt) {
            throw new IllegalStateException(interrupt);
        }
    }

    @Test
    void aSetHasChannelsEventsAndTime() throws Exception {
        Pipe pipe = pipe();
        try (SelectorHost host = start()) {
            Waitable event = on(host, host.reactor()::event);
            ConcurrentLinkedQueue<String> told = new ConcurrentLinkedQueue<>();
            CountDownLatch over = new CountDownLatch(3);
            on(
                    host,
                    () -> {
                        Waitable channel = host.waitable(pipe.source());
                        Sink sink =
                                (wait, outcome, ready, more) -> {
                                    told.add(outcome + " " + wait.members().size());
                                    over.countDown();
                                };
                        Question both = Question.of(channel, READABLE).and(event, READABLE);
                        host.reactor().start(both, sink);
                        host.reactor().start(both.all(), sink);
                        return host.reactor().start(both.all().within(Duration.ofMillis(1)), sink);
                    });
            while (over.getCount() > 2) {
                Thread.onSpinWait();
            }
            feed(pipe);
            while (over.getCount() > 1) {
                Thread.onSpinWait();
            }
            event.signal(READABLE);
            assertTrue(over.await(20, TimeUnit.SECONDS));
            assertEquals(
                    List.of("TIMED_OUT 0", "READY 1", "READY 2"),
                    List.copyOf(told),
                    told::toString);
            on(host, () -> host.reactor().stats());
        }
        close(pipe);
    }

    @Test
    void aLoopTellsWhatItHasDone() throws Exception {
        Pipe pipe = pipe();
        try (SelectorHost host = start()) {
            Stats before = on(host, host.reactor()::stats);
            CompletableFuture<Readiness> wait = host.whenReady(pipe.source(), READABLE, null);
            on(host, () -> null);
            Stats waiting = on(host, host.reactor()::stats);
            assertEquals(1, waiting.waits());
            assertEquals(1, waiting.waitables());
            feed(pipe);
            get(wait);
            Stats after = on(host, host.reactor()::stats);
            assertEquals(before.completions() + 1, after.completions());
            assertTrue(after.turns() > before.turns());
            assertTrue(after.changes() > before.changes());
            assertEquals(0, after.waits());
        }
        close(pipe);
    }

    @Test
    void moreTasksThanATurnRunsLeaveTheLoopAtRest() {
        try (ManualHost host = new ManualHost()) {
            int[] ran = {0};
            for (int at = 0; at < 5000; at++) {
                host.reactor.execute(() -> ran[0]++);
            }
            host.settle();
            assertEquals(5000, ran[0]);
            assertFalse(host.bridge.mustTurn());
        }
    }

    // ---- the end ------------------------------------------------------------------------------

    @Test
    void aHostThatIsClosedWithGraceLetsWaitsComplete() throws Exception {
        Pipe pipe = pipe();
        SelectorHost host = start();
        Waitable event = on(host, host.reactor()::event);
        CompletableFuture<Readiness> channels = host.whenReady(pipe.source(), READABLE, null);
        CompletableFuture<Readiness> events = host.reactor().whenReady(event, READABLE, null);
        on(host, () -> null);
        CompletableFuture<Void> gone = host.close(Duration.ofDays(1));
        while (host.reactor().isOpen()) {
            Thread.onSpinWait();
        }
        assertThrows(
                ReactorClosedException.class, () -> host.whenReady(pipe.source(), READABLE, null));
        assertThrows(ReactorClosedException.class, () -> host.reactor().sleep(Duration.ZERO));
        feed(pipe);
        assertSame(READABLE, get(channels));
        assertFalse(gone.isDone());
        event.signal(READABLE);
        assertSame(READABLE, get(events));
        get(gone);
        close(pipe);
    }

    @Test
    void theGraceEndsAndMayBeCutShort() throws Exception {
        Pipe pipe = pipe();
        SelectorHost first = start();
        CompletableFuture<Readiness> wait = first.whenReady(pipe.source(), READABLE, null);
        long begun = System.nanoTime();
        CompletableFuture<Void> gone = first.close(Duration.ofMillis(5));
        assertEquals(ReactorClosedException.class, failure(wait).getClass());
        assertTrue(System.nanoTime() - begun >= 5_000_000);
        get(gone);

        SelectorHost second = start();
        CompletableFuture<Readiness> other = second.whenReady(pipe.source(), READABLE, null);
        on(second, () -> null);
        CompletableFuture<Void> later = second.close(Duration.ofDays(1));
        assertFalse(other.isDone());
        second.close();
        get(later);
        assertEquals(ReactorClosedException.class, failure(other).getClass());
        close(pipe);
    }

    @Test
    void manyThreadsAndCompletionsCloseAHostWhileOthersWait() throws Exception {
        for (int round = 0; round < 30; round++) {
            Pipe pipe = pipe();
            SelectorHost host = start();
            Waitable event = on(host, host.reactor()::event);
            ConcurrentLinkedQueue<CompletableFuture<?>> futures = new ConcurrentLinkedQueue<>();
            for (int at = 0; at < 20; at++) {
                CompletableFuture<Readiness> wait =
                        switch (at % 3) {
                            case 0 -> host.whenReady(pipe.source(), READABLE, null);
                            case 1 -> host.reactor().whenReady(event, READABLE, null);
                            default -> host.reactor().sleep(Duration.ofDays(1));
                        };
                futures.add(
                        wait.whenComplete(
                                (ready, failure) -> {
                                    // On the loop's thread, in the middle of its turn.
                                    host.close();
                                    host.reactor().close();
                                }));
            }
            CountDownLatch begin = new CountDownLatch(1);
            List<Thread> threads = new ArrayList<>();
            ConcurrentLinkedQueue<Throwable> wrong = new ConcurrentLinkedQueue<>();
            for (int at = 0; at < 10; at++) {
                int how = at;
                Thread thread =
                        new Thread(
                                () -> {
                                    try {
                                        begin.await();
                                        switch (how) {
                                            case 0 -> host.reactor().close();
                                            case 1 -> futures.add(host.close(Duration.ZERO));
                                            case 2 -> futures.add(host.close(Duration.ofDays(1)));
                                            case 3 -> event.signal(READABLE);
                                            case 4, 5 -> {
                                                while (true) {
                                                    futures.add(
                                                            host.whenReady(
                                                                    pipe.source(), READABLE, null));
                                                }
                                            }
                                            default -> host.close();
                                        }
                                    } catch (ReactorClosedException late) {
                                        // So it is told to who comes too late.
                                    } catch (Throwable failure) {
                                        wrong.add(failure);
                                    }
                                });
                thread.start();
                threads.add(thread);
            }
            begin.countDown();
            for (Thread thread : threads) {
                thread.join();
            }
            get(host.reactor().whenClosed());
            for (CompletableFuture<?> future : futures) {
                get(future.handle((ready, failure) -> null));
            }
            assertEquals(List.of(), List.copyOf(wrong));
            close(pipe);
        }
    }
}
