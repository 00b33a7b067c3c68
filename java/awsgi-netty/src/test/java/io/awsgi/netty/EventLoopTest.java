package io.awsgi.netty;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.awsgi.core.Outcome;
import io.awsgi.core.Question;
import io.awsgi.core.Reactor;
import io.awsgi.core.ReactorClosedException;
import io.awsgi.core.ReactorOptions;
import io.awsgi.core.Readiness;
import io.awsgi.core.Sink;
import io.awsgi.core.Stats;
import io.awsgi.core.Wait;
import io.awsgi.core.Waitable;
import io.awsgi.core.WrongOwnerException;
import io.netty.util.concurrent.Future;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** When a reactor turns in an event loop, and how both end. */
@ParameterizedClass
@EnumSource(Transport.class)
class EventLoopTest {
    private static final Readiness READABLE = Readiness.READABLE;
    private static final Duration LONG = TestLoop.LONG;

    @Parameter Transport transport;

    private TestLoop open() {
        return new TestLoop(transport);
    }

    // ---- attaching ----------------------------------------------------------------------------

    @Test
    void aLoopHasOneHost() {
        try (TestLoop loop = open()) {
            assertSame(
                    loop.host, TestLoop.get(NettyHost.attach(loop.loop, ReactorOptions.DEFAULT)));
            NettyHost again =
                    loop.call(
                            () -> NettyHost.attach(loop.loop, ReactorOptions.DEFAULT).getNow(null));
            assertSame(loop.host, again);
            assertSame(loop.loop, again.eventLoop());
        }
    }

    @Test
    void aHostThatWasClosedIsFollowedByAnother() {
        try (TestLoop loop = open()) {
            loop.host.close();
            NettyHost next = TestLoop.get(NettyHost.attach(loop.loop, ReactorOptions.DEFAULT));
            assertNotSame(loop.host, next);
            assertSame(
                    Readiness.TIMED_OUT, TestLoop.get(next.reactor().sleep(Duration.ofNanos(1))));
            next.close();
        }
    }

    @Test
    void aLoopThatEndsTakesNoHost() {
        TestLoop loop = open();
        loop.close();
        assertThrows(
                IllegalStateException.class,
                () -> TestLoop.get(NettyHost.attach(loop.loop, ReactorOptions.DEFAULT)));
    }

    @Test
    void nothingIsAttachedToNothing() {
        try (TestLoop loop = open()) {
            assertThrows(
                    NullPointerException.class,
                    () -> NettyHost.attach(null, ReactorOptions.DEFAULT));
            assertThrows(NullPointerException.class, () -> NettyHost.attach(loop.loop, null));
        }
    }

    // ---- time ---------------------------------------------------------------------------------

    @Test
    void aDeadlineIsNeverEarly() {
        try (TestLoop loop = open()) {
            for (int micros : new int[] {1, 300, 999, 1000, 1001, 2500, 7000}) {
                long begun = System.nanoTime();
                Readiness ready =
                        TestLoop.get(loop.host.reactor().sleep(Duration.ofNanos(micros * 1000L)));
                assertTrue(System.nanoTime() - begun >= micros * 1000L, micros + " us");
                assertSame(Readiness.TIMED_OUT, ready);
            }
        }
    }

    @Test
    void anEarlierDeadlineIsNotHeldUpByALaterOne() {
        try (TestLoop loop = open()) {
            CompletableFuture<Readiness> late = loop.host.reactor().sleep(Duration.ofHours(1));
            // On the loop's thread it wakes nobody: the loop has to hear of it all the same.
            CompletableFuture<Readiness> early =
                    loop.call(() -> loop.host.reactor().sleep(Duration.ofMillis(2)));
            assertSame(Readiness.TIMED_OUT, TestLoop.get(early));
            assertFalse(late.isDone());
            late.cancel(false);
        }
    }

