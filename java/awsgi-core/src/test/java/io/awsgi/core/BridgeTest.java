package io.awsgi.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** What a bridge promises to its loop, and a reactor to its applications. */
@ExtendWith(NothingLeft.class)
class BridgeTest {
    private static final Readiness READABLE = Readiness.READABLE;
    private static final Readiness WRITABLE = Readiness.WRITABLE;

    private final List<String> told = new ArrayList<>();

    /** Keeps what completes, in words. */
    private Sink as(String name) {
        return (wait, outcome, ready, more) ->
                told.add(name + " " + outcome + " " + ready + (more ? " more" : ""));
    }

    private List<String> take() {
        List<String> all = List.copyOf(told);
        told.clear();
        return all;
    }

    @Test
    void anEventCompletesAWaitArmedBeforeOrAfter() {
        try (ManualHost host = new ManualHost()) {
            Waitable event = host.reactor.event();
            host.reactor.start(Question.of(event, READABLE), as("before"));
            host.settle();
            assertEquals(List.of(), take());
            event.signal(READABLE);
            host.settle();
            assertEquals(List.of("before READY READABLE"), take());
            host.reactor.start(Question.of(event, READABLE), as("after"));
            host.settle();
            assertEquals(List.of("after READY READABLE"), take());
            assertEquals(1, event.take());
            assertEquals(0, event.take());
        }
    }

    @Test
    void whatIsAskedCrossesInOrder() {
        try (ManualHost host = new ManualHost()) {
            Waitable event = host.reactor.event();
            // As in C: it was ready after it was armed, and what is taken then changes nothing
            // about that.
            host.reactor.start(Question.of(event, READABLE), as("wait"));
            event.signal(READABLE);
            assertEquals(1, event.take());
            host.settle();
            assertEquals(List.of("wait READY READABLE"), take());
        }
    }

    @Test
    void setsAnswerAnyAllOrSoMany() {
        try (ManualHost host = new ManualHost()) {
            Waitable[] events = {host.reactor.event(), host.reactor.event(), host.reactor.event()};
            Question set =
                    Question.of(events[0], READABLE)
                            .and(events[1], READABLE)
                            .and(events[2], WRITABLE);
            Wait any = host.reactor.start(set, as("any"));
            List<Member> members = new ArrayList<>();
            Wait all =
                    host.reactor.start(
                            set.all(),
                            (wait, outcome, ready, more) -> members.addAll(wait.members()));
            host.reactor.start(set.atLeast(2), as("two"));
            events[2].signal(WRITABLE);
            host.settle();
            assertEquals(List.of("any READY WRITABLE"), take());
            assertFalse(any.isPending());
            events[0].signal(READABLE);
            host.settle();
            assertEquals(List.of("two READY READABLE"), take());
            assertTrue(all.isPending());
            events[1].signal(READABLE);
            host.settle();
            assertEquals(
                    List.of(
                            new Member(events[0], 0, READABLE),
                            new Member(events[1], 1, READABLE),
                            new Member(events[2], 2, WRITABLE)),
                    members);
        }
    }

    @Test
    void aSetThatTimesOutSaysWhoWasThere() {
        try (ManualHost host = new ManualHost()) {
            Waitable[] events = {host.reactor.event(), host.reactor.event(), host.reactor.event()};
            Question all =
                    Question.of(events[0], READABLE)
                            .and(events[1], READABLE)
                            .and(events[2], READABLE)
                            .all();
            List<Member> members = new ArrayList<>();
            Sink sink =
                    (wait, outcome, ready, more) -> {
                        told.add(outcome + " " + ready);
                        members.addAll(wait.members());
                    };
            events[1].signal(READABLE);
            host.reactor.start(all.within(Duration.ZERO), sink);
            host.settle();
            assertEquals(List.of("TIMED_OUT NONE"), take());
            assertEquals(List.of(new Member(events[1], 1, READABLE)), members);
            members.clear();
            events[2].signal(READABLE);
            host.reactor.start(all, sink).cancel();
            host.settle();
            assertEquals(List.of("CANCELLED NONE"), take());
            assertEquals(2, members.size());
        }
    }

