package io.awsgi.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.Pipe;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** What is misused in the middle of other things, and harms none of them. */
@ExtendWith(NothingLeft.class)
class MisuseTest {
    private static final Readiness READABLE = Readiness.READABLE;
    private static final Duration LONG = Duration.ofSeconds(20);

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

    private static SelectorHost open() throws IOException {
        return SelectorHost.open(ReactorOptions.DEFAULT);
    }

    private static Throwable failure(CompletableFuture<?> future) {
        return assertThrows(CompletionException.class, future::join).getCause();
    }

    private static void turnUntil(SelectorHost host, java.util.function.BooleanSupplier so)
            throws IOException {
        long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (!so.getAsBoolean()) {
            assertTrue(System.nanoTime() < until, "it did not come to be within 20 seconds");
            host.turn(Duration.ofMillis(100));
        }
    }

    /** Turns for as long as there is something to do. Answers how often that was. */
    private static int rest(SelectorHost host) throws IOException {
        int turns = 0;
        long begun;
        do {
            assertTrue(++turns < 20, "the loop does not come to rest");
            begun = System.nanoTime();
            host.turn(Duration.ofMillis(20));
        } while (System.nanoTime() - begun < 15_000_000);
        return turns;
    }

    @Test
    void aTurnInsideATurnIsRefusedBeforeItSleeps() throws Exception {
        try (SelectorHost host = open()) {
            List<Throwable> refused = new ArrayList<>();
            Waitable event = host.reactor().event();
            host.reactor()
                    .execute(
                            () ->
                                    refused.add(
                                            assertThrows(
                                                    AwsgiException.class, () -> host.turn(null))));
            host.reactor()
                    .start(
                            Question.of(event, READABLE),
                            (wait, outcome, ready, more) ->
                                    refused.add(
                                            assertThrows(
                                                    AwsgiException.class, () -> host.turn(null))));
            event.signal(READABLE);
            turnUntil(host, () -> refused.size() == 2);
            for (Throwable one : refused) {
                assertEquals(Status.REENTRANT, ((AwsgiException) one).status());
            }
        }
    }

    @Test
    void aFinderThatFindsNothingFailsItsWait() throws Exception {
        try (ManualHost host = new ManualHost();
                ManualHost other = new ManualHost()) {
            Waitable theirs = other.reactor.event();
            Waitable closed = host.reactor.event();
            closed.close();
            CompletableFuture<Readiness> nothing =
                    host.reactor.whenReady(() -> null, READABLE, null);
            CompletableFuture<Readiness> foreign =
                    host.reactor.whenReady(() -> theirs, READABLE, null);
            CompletableFuture<Readiness> gone =
                    host.reactor.whenReady(() -> closed, READABLE, null);
            IOException thrown = new IOException("not today");
            CompletableFuture<Readiness> failed =
                    host.reactor.whenReady(
                            () -> {
                                throw thrown;
                            },
                            READABLE,
                            null);
            host.settle();
            assertEquals(NullPointerException.class, failure(nothing).getClass());
            assertEquals(Status.STALE, ((AwsgiException) failure(foreign)).status());
            assertEquals(Status.STALE, ((AwsgiException) failure(gone)).status());
            assertSame(thrown, failure(failed));
            assertEquals(0, host.reactor.stats().waits());
        }
    }

    @Test
    void aWaitableThatIsMadeAnewForItsChannelLeavesTheLoopAtRest() throws Exception {
        Pipe pipe = pipe();
        try (SelectorHost host = open()) {
            Waitable first = host.waitable(pipe.source());
            CompletableFuture<Readiness> wait = host.reactor().whenReady(first, READABLE, null);
            rest(host);
            assertFalse(wait.isDone());
            // Before the host is told to stop watching for the first.
            first.close();
            Waitable second = host.waitable(pipe.source());
            feed(pipe);
            rest(host);
            assertTrue(wait.isCompletedExceptionally());
            CompletableFuture<Readiness> other = host.reactor().whenReady(second, READABLE, null);
            turnUntil(host, other::isDone);
            assertSame(READABLE, other.join());
            second.close();
            rest(host);
        }
        close(pipe);
    }

    @Test
    void channelsThatAreClosedInEachStateEndTheirWaits() throws Exception {
        List<Pipe> pipes = new ArrayList<>();
        try (SelectorHost host = open()) {
            // Before it is registered, at once after, watched, ready, and reported.
            for (int state = 0; state < 5; state++) {
                Pipe pipe = pipe();
                pipes.add(pipe);
                CompletableFuture<Readiness> wait = host.whenReady(pipe.source(), READABLE, null);
                if (state > 1) {
                    host.turn(Duration.ZERO);
                }
                if (state > 2) {
                    feed(pipe);
                }
                if (state == 4) {
                    turnUntil(host, wait::isDone);
                    wait = host.whenReady(pipe.source(), READABLE, null);
                }
                pipe.source().close();
                turnUntil(host, wait::isDone);
                if (wait.isCompletedExceptionally()) {
                    assertEquals(ClosedChannelException.class, failure(wait).getClass());
                }
                CompletableFuture<Readiness> late = host.whenReady(pipe.source(), READABLE, null);
                turnUntil(host, late::isDone);
                assertEquals(ClosedChannelException.class, failure(late).getClass());
                assertThrows(ClosedChannelException.class, () -> host.waitable(pipe.source()));
            }
            rest(host);
            assertEquals(0, host.reactor().stats().waits());
            assertEquals(0, host.reactor().stats().waitables());
        }
        for (Pipe pipe : pipes) {
            close(pipe);
        }
    }

