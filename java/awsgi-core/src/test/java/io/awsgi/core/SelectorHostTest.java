package io.awsgi.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.DatagramChannel;
import java.nio.channels.IllegalBlockingModeException;
import java.nio.channels.NotYetConnectedException;
import java.nio.channels.Pipe;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Channels, in a loop of the host's own and in one of the test's. */
@ExtendWith(NothingLeft.class)
class SelectorHostTest {
    private static final Readiness READABLE = Readiness.READABLE;
    private static final Readiness WRITABLE = Readiness.WRITABLE;
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

    private static ByteBuffer byteOf(int value) {
        return ByteBuffer.wrap(new byte[] {(byte) value});
    }

    private static SelectorHost start() throws IOException {
        return SelectorHost.start(ReactorOptions.DEFAULT);
    }

    @Test
    void aChannelIsReadyBeforeOrAfterTheWait() throws Exception {
        Pipe pipe = pipe();
        try (SelectorHost host = start()) {
            CompletableFuture<Readiness> before = host.whenReady(pipe.source(), READABLE, LONG);
            pipe.sink().write(byteOf(1));
            assertSame(READABLE, before.get());
            assertSame(READABLE, host.awaitReady(pipe.source(), READABLE, LONG));
            assertSame(WRITABLE, host.awaitReady(pipe.sink(), WRITABLE, LONG));
        }
        assertTrue(pipe.source().isOpen());
        assertFalse(pipe.source().isRegistered());
        close(pipe);
    }

    @Test
    void aTimeoutIsAValue() throws Exception {
        Pipe pipe = pipe();
        try (SelectorHost host = start()) {
            long begun = System.nanoTime();
            assertSame(
                    Readiness.TIMED_OUT,
                    host.awaitReady(pipe.source(), READABLE, Duration.ofMillis(5)));
            assertTrue(System.nanoTime() - begun >= 5_000_000);
            assertSame(
                    Readiness.TIMED_OUT, host.awaitReady(pipe.source(), READABLE, Duration.ZERO));
        }
        close(pipe);
    }

    @Test
    void severalWaitsOnOneChannelAllEndAndDoNotDisturbEachOther() throws Exception {
        Pipe pipe = pipe();
        try (SelectorHost host = start()) {
            List<CompletableFuture<Readiness>> waits = new ArrayList<>();
            for (int at = 0; at < 10; at++) {
                waits.add(host.whenReady(pipe.source(), READABLE, null));
            }
            assertTrue(waits.get(3).cancel(false));
            CompletableFuture<Readiness> timed =
                    host.whenReady(pipe.source(), READABLE, Duration.ofMillis(1));
            assertSame(Readiness.TIMED_OUT, timed.get());
            pipe.sink().write(byteOf(1));
            for (int at = 0; at < 10; at++) {
                if (at != 3) {
                    assertSame(READABLE, waits.get(at).get(20, TimeUnit.SECONDS));
                }
            }
        }
        close(pipe);
    }

    @Test
    void aConnectionIsMadeAcceptedReadAndWritten() throws Exception {
        try (SelectorHost host = start();
                ServerSocketChannel server = ServerSocketChannel.open();
                SocketChannel client = SocketChannel.open()) {
            server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            server.configureBlocking(false);
            client.configureBlocking(false);
            CompletableFuture<Readiness> accepting = host.whenReady(server, READABLE, LONG);
            if (!client.connect(server.getLocalAddress())) {
                assertSame(WRITABLE, host.awaitReady(client, WRITABLE, LONG));
                assertTrue(client.finishConnect());
            }
            assertSame(READABLE, accepting.get());
            try (SocketChannel accepted = server.accept()) {
                accepted.configureBlocking(false);
                // Established now, it is watched for room to write.
                assertSame(WRITABLE, host.awaitReady(client, WRITABLE, LONG));
                client.write(byteOf(7));
                assertSame(READABLE, host.awaitReady(accepted, READABLE, LONG));
                ByteBuffer read = ByteBuffer.allocate(10);
                assertEquals(1, accepted.read(read));
                Readiness both = READABLE.or(WRITABLE);
                assertSame(WRITABLE, host.awaitReady(accepted, both, LONG));
                client.shutdownOutput();
                assertTrue(host.awaitReady(accepted, READABLE, LONG).contains(READABLE));
                assertEquals(-1, accepted.read(read));
            }
        }
    }