    @Test
    void aSetMayBeAFuture() {
        try (ManualHost host = new ManualHost()) {
            Waitable[] events = {host.reactor.event(), host.reactor.event()};
            Question any = Question.of(events[0], READABLE).and(events[1], READABLE);
            CompletableFuture<List<Member>> first = host.reactor.whenReady(any);
            CompletableFuture<List<Member>> both = host.reactor.whenReady(any.all());
            CompletableFuture<List<Member>> late =
                    host.reactor.whenReady(any.all().within(Duration.ZERO));
            CompletableFuture<List<Member>> given = host.reactor.whenReady(any.all());
            events[1].signal(READABLE);
            host.settle();
            assertEquals(List.of(new Member(events[1], 1, READABLE)), first.join());
            assertEquals(List.of(), late.join());
            assertFalse(both.isDone());
            assertTrue(given.complete(List.of()));
            events[0].signal(READABLE);
            host.settle();
            assertEquals(2, both.join().size());
            CompletableFuture<List<Member>> closed =
                    host.reactor.whenReady(Question.of(events[0], WRITABLE));
            events[0].close();
            host.settle();
            assertEquals(
                    AwsgiException.class,
                    assertThrows(CompletionException.class, closed::join).getCause().getClass());
            assertEquals(0, host.reactor.stats().waits());
            assertThrows(
                    IllegalArgumentException.class,
                    () -> host.reactor.whenReady(Question.of(events[1], READABLE).multishot()));
        }
    }

    @Test
    void aThreadMayWaitForASet() throws Exception {
        try (ManualHost host = new ManualHost()) {
            Waitable[] events = {host.reactor.event(), host.reactor.event()};
            Question all = Question.of(List.of(events), READABLE).all();
            assertThrows(IllegalStateException.class, () -> host.reactor.awaitReady(all));
            CompletableFuture<List<Member>> answer =
                    CompletableFuture.supplyAsync(
                            () -> {
                                try {
                                    return host.reactor.awaitReady(all);
                                } catch (IOException | InterruptedException failure) {
                                    throw new CompletionException(failure);
                                }
                            });
            host.turnUntil(() -> host.reactor.stats().waits() == 1);
            events[0].signal(READABLE);
            events[1].signal(READABLE);
            host.turnUntil(() -> host.reactor.stats().waits() == 0);
            assertEquals(2, answer.get(20, TimeUnit.SECONDS).size());
        }
    }

    @Test
    void aSetMayBeLargerThanTheRing() {
        try (ManualHost host = new ManualHost()) {
            List<Waitable> events = new ArrayList<>();
            for (int at = 0; at < 5000; at++) {
                events.add(host.reactor.event());
            }
            host.reactor.start(Question.of(events, READABLE).all(), as("all"));
            events.forEach(event -> event.signal(READABLE));
            host.settle();
            assertEquals(List.of("all READY READABLE"), take());
        }
    }

    @Test
    void moreThanFitsIntoTheRingCrossesInOrderBeforeTheHostSleeps() {
        try (ManualHost host = new ManualHost()) {
            Waitable event = host.reactor.event();
            for (int at = 0; at < 3000; at++) {
                host.reactor.start(Question.of(event, READABLE), as("" + at));
            }
            event.signal(READABLE);
            host.bridge.turn();
            assertEquals(0, host.bridge.timeoutNanos());
            host.settle();
            List<String> all = take();
            assertEquals(3000, all.size());
            assertEquals(3000, all.stream().distinct().count());
        }
    }

    @Test
    void aDeadlineIsNeverEarlyAndCountsFromTheCall() {
        try (ManualHost host = new ManualHost()) {
            long begun = System.nanoTime();
            CompletableFuture<Readiness> sleep = host.reactor.sleep(Duration.ofMillis(20));
            host.turnUntil(sleep::isDone);
            assertTrue(sleep.join().isTimedOut());
            assertTrue(System.nanoTime() - begun >= 20_000_000);
            Waitable event = host.reactor.event();
            assertTrue(host.reactor.whenReady(event, READABLE, null).cancel(false));
            CompletableFuture<Readiness> now =
                    host.reactor.whenReady(event, READABLE, Duration.ZERO);
            host.settle();
            assertSame(Readiness.TIMED_OUT, now.join());
        }
    }