    @Test
    void aChannelThatIsClosedByWhatItCompletesHarmsNobody() throws Exception {
        Pipe pipe = pipe();
        try (SelectorHost host = open()) {
            List<CompletableFuture<Readiness>> waits = new ArrayList<>();
            for (int at = 0; at < 5; at++) {
                CompletableFuture<Readiness> wait = host.whenReady(pipe.source(), READABLE, null);
                waits.add(
                        wait.whenComplete(
                                (ready, failure) -> {
                                    try {
                                        pipe.source().close();
                                    } catch (IOException impossible) {
                                        throw new java.io.UncheckedIOException(impossible);
                                    }
                                }));
            }
            feed(pipe);
            for (CompletableFuture<Readiness> wait : waits) {
                turnUntil(host, wait::isDone);
                assertSame(READABLE, wait.join());
            }
            rest(host);
            assertEquals(0, host.reactor().stats().waitables());
        }
        close(pipe);
    }

    @Test
    void aKeyThatSomebodyElseCancelsIsAChannelThatIsLetGo() throws Exception {
        Pipe pipe = pipe();
        try (SelectorHost host = open();
                Selector theirs = Selector.open()) {
            // It may be registered elsewhere, too.
            SelectionKey key = pipe.source().register(theirs, SelectionKey.OP_READ);
            CompletableFuture<Readiness> wait = host.whenReady(pipe.source(), READABLE, null);
            host.turn(Duration.ZERO);
            feed(pipe);
            turnUntil(host, wait::isDone);
            assertSame(READABLE, wait.join());
            assertEquals(1, theirs.selectNow());
            assertTrue(key.isValid());
            pipe.source().read(ByteBuffer.allocate(8));
            CompletableFuture<Readiness> second = host.whenReady(pipe.source(), READABLE, null);
            host.turn(Duration.ZERO);
            // Ours is the other one; nobody should, but anybody can reach it.
            keyOf(host, pipe).cancel();
            turnUntil(host, second::isDone);
            assertEquals(ClosedChannelException.class, failure(second).getClass());
            CompletableFuture<Readiness> third = host.whenReady(pipe.source(), READABLE, null);
            feed(pipe);
            turnUntil(host, third::isDone);
            assertSame(READABLE, third.join());
            rest(host);
        }
        close(pipe);
    }

    private static SelectionKey keyOf(SelectorHost host, Pipe pipe) throws IOException {
        return ((Watched) host.waitable(pipe.source()).object()).key;
    }

    @Test
    void aChannelThatTurnsBlockingMeanwhileFailsItsWaitWithThat() throws Exception {
        try (SelectorHost host = open();
                SocketChannel channel = SocketChannel.open()) {
            channel.configureBlocking(false);
            CompletableFuture<Readiness> wait =
                    host.reactor()
                            .whenReady(
                                    () -> {
                                        channel.configureBlocking(true);
                                        return host.waitable(channel);
                                    },
                                    READABLE,
                                    null);
            host.turn(Duration.ZERO);
            assertEquals(
                    java.nio.channels.IllegalBlockingModeException.class, failure(wait).getClass());
            channel.configureBlocking(false);
        }
    }

    @Test
    void whatIsUsedAfterItsHostIsRefusedAndChannelsStayOpen() throws Exception {
        Pipe pipe = pipe();
        SelectorHost host = open();
        Waitable waitable = host.waitable(pipe.source());
        CompletableFuture<Readiness> wait = host.reactor().whenReady(waitable, READABLE, LONG);
        host.close();
        assertEquals(ReactorClosedException.class, failure(wait).getClass());
        assertFalse(waitable.isOpen());
        assertThrows(ReactorClosedException.class, () -> waitable.signal(READABLE));
        assertThrows(ReactorClosedException.class, waitable::take);
        assertThrows(ReactorClosedException.class, waitable::describe);
        assertThrows(ReactorClosedException.class, () -> host.waitable(pipe.source()));
        waitable.close();
        assertFalse(host.turn(null));
        assertTrue(pipe.source().isOpen());
        try (SelectorHost next = open()) {
            CompletableFuture<Readiness> again = next.whenReady(pipe.source(), READABLE, LONG);
            feed(pipe);
            turnUntil(next, again::isDone);
            assertSame(READABLE, again.join());
        }
        close(pipe);
    }
}