    @Test
    void aRefusedConnectionIsReadyToFinish() throws Exception {
        InetSocketAddress nobody;
        try (ServerSocketChannel server = ServerSocketChannel.open()) {
            server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            nobody = (InetSocketAddress) server.getLocalAddress();
        }
        try (SelectorHost host = start();
                SocketChannel client = SocketChannel.open()) {
            client.configureBlocking(false);
            try {
                client.connect(nobody);
                assertSame(WRITABLE, host.awaitReady(client, WRITABLE, LONG));
                assertThrows(IOException.class, client::finishConnect);
            } catch (java.net.ConnectException atOnce) {
                // As good.
            }
        }
    }

    @Test
    void aConnectionThatIsReportedDoesNotKeepTheSelectorBusy() throws Exception {
        try (SelectorHost host = SelectorHost.open(ReactorOptions.DEFAULT);
                ServerSocketChannel server = ServerSocketChannel.open();
                SocketChannel client = SocketChannel.open()) {
            server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            client.configureBlocking(false);
            client.connect(server.getLocalAddress());
            CompletableFuture<Readiness> connected =
                    client.isConnectionPending()
                            ? host.whenReady(client, WRITABLE, LONG)
                            : CompletableFuture.completedFuture(WRITABLE);
            while (!connected.isDone()) {
                host.turn(LONG);
            }
            // Neither before nor after it is finished, though WRITABLE is watched for still.
            assertRests(host);
            assertTrue(client.finishConnect());
            assertRests(host);
            CompletableFuture<Readiness> writable = host.whenReady(client, WRITABLE, LONG);
            while (!writable.isDone()) {
                host.turn(LONG);
            }
        }
    }

    /** The loop sleeps but for the round that finds nobody who wants what it watches. */
    private static void assertRests(SelectorHost host) throws IOException {
        for (int round = 0; round < 3; round++) {
            host.turn(Duration.ofMillis(1));
        }
        long begun = System.nanoTime();
        host.turn(Duration.ofMillis(20));
        assertTrue(System.nanoTime() - begun >= 15_000_000, "the selector returned with nothing");
    }

    @Test
    void aRhythmOnTheLoopNeedsOneTurnARound() throws Exception {
        Pipe pipe = pipe();
        try (SelectorHost host = SelectorHost.open(ReactorOptions.DEFAULT)) {
            int rounds = 100;
            int[] left = {rounds};
            ByteBuffer one = ByteBuffer.allocate(1);
            List<CompletableFuture<Void>> rounded = new ArrayList<>();
            Runnable[] next = new Runnable[1];
            Runnable answer =
                    () -> {
                        try {
                            one.clear();
                            pipe.source().read(one);
                            pipe.sink().write(byteOf(1));
                        } catch (IOException failure) {
                            throw new CompletionException(failure);
                        }
                        if (left[0]-- > 0) {
                            next[0].run();
                        }
                    };
            next[0] =
                    () ->
                            rounded.add(
                                    host.whenReady(pipe.source(), READABLE, LONG).thenRun(answer));
            next[0].run();
            pipe.sink().write(byteOf(1));
            host.turn(LONG);
            host.turn(LONG);
            long turns = host.reactor().stats().turns();
            long selects = 0;
            long changes = host.reactor().stats().changes();
            while (left[0] > 10) {
                host.turn(LONG);
                selects++;
            }
            assertEquals(selects, host.reactor().stats().turns() - turns);
            assertEquals(changes, host.reactor().stats().changes());
        }
        close(pipe);
    }

    @Test
    void aChannelClosedElsewhereCompletesItsWaitersWithinATurn() throws Exception {
        Pipe pipe = pipe();
        Pipe other = pipe();
        try (SelectorHost host = SelectorHost.open(ReactorOptions.DEFAULT)) {
            CompletableFuture<Readiness> wait = host.whenReady(pipe.source(), READABLE, null);
            CompletableFuture<Readiness> others = host.whenReady(other.source(), READABLE, null);
            host.turn(Duration.ZERO);
            CompletableFuture.runAsync(
                            () -> {
                                try {
                                    pipe.source().close();
                                } catch (IOException failure) {
                                    throw new CompletionException(failure);
                                }
                            })
                    .get();
            host.turn(Duration.ZERO);
            assertTrue(wait.isDone());
            assertEquals(
                    ClosedChannelException.class,
                    assertThrows(CompletionException.class, wait::join).getCause().getClass());
            assertFalse(others.isDone());
            CompletableFuture<Readiness> late = host.whenReady(pipe.source(), READABLE, null);
            host.turn(Duration.ZERO);
            assertEquals(
                    ClosedChannelException.class,
                    assertThrows(CompletionException.class, late::join).getCause().getClass());
        }
        close(pipe);
        close(other);
    }