    @Test
    void aDeadlineThatWasWithdrawnIsNoReasonToTurn() {
        try (TestLoop loop = open()) {
            Reactor reactor = loop.host.reactor();
            Waitable event = loop.call(reactor::event);
            // A wait whose deadline is nearer than the next one's, and which is over before it.
            CompletableFuture<Readiness> wait =
                    reactor.whenReady(event, READABLE, Duration.ofMillis(150));
            event.signal(READABLE);
            assertSame(READABLE, TestLoop.get(wait));
            // Who signals from another thread may have it turn once more.
            TestLoop.get(loop.loop.schedule(() -> {}, 20, TimeUnit.MILLISECONDS));
            long turns = loop.stats().turns();
            TestLoop.get(loop.loop.schedule(() -> {}, 180, TimeUnit.MILLISECONDS));
            assertEquals(turns, loop.stats().turns());
            event.close();
        }
    }

    @Test
    void aLoopWithNothingToDoSleeps() {
        try (TestLoop loop = open()) {
            Reactor reactor = loop.host.reactor();
            Waitable event = loop.call(reactor::event);
            CompletableFuture<Readiness> wait = reactor.whenReady(event, READABLE, LONG);
            loop.stats();
            long iterations = loop.iterations();
            assertSame(Readiness.TIMED_OUT, TestLoop.get(reactor.sleep(Duration.ofMillis(200))));
            assertTrue(loop.iterations() - iterations < 12, "" + (loop.iterations() - iterations));
            event.close();
            assertThrows(IllegalStateException.class, () -> TestLoop.get(wait));
        }
    }

    // ---- turning ------------------------------------------------------------------------------

    @Test
    void whatALoopsOwnTaskAsksForIsDoneBeforeItSleeps() {
        try (TestLoop loop = open()) {
            Reactor reactor = loop.host.reactor();
            CompletableFuture<Readiness> ready =
                    loop.call(
                            () -> {
                                Waitable event = reactor.event();
                                CompletableFuture<Readiness> wait =
                                        reactor.whenReady(event, READABLE, null);
                                event.signal(READABLE);
                                return wait.whenComplete((bits, failure) -> event.close());
                            });
            assertSame(READABLE, TestLoop.get(ready));
            CompletableFuture<String> called = loop.call(() -> reactor.call(() -> "called"));
            assertEquals("called", TestLoop.get(called));
        }
    }

    @Test
    void whatCompletionsAskForIsDoneBeforeTheLoopSleeps() {
        try (TestLoop loop = open()) {
            Reactor reactor = loop.host.reactor();
            CompletableFuture<Void> done = new CompletableFuture<>();
            loop.run(
                    () -> {
                        Waitable event = reactor.event();
                        Sink sink =
                                new Sink() {
                                    private int left = 1000;

                                    @Override
                                    public void completed(
                                            Wait wait,
                                            Outcome outcome,
                                            Readiness ready,
                                            boolean more) {
                                        event.take();
                                        if (--left == 0) {
                                            event.close();
                                            done.complete(null);
                                            return;
                                        }
                                        reactor.start(Question.of(event, READABLE), this);
                                        event.signal(READABLE);
                                    }
                                };
                        reactor.start(Question.of(event, READABLE), sink);
                        event.signal(READABLE);
                    });
            TestLoop.get(done);
        }
    }

    @Test
    void workWithoutEndLeavesTheLoopItsOwn() {
        try (TestLoop loop = open()) {
            Reactor reactor = loop.host.reactor();
            Waitable event = loop.call(reactor::event);
            long[] completions = new long[1];
            Sink again =
                    new Sink() {
                        @Override
                        public void completed(
                                Wait wait, Outcome outcome, Readiness ready, boolean more) {
                            completions[0]++;
                            if (outcome == Outcome.READY) {
                                reactor.start(Question.of(event, READABLE), this);
                            }
                        }
                    };
            // Ready for ever, it completes in each turn.
            loop.run(
                    () -> {
                        event.signal(READABLE);
                        reactor.start(Question.of(event, READABLE), again);
                    });
            long iterations = loop.iterations();
            for (int at = 0; at < 20; at++) {
                loop.run(() -> {});
            }
            loop.until(() -> loop.iterations() - iterations > 20 && completions[0] > 20);
            loop.run(event::close);
        }
    }