    @Test
    void whateverCompletesAFutureEndsItsWait() {
        try (ManualHost host = new ManualHost()) {
            Waitable event = host.reactor.event();
            List<CompletableFuture<Readiness>> waits = new ArrayList<>();
            for (int at = 0; at < 7; at++) {
                waits.add(host.reactor.whenReady(event, READABLE, null));
            }
            host.settle();
            assertEquals(7, host.reactor.stats().waits());
            waits.get(0).cancel(true);
            waits.get(1).complete(READABLE);
            waits.get(2).completeExceptionally(new IllegalStateException("enough"));
            waits.get(3).orTimeout(1, TimeUnit.MILLISECONDS);
            waits.get(4).completeOnTimeout(WRITABLE, 1, TimeUnit.MILLISECONDS);
            waits.get(5).obtrudeValue(WRITABLE);
            waits.get(6).completeAsync(() -> WRITABLE, Runnable::run);
            host.turnUntil(() -> host.reactor.stats().waits() == 0);
            assertTrue(waits.get(0).isCancelled());
            assertSame(READABLE, waits.get(1).join());
            assertThrows(CompletionException.class, waits.get(2)::join);
            assertThrows(CompletionException.class, waits.get(3)::join);
            assertSame(WRITABLE, waits.get(4).join());
            event.signal(READABLE);
            host.settle();
            assertTrue(waits.get(0).isCancelled());
        }
    }

    @Test
    void theFirstDecisionStands() {
        try (ManualHost host = new ManualHost()) {
            Waitable event = host.reactor.event();
            Wait wait = host.reactor.start(Question.of(event, READABLE), as("wait"));
            event.signal(READABLE);
            assertTrue(wait.cancel());
            host.settle();
            assertEquals(List.of("wait READY READABLE"), take());
            assertFalse(wait.cancel());
            assertFalse(wait.forget());
        }
    }

    @Test
    void ofAForgottenWaitNothingComes() {
        try (ManualHost host = new ManualHost()) {
            Waitable event = host.reactor.event();
            Wait first = host.reactor.start(Question.of(event, READABLE), as("first"));
            Wait second =
                    host.reactor.start(
                            Question.of(event, READABLE),
                            (wait, outcome, ready, more) -> assertTrue(first.forget()));
            host.settle();
            event.signal(READABLE);
            // In one of the two orders the other completes first.
            host.settle();
            assertFalse(second.isPending());
            assertFalse(first.isPending());
            assertEquals(0, host.reactor.stats().waits());
        }
    }

    @Test
    void aMultishotWaitCompletesAtEachReadiness() {
        try (ManualHost host = new ManualHost()) {
            Waitable event = host.reactor.event();
            Wait wait = host.reactor.start(Question.of(event, READABLE).multishot(), as("wait"));
            for (int round = 0; round < 3; round++) {
                event.signal(READABLE);
                host.settle();
                assertEquals(List.of("wait READY READABLE more"), take());
            }
            assertTrue(wait.rearm());
            host.settle();
            assertEquals(List.of("wait READY READABLE more"), take());
            assertTrue(wait.cancel());
            host.settle();
            assertEquals(List.of("wait CANCELLED NONE"), take());
            assertFalse(wait.rearm());
        }
    }

    @Test
    void onlyAMultishotWaitIsArmedAgain() {
        try (ManualHost host = new ManualHost()) {
            Waitable event = host.reactor.event();
            Wait wait = host.reactor.start(Question.of(event, READABLE), as("wait"));
            assertEquals(Status.STATE, assertThrows(AwsgiException.class, wait::rearm).status());
            event.signal(READABLE);
            host.settle();
            assertFalse(wait.rearm());
        }
    }

    @Test
    void aLevelObjectIsWatchedUntilNobodyWantsItTwice() {
        try (ManualHost host = new ManualHost()) {
            Object queue = new Object();
            Waitable object = host.bridge.level(queue);
            assertSame(queue, object.attachment());
            for (int round = 0; round < 5; round++) {
                host.reactor.start(Question.of(object, READABLE), as("wait"));
                host.settle();
                object.signal(READABLE);
                host.settle();
                assertEquals(List.of("wait READY READABLE"), take());
            }
            assertEquals(List.of(new ManualHost.Change(object, READABLE)), host.changes);
            object.signal(READABLE);
            host.settle();
            object.signal(READABLE);
            host.settle();
            assertEquals(new ManualHost.Change(object, Readiness.NONE), host.changes.get(1));
        }
    }