    @Test
    void aReleasedChannelIsFreeAndMayComeBack() throws Exception {
        Pipe pipe = pipe();
        try (SelectorHost host = start()) {
            CompletableFuture<Readiness> wait = host.whenReady(pipe.source(), READABLE, null);
            Waitable before = host.reactor().call(() -> host.waitable(pipe.source())).get();
            assertSame(pipe.source(), before.attachment());
            host.release(pipe.source()).get();
            assertTrue(wait.isDone());
            assertEquals(
                    ClosedChannelException.class,
                    assertThrows(CompletionException.class, wait::join).getCause().getClass());
            assertNull(pipe.source().keyFor(null));
            assertFalse(pipe.source().isRegistered());
            pipe.source().configureBlocking(true);
            pipe.source().configureBlocking(false);
            pipe.sink().write(byteOf(1));
            assertSame(READABLE, host.awaitReady(pipe.source(), READABLE, LONG));
            Waitable after = host.reactor().call(() -> host.waitable(pipe.source())).get();
            assertNotSame(before, after);
            host.release(pipe.sink()).get();
        }
        close(pipe);
    }

    @Test
    void channelsThatAreReleasedInOneTurnAreForgottenAtOnce() throws Exception {
        Pipe[] pipes = {pipe(), pipe(), pipe()};
        CompletableFuture<Void> last;
        try (SelectorHost host = SelectorHost.open(ReactorOptions.DEFAULT)) {
            Selector selector =
                    ((Watched) host.waitable(pipes[0].source()).object()).key.selector();
            List<CompletableFuture<Readiness>> waits = new ArrayList<>();
            List<CompletableFuture<Void>> releases = new ArrayList<>();
            List<Integer> held = new ArrayList<>();
            for (Pipe pipe : pipes) {
                waits.add(host.whenReady(pipe.source(), READABLE, null));
            }
            for (Pipe pipe : pipes) {
                releases.add(
                        host.release(pipe.source())
                                .thenRun(
                                        () -> {
                                            assertTrue(waits.stream().allMatch(w -> w.isDone()));
                                            assertFalse(pipe.source().isRegistered());
                                        }));
                host.reactor().execute(() -> held.add(selector.keys().size()));
            }
            while (!releases.stream().allMatch(CompletableFuture::isDone)) {
                host.turn(LONG);
            }
            releases.forEach(CompletableFuture::join);
            assertEquals(List.of(3, 3, 3), held);
            last = host.release(pipes[0].source());
        }
        // Its turn was the one that closed the host.
        assertTrue(last.isDone());
        for (Pipe pipe : pipes) {
            close(pipe);
        }
    }

    @Test
    void aChannelThatCannotBeWaitedForIsRefusedInWords() throws Exception {
        Pipe pipe = pipe();
        try (SelectorHost host = start();
                ServerSocketChannel server = ServerSocketChannel.open();
                SocketChannel idle = SocketChannel.open();
                DatagramChannel datagrams = DatagramChannel.open()) {
            assertThrows(
                    IllegalBlockingModeException.class, () -> host.whenReady(idle, READABLE, null));
            idle.configureBlocking(false);
            assertThrows(
                    NotYetConnectedException.class, () -> host.whenReady(idle, READABLE, null));
            assertInstanceOf(
                    NotYetConnectedException.class,
                    assertThrows(
                                    CompletionException.class,
                                    host.reactor().call(() -> host.waitable(idle))::join)
                            .getCause());
            assertFalse(idle.isRegistered());
            server.configureBlocking(false);
            assertThrows(
                    IllegalArgumentException.class, () -> host.whenReady(server, WRITABLE, null));
            assertThrows(
                    IllegalArgumentException.class,
                    () -> host.whenReady(pipe.sink(), READABLE, null));
            assertThrows(
                    IllegalArgumentException.class,
                    () -> host.whenReady(pipe.source(), Readiness.NONE, null));
            for (Readiness unseen :
                    List.of(Readiness.PRIORITY, Readiness.READ_CLOSED, Readiness.HANGUP)) {
                assertEquals(
                        Status.UNSUPPORTED,
                        assertThrows(
                                        AwsgiException.class,
                                        () -> host.whenReady(pipe.source(), unseen, null))
                                .status());
            }
            assertThrows(NullPointerException.class, () -> host.whenReady(null, READABLE, null));
            datagrams.configureBlocking(false);
            assertSame(WRITABLE, host.awaitReady(datagrams, WRITABLE, LONG));
            assertFalse(datagrams.isBlocking());
        }
        close(pipe);
    }