    @Test
    void otherThreadsWakeTheLoop() {
        try (TestLoop loop = open()) {
            Reactor reactor = loop.host.reactor();
            Waitable event = loop.call(reactor::counter);
            for (int at = 0; at < 200; at++) {
                CompletableFuture<Readiness> wait = reactor.whenReady(event, READABLE, null);
                event.signal(READABLE);
                assertSame(READABLE, TestLoop.get(wait));
                assertEquals(1, loop.call(event::take));
            }
            event.close();
        }
    }

    @Test
    void anIterationTurnsAtMostOnceForWhatItGathers() {
        try (TestLoop loop = open()) {
            Reactor reactor = loop.host.reactor();
            List<Waitable> events = new ArrayList<>();
            loop.run(
                    () -> {
                        for (int at = 0; at < 100; at++) {
                            events.add(reactor.event());
                        }
                    });
            int[] completed = new int[1];
            Stats before =
                    loop.call(
                            () -> {
                                Stats stats = reactor.stats();
                                for (Waitable event : events) {
                                    reactor.start(
                                            Question.of(event, READABLE),
                                            (wait, outcome, ready, more) -> completed[0]++);
                                    event.signal(READABLE);
                                }
                                return stats;
                            });
            loop.until(() -> completed[0] == 100);
            assertEquals(before.turns() + 1, loop.stats().turns());
            loop.run(() -> events.forEach(Waitable::close));
        }
    }

    // ---- the end ------------------------------------------------------------------------------

    @Test
    void aLoopThatEndsEndsItsHost() {
        TestLoop loop = open();
        Reactor reactor = loop.host.reactor();
        Waitable event = loop.call(reactor::event);
        CompletableFuture<Readiness> wait = reactor.whenReady(event, READABLE, null);
        CompletableFuture<Readiness> sleep = reactor.sleep(Duration.ofHours(1));
        loop.run(() -> {});
        loop.dead();
        Future<?> terminated = loop.loop.shutdownGracefully(0, 20, TimeUnit.SECONDS);
        assertThrows(ReactorClosedException.class, () -> TestLoop.get(wait));
        assertThrows(ReactorClosedException.class, () -> TestLoop.get(sleep));
        TestLoop.get(reactor.whenClosed());
        assertTrue(terminated.awaitUninterruptibly(20, TimeUnit.SECONDS));
        loop.close();
    }

    @Test
    @SuppressWarnings("deprecation")
    void aLoopThatIsShutDownAtOnceEndsItsHostToo() {
        TestLoop loop = open();
        CompletableFuture<Readiness> sleep = loop.host.reactor().sleep(Duration.ofHours(1));
        loop.run(() -> {});
        loop.dead();
        loop.loop.shutdown();
        assertThrows(ReactorClosedException.class, () -> TestLoop.get(sleep));
        assertTrue(loop.loop.terminationFuture().awaitUninterruptibly(20, TimeUnit.SECONDS));
        loop.close();
    }

    @Test
    void closingIsForAnyThreadAndForTwice() throws Exception {
        try (TestLoop loop = open()) {
            CompletableFuture<Readiness> sleep = loop.host.reactor().sleep(Duration.ofHours(1));
            List<CompletableFuture<Void>> closers = new ArrayList<>();
            for (int at = 0; at < 8; at++) {
                closers.add(CompletableFuture.runAsync(loop.host::close));
            }
            closers.forEach(TestLoop::get);
            assertTrue(loop.host.reactor().whenClosed().isDone());
            assertThrows(ReactorClosedException.class, () -> TestLoop.get(sleep));
            loop.host.close();
            loop.run(loop.host::close);
            TestLoop.get(loop.host.close(Duration.ofHours(1)));
            // The loop lives on.
            loop.run(() -> {});
        }
    }