    @Test
    void anArmThatNeedsNoWatchChangeNeedsNoTurnOfItsOwn() {
        try (ManualHost host = new ManualHost()) {
            Waitable object = host.bridge.level("object");
            host.reactor.start(Question.of(object, READABLE), as("first"));
            assertTrue(host.bridge.mustTurn());
            host.settle();
            object.signal(READABLE);
            host.settle();
            long turns = host.reactor.stats().turns();
            host.reactor.start(
                    Question.of(object, READABLE).within(Duration.ofSeconds(30)), as("second"));
            assertFalse(host.bridge.mustTurn());
            assertTrue(host.bridge.timeoutNanos() <= 30_000_000_000L);
            object.signal(READABLE);
            host.bridge.turn();
            assertEquals(turns + 1, host.reactor.stats().turns());
            assertEquals(List.of("first READY READABLE", "second READY READABLE"), take());
        }
    }

    @Test
    void anObjectThatIsReportedOnceIsAskedForEachTime() {
        try (ManualHost host = new ManualHost()) {
            Waitable object = host.bridge.once("object");
            for (int round = 1; round <= 3; round++) {
                host.reactor.start(Question.of(object, READABLE), as("wait"));
                host.settle();
                assertEquals(round, host.changes.size());
                object.signal(READABLE);
                host.settle();
                assertEquals(List.of("wait READY READABLE"), take());
            }
        }
    }

    @Test
    void aClosedObjectIsStoppedAndItsPlaceUsedAgain() {
        try (ManualHost host = new ManualHost()) {
            for (int round = 0; round < 100; round++) {
                Waitable object = host.bridge.level("object " + round);
                host.reactor.start(Question.of(object, READABLE), as("wait"));
                host.settle();
                object.close();
                object.close();
                host.settle();
                assertEquals(List.of("wait CLOSED NONE"), take());
                assertEquals(
                        List.of(
                                new ManualHost.Change(object, READABLE),
                                new ManualHost.Change(object, Readiness.NONE)),
                        host.changes);
                host.changes.clear();
                assertThrows(AwsgiException.class, () -> object.signal(READABLE));
            }
            assertEquals(0, host.reactor.stats().waitables());
        }
    }

    @Test
    void whoClosesADescriptorsWaitableMayCloseTheDescriptorNext() {
        try (ManualHost host = new ManualHost()) {
            Waitable event = host.reactor.event();
            Waitable standardError = host.reactor.descriptor(2);
            event.close();
            // That crosses with the next turn, this at once.
            assertEquals(2, Native.count(Layout.LIVE_WAITABLES));
            standardError.close();
            assertEquals(0, Native.count(Layout.LIVE_WAITABLES));
            host.settle();
        }
    }

    @Test
    void aTimerCountsItsExpirations() {
        try (ManualHost host = new ManualHost()) {
            Waitable timer = host.reactor.timer(Duration.ofMillis(1), Duration.ofMillis(1));
            host.reactor.start(Question.of(timer, READABLE).multishot(), as("timer"));
            long expired = 0;
            while (expired < 3) {
                host.turnUntil(() -> !told.isEmpty());
                told.clear();
                expired += timer.take();
            }
            assertThrows(AwsgiException.class, () -> timer.signal(READABLE));
        }
    }

    @Test
    void aTimerSaysHowOftenItHasExpiredBetweenTurnsToo() {
        try (ManualHost host = new ManualHost()) {
            Waitable timer = host.reactor.timer(Duration.ofNanos(1), Duration.ofNanos(1));
            host.settle();
            long first = timer.take();
            long second = timer.take();
            assertTrue(first > 0 && second > 0, first + ", then " + second);
        }
    }