    @Test
    void anInterruptLeavesTheChannelOpen() throws Exception {
        Pipe pipe = pipe();
        try (SelectorHost host = start()) {
            Thread.currentThread().interrupt();
            assertThrows(
                    InterruptedException.class,
                    () -> host.awaitReady(pipe.source(), READABLE, LONG));
            CompletableFuture<Object> answer = new CompletableFuture<>();
            Thread thread =
                    new Thread(
                            () -> {
                                try {
                                    answer.complete(host.awaitReady(pipe.source(), READABLE, null));
                                } catch (Exception failure) {
                                    answer.complete(failure);
                                }
                            });
            thread.start();
            while (host.reactor().call(() -> host.reactor().stats().waits()).get() == 0) {
                Thread.onSpinWait();
            }
            thread.interrupt();
            assertEquals(InterruptedException.class, answer.get(20, TimeUnit.SECONDS).getClass());
            assertTrue(pipe.source().isOpen());
            thread.join();
        }
        close(pipe);
    }

    @Test
    void anInterruptOfTheLoopNeitherEndsItNorKeepsItBusy() throws Exception {
        Pipe pipe = pipe();
        try (SelectorHost host = start()) {
            Thread loop = host.reactor().call(Thread::currentThread).get();
            loop.interrupt();
            pipe.sink().write(byteOf(1));
            assertSame(READABLE, host.awaitReady(pipe.source(), READABLE, LONG));
            assertTrue(loop.isDaemon());
            assertEquals("awsgi", loop.getName());
        }
        close(pipe);
    }

    @Test
    void theLoopsThreadIsToldNotToWaitForItself() throws Exception {
        Pipe pipe = pipe();
        try (SelectorHost host = start()) {
            Throwable refused =
                    assertThrows(
                                    java.util.concurrent.ExecutionException.class,
                                    () ->
                                            host.reactor()
                                                    .call(
                                                            () ->
                                                                    host.awaitReady(
                                                                            pipe.source(),
                                                                            READABLE,
                                                                            null))
                                                    .get())
                            .getCause();
            assertEquals(IllegalStateException.class, refused.getClass());
        }
        close(pipe);
    }

    @Test
    void aTurnThatIsToSleepForLessThanNothingDoesNotSleep() throws Exception {
        try (SelectorHost host = SelectorHost.open(ReactorOptions.DEFAULT)) {
            for (Duration time :
                    List.of(Duration.ofNanos(-1), Duration.ofSeconds(Long.MIN_VALUE))) {
                // It would wake the loop that sleeps.
                CompletableFuture<Void> late =
                        CompletableFuture.runAsync(
                                () -> host.reactor().execute(() -> {}),
                                CompletableFuture.delayedExecutor(20, TimeUnit.SECONDS));
                host.turn(time);
                host.turn(time);
                assertTrue(late.cancel(false), "the loop slept");
            }
        }
    }

    @Test
    void moreChannelsThanTheRingHoldsAreReadyAtOnce() throws Exception {
        List<Pipe> pipes = new ArrayList<>();
        try (SelectorHost host = start()) {
            List<CompletableFuture<Readiness>> waits = new ArrayList<>();
            for (int at = 0; at < 1500; at++) {
                Pipe pipe = pipe();
                pipes.add(pipe);
                pipe.sink().write(byteOf(at));
                waits.add(host.whenReady(pipe.source(), READABLE, LONG));
            }
            for (CompletableFuture<Readiness> wait : waits) {
                assertSame(READABLE, wait.get());
            }
        }
        for (Pipe pipe : pipes) {
            close(pipe);
        }
    }

    @Test
    void aClosedHostRefusesEverythingAndEndsItsWaits() throws Exception {
        Pipe pipe = pipe();
        SelectorHost host = start();
        CompletableFuture<Readiness> wait = host.whenReady(pipe.source(), READABLE, null);
        CompletableFuture<Void> gone = host.close(Duration.ofMillis(1));
        gone.get();
        host.close();
        host.close();
        assertEquals(
                ReactorClosedException.class,
                assertThrows(CompletionException.class, wait::join).getCause().getClass());
        assertThrows(
                ReactorClosedException.class, () -> host.whenReady(pipe.source(), READABLE, null));
        assertThrows(
                ReactorClosedException.class, () -> host.awaitReady(pipe.source(), READABLE, null));
        assertThrows(ReactorClosedException.class, () -> host.release(pipe.source()));
        assertThrows(WrongOwnerException.class, () -> host.turn(null));
        assertThrows(WrongOwnerException.class, () -> host.waitable(pipe.source()));
        close(pipe);
    }

    @Test
    void manyThreadsCloseAHostAtOnce() throws Exception {
        for (int round = 0; round < 20; round++) {
            SelectorHost host = start();
            Thread[] threads = new Thread[8];
            for (int at = 0; at < threads.length; at++) {
                threads[at] = new Thread(host::close);
                threads[at].start();
            }
            for (Thread thread : threads) {
                thread.join();
            }
            assertTrue(host.reactor().whenClosed().isDone());
        }
    }
}