    @Test
    void onTheLoopItIsGoneWhenCloseReturns() {
        try (TestLoop loop = open()) {
            boolean gone =
                    loop.call(
                            () -> {
                                loop.host.close();
                                return loop.host.reactor().whenClosed().isDone();
                            });
            assertTrue(gone);
        }
    }

    @Test
    void aCompletionMayCloseItsHost() {
        try (TestLoop loop = open()) {
            CompletableFuture<Void> closed =
                    loop.host.reactor().sleep(Duration.ofMillis(1)).thenRun(loop.host::close);
            TestLoop.get(closed);
            TestLoop.get(loop.host.reactor().whenClosed());
        }
    }

    @Test
    void closingWithGraceLetsWaitsEnd() {
        try (TestLoop loop = open()) {
            Reactor reactor = loop.host.reactor();
            CompletableFuture<Readiness> brief = reactor.sleep(Duration.ofMillis(20));
            CompletableFuture<Void> gone = loop.host.close(Duration.ofSeconds(20));
            assertThrows(
                    ReactorClosedException.class,
                    () -> TestLoop.get(reactor.sleep(Duration.ofHours(1))));
            assertSame(Readiness.TIMED_OUT, TestLoop.get(brief));
            TestLoop.get(gone);
        }
    }

    @Test
    void afterItsEndEverythingIsRefused() {
        try (TestLoop loop = open()) {
            Waitable event = loop.call(loop.host.reactor()::event);
            loop.host.close();
            NettyHost host = loop.host;
            assertFalse(host.reactor().isOpen());
            assertFalse(event.isOpen());
            assertThrows(
                    ReactorClosedException.class, () -> host.reactor().sleep(Duration.ofMillis(1)));
            assertThrows(ReactorClosedException.class, () -> host.reactor().execute(() -> {}));
            assertThrows(ReactorClosedException.class, () -> loop.call(host.reactor()::event));
            assertThrows(ReactorClosedException.class, () -> loop.call(host.reactor()::stats));
            event.close();
        }
    }

    @Test
    void whatBelongsToTheLoopIsRefusedElsewhere() {
        try (TestLoop loop = open()) {
            NettyHost host = loop.host;
            assertThrows(WrongOwnerException.class, () -> host.reactor().event());
            IllegalStateException waiting =
                    assertThrows(
                            IllegalStateException.class,
                            () ->
                                    loop.call(
                                            () -> {
                                                Waitable event = host.reactor().event();
                                                try {
                                                    return host.reactor()
                                                            .awaitReady(event, READABLE, LONG);
                                                } finally {
                                                    event.close();
                                                }
                                            }));
            assertTrue(waiting.getMessage().contains("wait for itself"), waiting.getMessage());
        }
    }

    @Test
    void aLoopKeepsItsThreadWhileItHasAHost() {
        try (TestLoop loop = open()) {
            Thread thread = loop.call(Thread::currentThread);
            loop.loop.trySuspend();
            for (int at = 0; at < 5; at++) {
                assertSame(
                        Readiness.TIMED_OUT,
                        TestLoop.get(loop.host.reactor().sleep(Duration.ofMillis(1))));
                loop.loop.trySuspend();
            }
            assertSame(thread, loop.call(Thread::currentThread));
            loop.host.close();
        }
    }

    @Test
    void fiftyHostsLeaveNothing() {
        try (TestLoop loop = open()) {
            loop.host.close();
            long before = descriptors();
            for (int at = 0; at < 50; at++) {
                NettyHost host = TestLoop.get(NettyHost.attach(loop.loop, ReactorOptions.DEFAULT));
                assertSame(
                        Readiness.TIMED_OUT,
                        TestLoop.get(host.reactor().sleep(Duration.ofNanos(1))));
                host.close();
            }
            assertTrue(descriptors() < before + 20, before + " became " + descriptors());
            assertEquals(0, loop.call(loop.loop::pendingTasks));
        }
    }

    private static long descriptors() {
        String[] all = new java.io.File("/proc/self/fd").list();
        return all == null ? 0 : all.length;
    }
}