    @Test
    void anyThreadWakesTheHostOnceBetweenTwoTurns() throws Exception {
        try (ManualHost host = new ManualHost()) {
            Waitable counter = host.reactor.counter();
            CompletableFuture<Readiness> counted = host.reactor.whenReady(counter, READABLE, null);
            host.settle();
            Thread[] threads = new Thread[8];
            for (int at = 0; at < threads.length; at++) {
                threads[at] =
                        new Thread(
                                () -> {
                                    for (int times = 0; times < 1000; times++) {
                                        counter.signal(READABLE);
                                    }
                                });
                threads[at].start();
            }
            for (Thread thread : threads) {
                thread.join();
            }
            assertEquals(1, host.wakes.availablePermits());
            host.settle();
            assertSame(READABLE, counted.join());
            assertEquals(8000, counter.take());
        }
    }

    private static void onAnotherThread(Runnable work) throws Exception {
        CompletableFuture.runAsync(work, task -> new Thread(task).start())
                .get(20, TimeUnit.SECONDS);
    }

    @Test
    void aHostThatFailedToBeWokenIsWokenByTheNext() throws Exception {
        try (ManualHost host = new ManualHost()) {
            Waitable event = host.reactor.event();
            CompletableFuture<Readiness> wait = host.reactor.whenReady(event, READABLE, null);
            List<String> ran = new ArrayList<>();
            for (Runnable needs :
                    List.<Runnable>of(
                            () -> host.reactor.execute(() -> ran.add("ran")),
                            () -> event.signal(READABLE))) {
                host.settle();
                host.deaf = true;
                onAnotherThread(() -> assertThrows(IllegalStateException.class, needs::run));
                host.deaf = false;
                assertEquals(0, host.wakes.drainPermits());
                onAnotherThread(needs);
                assertEquals(1, host.wakes.drainPermits());
            }
            host.settle();
            // Whoever was told that it failed had his task taken all the same.
            assertEquals(List.of("ran", "ran"), ran);
            assertSame(READABLE, wait.join());
        }
    }

    @Test
    void otherThreadsWaitAndCancelThroughTheLoop() throws Exception {
        try (ManualHost host = new ManualHost()) {
            Waitable event = host.reactor.event();
            List<CompletableFuture<Readiness>> begun = new CopyOnWriteArrayList<>();
            CompletableFuture.runAsync(
                            () -> begun.add(host.reactor.whenReady(event, READABLE, null)))
                    .get();
            host.turnUntil(() -> host.reactor.stats().waits() == 1);
            CompletableFuture.runAsync(() -> assertTrue(begun.get(0).cancel(false))).get();
            host.turnUntil(() -> host.reactor.stats().waits() == 0);
            assertTrue(begun.get(0).isCancelled());
        }
    }

    @Test
    void awaitReadyParksAnyThreadButTheLoops() throws Exception {
        try (ManualHost host = new ManualHost()) {
            Waitable event = host.reactor.event();
            assertThrows(
                    IllegalStateException.class,
                    () -> host.reactor.awaitReady(event, READABLE, null));
            CompletableFuture<Object> answer = new CompletableFuture<>();
            Thread thread =
                    new Thread(
                            () -> {
                                try {
                                    answer.complete(host.reactor.awaitReady(event, READABLE, null));
                                } catch (Exception failure) {
                                    answer.complete(failure);
                                }
                            });
            thread.start();
            host.turnUntil(() -> host.reactor.stats().waits() == 1);
            event.signal(READABLE);
            host.turnUntil(() -> host.reactor.stats().waits() == 0);
            assertSame(READABLE, answer.get(20, TimeUnit.SECONDS));
            thread.join();
        }
    }

    @Test
    void anInterruptEndsTheWaitAndLeavesTheWaitable() throws Exception {
        try (ManualHost host = new ManualHost()) {
            Waitable event = host.reactor.event();
            CompletableFuture<Object> answer = new CompletableFuture<>();
            Thread thread =
                    new Thread(
                            () -> {
                                try {
                                    answer.complete(host.reactor.awaitReady(event, READABLE, null));
                                } catch (Exception failure) {
                                    answer.complete(failure);
                                }
                            });
            thread.start();
            host.turnUntil(() -> host.reactor.stats().waits() == 1);
            thread.interrupt();
            assertEquals(InterruptedException.class, answer.get(20, TimeUnit.SECONDS).getClass());
            host.turnUntil(() -> host.reactor.stats().waits() == 0);
            assertTrue(event.isOpen());
            thread.join();
        }
    }

