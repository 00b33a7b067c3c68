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
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** What a host hears that turns only when there is something to do. */
@ExtendWith(NothingLeft.class)
class DueTest {
    private static final Readiness READABLE = Readiness.READABLE;

    private int dues;
    private boolean watchesAhead;
    private final List<String> watched = new ArrayList<>();

    private ReactorBridge open() {
        return ReactorBridge.open(
                new ReactorBridge.Host() {
                    @Override
                    public void wakeup() {}

                    @Override
                    public void watch(Waitable waitable, Readiness interest) {
                        watched.add(interest.toString());
                    }

                    @Override
                    public boolean watchAhead(Waitable waitable, Readiness interest) {
                        if (watchesAhead) {
                            watched.add("ahead " + interest);
                        }
                        return watchesAhead;
                    }

                    @Override
                    public void due() {
                        dues++;
                    }
                },
                ReactorOptions.DEFAULT);
    }

    private int takeDues() {
        int taken = dues;
        dues = 0;
        return taken;
    }

    /** Turns until there is nothing to do. */
    private void settle(ReactorBridge bridge) {
        int before = takeDues();
        do {
            bridge.turn();
        } while (bridge.mustTurn());
        assertEquals(0, takeDues(), () -> "inside of turns, after " + before);
    }

    @Test
    void whateverHasToCrossIsToldOnceBetweenTwoTurns() {
        try (ReactorBridge bridge = open()) {
            Reactor reactor = bridge.reactor();
            Waitable event = reactor.event();
            Waitable object = bridge.level("object");
            settle(bridge);
            List<Runnable> all =
                    List.of(
                            () -> event.signal(READABLE),
                            () -> object.signal(READABLE),
                            () -> reactor.whenReady(object, READABLE, null).cancel(false),
                            () -> reactor.execute(() -> {}),
                            () -> assertFalse(reactor.sleep(Duration.ZERO).isDone()),
                            reactor::pointer,
                            object::close);
            for (Runnable each : all) {
                each.run();
                assertEquals(1, takeDues());
                assertEquals(0, bridge.timeoutNanos());
                each.run();
                assertEquals(0, takeDues());
                settle(bridge);
            }
        }
    }

    @Test
    void aDeadlineIsToldIfItIsNearerThanAllOthers() {
        try (ReactorBridge bridge = open()) {
            Reactor reactor = bridge.reactor();
            CompletableFuture<Readiness> hour = reactor.sleep(Duration.ofHours(1));
            assertEquals(1, takeDues());
            assertFalse(bridge.mustTurn());
            CompletableFuture<Readiness> day = reactor.sleep(Duration.ofDays(1));
            assertEquals(0, takeDues());
            CompletableFuture<Readiness> minute = reactor.sleep(Duration.ofMinutes(1));
            assertEquals(1, takeDues());
            assertTrue(bridge.timeoutNanos() <= Duration.ofMinutes(1).toNanos());
            settle(bridge);
            CompletableFuture<Readiness> two = reactor.sleep(Duration.ofMinutes(2));
            assertEquals(0, takeDues());
            CompletableFuture<Readiness> second = reactor.sleep(Duration.ofSeconds(1));
            assertEquals(1, takeDues());
            List.of(hour, day, minute, two, second).forEach(wait -> wait.cancel(false));
        }
    }

    @Test
    void moreThanFitsIsTold() {
        try (ReactorBridge bridge = open()) {
            Waitable object = bridge.level("object");
            CompletableFuture<Readiness> first = bridge.reactor().whenReady(object, READABLE, null);
            settle(bridge);
            // It is watched already: each of these crosses with a report, if there is room.
            int arms = Layout.RING / 2;
            for (int at = 0; at < arms; at++) {
                assertFalse(bridge.reactor().whenReady(object, READABLE, null).isDone());
            }
            assertFalse(bridge.mustTurn());
            assertEquals(0, takeDues());
            assertFalse(bridge.reactor().whenReady(object, READABLE, null).isDone());
            assertTrue(bridge.mustTurn());
            assertEquals(1, takeDues());
            object.close();
            settle(bridge);
            assertTrue(first.isCompletedExceptionally());
        }
    }

    @Test
    void anObjectThatIsWatchedAheadCrossesWithItsReport() {
        watchesAhead = true;
        try (ReactorBridge bridge = open()) {
            Waitable object = bridge.once("object");
            settle(bridge);
            for (int round = 0; round < 3; round++) {
                CompletableFuture<Readiness> wait =
                        bridge.reactor().whenReady(object, READABLE, null);
                assertFalse(bridge.mustTurn());
                assertEquals(0, takeDues());
                object.signal(READABLE);
                assertEquals(1, takeDues());
                bridge.turn();
                assertFalse(bridge.mustTurn());
                assertSame(READABLE, wait.join());
            }
            assertEquals(List.of("ahead READABLE", "ahead READABLE", "ahead READABLE"), watched);
            object.close();
            settle(bridge);
        }
    }

    @Test
    void anObjectThatIsWatchedAheadIsWatchedOnWhereTheWaitCrossesWithoutAReport() {
        watchesAhead = true;
        try (ReactorBridge bridge = open()) {
            Waitable object = bridge.once("object");
            CompletableFuture<Readiness> wait = bridge.reactor().whenReady(object, READABLE, null);
            settle(bridge);
            assertEquals(List.of("ahead READABLE", "READABLE"), watched);
            object.signal(READABLE);
            settle(bridge);
            assertSame(READABLE, wait.join());
            object.close();
            settle(bridge);
        }
    }

    @Test
    void aWaitableThatIsClosedForAReasonEndsItsWaitsWithThat() throws Exception {
        try (ReactorBridge bridge = open()) {
            Waitable object = bridge.once("object");
            CompletableFuture<Readiness> wait = bridge.reactor().whenReady(object, READABLE, null);
            settle(bridge);
            IOException why = new IOException("the object is gone");
            object.close(why);
            object.close(new IOException("too late"));
            object.close();
            settle(bridge);
            assertSame(why, assertThrows(CompletionException.class, wait::join).getCause());
            assertThrows(NullPointerException.class, () -> object.close(null));
        }
    }
}