    @Test
    void aHostMayReportUntilATurnSaysThatTheReactorIsGone() {
        try (ManualHost host = new ManualHost()) {
            Waitable event = host.reactor.event();
            Waitable object = host.bridge.level("object");
            for (int at = 0; at < 3; at++) {
                host.reactor.start(Question.of(object, READABLE), as("" + at));
            }
            host.settle();
            host.bridge.limitTurns(0, 1);
            CompletableFuture<Void> closed = host.reactor.close(Duration.ZERO);
            assertTrue(host.bridge.turn());
            assertEquals(1, told.size());
            object.signal(READABLE);
            assertThrows(ReactorClosedException.class, () -> event.signal(READABLE));
            host.turnUntil(closed::isDone);
            assertEquals(List.of("0 CLOSED NONE", "1 CLOSED NONE", "2 CLOSED NONE"), take());
            assertThrows(ReactorClosedException.class, () -> object.signal(READABLE));
        }
    }

    @Test
    void anErrorWhileItIsClosedKeepsNobodyWaiting() {
        ManualHost host = new ManualHost();
        CompletableFuture<Readiness> wait =
                host.reactor.whenReady(host.bridge.level("object"), READABLE, null);
        host.settle();
        host.bridge.listen(
                (waitable, interest) -> {
                    throw new AssertionError("planted");
                });
        assertEquals(
                "planted", assertThrows(AssertionError.class, host.reactor::close).getMessage());
        assertTrue(host.reactor.whenClosed().isDone());
        assertEquals(
                ReactorClosedException.class,
                assertThrows(CompletionException.class, wait::join).getCause().getClass());
    }

    @Test
    void whatASinkThrowsHarmsNobodyElse() {
        try (ManualHost host = new ManualHost()) {
            Waitable event = host.reactor.event();
            List<Throwable> caught = new ArrayList<>();
            Thread thread = Thread.currentThread();
            var before = thread.getUncaughtExceptionHandler();
            thread.setUncaughtExceptionHandler((ignored, failure) -> caught.add(failure));
            try {
                host.reactor.start(
                        Question.of(event, READABLE),
                        (wait, outcome, ready, more) -> {
                            throw new IllegalArgumentException("a sink that fails");
                        });
                host.reactor.start(Question.of(event, READABLE), as("other"));
                event.signal(READABLE);
                host.settle();
            } finally {
                thread.setUncaughtExceptionHandler(before);
            }
            assertEquals(List.of("other READY READABLE"), take());
            assertEquals("a sink that fails", caught.get(0).getMessage());
            assertEquals(1, caught.size());
        }
    }

    @Test
    void closingEndsEverythingOnce() {
        ManualHost host = new ManualHost();
        Waitable event = host.reactor.event();
        Waitable object = host.bridge.level("object");
        CompletableFuture<Readiness> future = host.reactor.whenReady(event, READABLE, null);
        host.reactor.start(Question.of(object, READABLE), as("wait"));
        host.settle();
        host.reactor.start(Question.of(event, READABLE), as("not yet across"));
        host.close();
        host.close();
        assertEquals(
                List.of("wait CLOSED NONE", "not yet across CLOSED NONE"),
                take().stream().sorted(java.util.Comparator.reverseOrder()).toList());
        CompletionException closed = assertThrows(CompletionException.class, future::join);
        assertEquals(ReactorClosedException.class, closed.getCause().getClass());
        assertEquals(new ManualHost.Change(object, Readiness.NONE), host.changes.get(1));
        assertTrue(host.reactor.whenClosed().isDone());
        assertFalse(host.bridge.turn());
        assertThrows(ReactorClosedException.class, host.reactor::event);
        assertThrows(ReactorClosedException.class, () -> host.reactor.sleep(Duration.ZERO));
        assertThrows(ReactorClosedException.class, () -> host.reactor.execute(() -> {}));
        assertThrows(ReactorClosedException.class, () -> event.signal(READABLE));
        assertThrows(ReactorClosedException.class, host.reactor::stats);
        event.close();
    }

    @Test
    void closingWithGraceLetsWaitsComplete() {
        try (ManualHost host = new ManualHost()) {
            Waitable event = host.reactor.event();
            CompletableFuture<Readiness> wait = host.reactor.whenReady(event, READABLE, null);
            host.settle();
            CompletableFuture<Void> gone = host.reactor.close(Duration.ofSeconds(30));
            host.settle();
            assertFalse(gone.isDone());
            assertThrows(
                    ReactorClosedException.class,
                    () -> host.reactor.whenReady(event, READABLE, null));
            event.signal(READABLE);
            host.turnUntil(gone::isDone);
            assertSame(READABLE, wait.join());
        }
        try (ManualHost host = new ManualHost()) {
            CompletableFuture<Readiness> wait = host.reactor.sleep(Duration.ofDays(1));
            CompletableFuture<Void> gone = host.reactor.close(Duration.ofMillis(5));
            host.turnUntil(gone::isDone);
            assertTrue(wait.isCompletedExceptionally());
        }
    }

    @Test
    void theLastWaitThatIsForgottenEndsAReactorThatIsClosedWithGrace() {
        try (ManualHost host = new ManualHost()) {
            Wait wait =
                    host.reactor.start(Question.of(host.reactor.event(), READABLE), as("never"));
            CompletableFuture<Void> gone = host.reactor.close(Duration.ofDays(1));
            host.settle();
            wait.forget();
            assertEquals(0, host.bridge.timeoutNanos());
            host.settle();
            assertTrue(gone.isDone());
        }
    }

    @Test
    void aReactorMayBeClosedByWhatItCompletes() {
        ManualHost host = new ManualHost();
        Waitable event = host.reactor.event();
        host.reactor.start(
                Question.of(event, READABLE), (wait, outcome, ready, more) -> host.close());
        host.reactor.start(Question.of(event, WRITABLE), as("other"));
        event.signal(READABLE);
        while (host.bridge.turn()) {
            assertEquals(0, host.bridge.timeoutNanos());
        }
        assertEquals(List.of("other CLOSED NONE"), take());
    }

    @Test
    void aLoopThatClosesItsReactorDoesNotSleepBeforeItLearnsThatItIsGone() {
        ManualHost host = new ManualHost();
        host.settle();
        host.close();
        assertEquals(0, host.bridge.timeoutNanos());
        assertFalse(host.bridge.turn());
    }

    @Test
    void aTaskThatComesAgainAndAgainLeavesTheTurnToTheOthers() {
        try (ManualHost host = new ManualHost()) {
            Waitable event = host.reactor.event();
            host.reactor.start(Question.of(event, READABLE), as("wait"));
            Runnable again =
                    new Runnable() {
                        @Override
                        public void run() {
                            told.add("task");
                            if (host.reactor.stats().turns() < 2) {
                                host.reactor.execute(this);
                            }
                        }
                    };
            host.reactor.execute(again);
            event.signal(READABLE);
            host.bridge.turn();
            assertEquals(List.of("task", "wait READY READABLE"), take());
            assertTrue(host.bridge.mustTurn());
            host.bridge.turn();
            assertEquals(List.of("task"), take());
        }
    }

    @Test
    void aTurnInsideATurnIsRefused() {
        try (ManualHost host = new ManualHost()) {
            Waitable event = host.reactor.event();
            List<Status> refused = new ArrayList<>();
            host.reactor.start(
                    Question.of(event, READABLE),
                    (wait, outcome, ready, more) ->
                            refused.add(
                                    assertThrows(AwsgiException.class, host.bridge::turn)
                                            .status()));
            event.signal(READABLE);
            host.settle();
            assertEquals(List.of(Status.REENTRANT), refused);
        }
    }

    @Test
    void otherThreadsAreRefusedWhatIsTheOwners() throws Exception {
        try (ManualHost host = new ManualHost()) {
            Waitable event = host.reactor.event();
            List<Runnable> calls =
                    List.of(
                            host.bridge::turn,
                            host.bridge::timeoutNanos,
                            host.bridge::mustTurn,
                            () -> host.bridge.limitTurns(1, 1),
                            () -> host.bridge.level("object"),
                            () -> host.bridge.once("object"),
                            host.reactor::event,
                            host.reactor::counter,
                            () -> host.reactor.timer(Duration.ZERO, Duration.ZERO),
                            () -> host.reactor.descriptor(0),
                            () -> host.reactor.start(Question.of(event, READABLE), as("no")),
                            host.reactor::stats,
                            host.reactor::pointer,
                            event::take,
                            event::describe,
                            () -> event.label("label"));
            CompletableFuture.runAsync(
                            () -> {
                                for (Runnable call : calls) {
                                    assertThrows(WrongOwnerException.class, call::run);
                                }
                            })
                    .get();
        }
    }

    @Test
    void whatIsWrongIsSaidAndChangesNothing() {
        try (ManualHost host = new ManualHost();
                ManualHost other = new ManualHost()) {
            Waitable event = host.reactor.event();
            Waitable theirs = other.reactor.event();
            Waitable closed = host.reactor.event();
            closed.close();
            assertThrows(IllegalArgumentException.class, () -> Question.of(event, Readiness.NONE));
            assertThrows(
                    IllegalArgumentException.class,
                    () -> Question.of(event, READABLE).and(event, WRITABLE));
            assertThrows(
                    IllegalArgumentException.class, () -> Question.of(event, READABLE).atLeast(2));
            assertThrows(
                    IllegalArgumentException.class,
                    () -> Question.of(event, READABLE).and(closed, READABLE).multishot());
            assertThrows(
                    IllegalArgumentException.class,
                    () -> host.reactor.whenReady(event, Readiness.NONE, null));
            assertThrows(IllegalArgumentException.class, () -> event.signal(Readiness.NONE));
            assertEquals(
                    Status.STALE,
                    assertThrows(
                                    AwsgiException.class,
                                    () -> host.reactor.whenReady(theirs, READABLE, null))
                            .status());
            assertEquals(
                    Status.STALE,
                    assertThrows(
                                    AwsgiException.class,
                                    () ->
                                            host.reactor.start(
                                                    Question.of(closed, READABLE), as("no")))
                            .status());
            assertThrows(NullPointerException.class, () -> host.reactor.execute(null));
            assertThrows(
                    NullPointerException.class,
                    () -> host.reactor.whenReady((Waitable) null, READABLE, null));
            assertThrows(IllegalArgumentException.class, () -> host.bridge.limitTurns(-1, 0));
            host.settle();
            assertEquals(0, host.reactor.stats().waits());
            assertEquals(1, host.reactor.stats().waitables());
            assertEquals(List.of(), take());
        }
    }

    @Test
    void limitsRefuseWhatIsBeyond() {
        try (ManualHost host = new ManualHost(ReactorOptions.DEFAULT.maxWaits(2).maxWaitables(1))) {
            Waitable event = host.reactor.event();
            assertEquals(
                    Status.LIMIT, assertThrows(AwsgiException.class, host.reactor::event).status());
            for (int at = 0; at < 3; at++) {
                host.reactor.start(Question.of(event, READABLE), as("" + at));
            }
            host.settle();
            assertEquals(List.of("2 FAILED NONE"), take());
        }
    }

    @Test
    void whatWasClosedCountsNoMoreForTheNextThatIsMade() {
        try (ManualHost host = new ManualHost(ReactorOptions.DEFAULT.maxWaitables(1))) {
            for (int at = 0; at < 3; at++) {
                host.reactor.event().close();
                host.bridge.level("object").close();
            }
        }
    }

    @Test
    void peopleCanReadWhatAWaitableIs() {
        try (ManualHost host = new ManualHost()) {
            Waitable event = host.reactor.event();
            String label = "an Ereignis \u00fc " + "x".repeat(10_000);
            event.label(label);
            assertTrue(event.describe().contains(label), event::describe);
            assertTrue(host.bridge.level("object").describe().contains("level"));
        }
    }

    @Test
    void aTurnCompletesNoMoreThanItsLimit() {
        try (ManualHost host = new ManualHost()) {
            Waitable event = host.reactor.event();
            for (int at = 0; at < 10; at++) {
                host.reactor.start(Question.of(event, READABLE), as("" + at));
            }
            event.signal(READABLE);
            host.bridge.limitTurns(0, 3);
            host.bridge.turn();
            assertEquals(3, take().size());
            assertTrue(host.bridge.mustTurn());
            host.settle();
            assertEquals(7, take().size());
        }
    }
}
