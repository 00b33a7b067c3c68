package io.awsgi.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** A channel is watched in one way while it connects, and in another once it is connected. */
@ExtendWith(NothingLeft.class)
class ConnectingTest {
    private static final Readiness READABLE = Readiness.READABLE;
    private static final Readiness WRITABLE = Readiness.WRITABLE;

    private SelectorHost host;
    private ServerSocketChannel server;
    private SocketChannel client;

    @BeforeEach
    void connect() throws IOException {
        host = SelectorHost.open(ReactorOptions.DEFAULT);
        server = ServerSocketChannel.open();
        server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        client = SocketChannel.open();
        client.configureBlocking(false);
        client.connect(server.getLocalAddress());
        assumeTrue(client.isConnectionPending(), "the connection was there at once");
    }

    @AfterEach
    void close() throws IOException {
        host.close();
        client.close();
        server.close();
    }

    /** Answers in how many turns. */
    private int turnUntil(BooleanSupplier so) throws IOException {
        long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        for (int turns = 0; ; turns++) {
            if (so.getAsBoolean()) {
                return turns;
            }
            assertTrue(System.nanoTime() < until, "it did not come to be within 20 seconds");
            host.turn(Duration.ofMillis(100));
        }
    }

    @Test
    void aSetSeesAChannelThatWasWaitedForWhileItConnected() throws Exception {
        CompletableFuture<Readiness> connected = host.whenReady(client, WRITABLE, null);
        turnUntil(connected::isDone);
        assertSame(WRITABLE, connected.join());
        assertTrue(client.finishConnect());
        Waitable stop = host.reactor().event();
        CompletableFuture<List<Member>> set =
                host.reactor()
                        .whenReady(
                                Question.of(host.waitable(client), WRITABLE).and(stop, READABLE));
        turnUntil(set::isDone);
        assertEquals(0, set.join().get(0).index());
    }

    @Test
    void aMultishotWaitGoesOnWhenItsChannelIsConnected() throws Exception {
        List<Readiness> told = new ArrayList<>();
        ByteBuffer much = ByteBuffer.allocate(1 << 16);
        Wait wait =
                host.reactor()
                        .start(
                                Question.of(host.waitable(client), WRITABLE).multishot(),
                                (itself, outcome, ready, more) -> {
                                    if (outcome == Outcome.READY) {
                                        told.add(ready);
                                        fill(much);
                                    }
                                });
        turnUntil(() -> !told.isEmpty());
        assertTrue(client.isConnected());
        try (SocketChannel peer = server.accept()) {
            peer.configureBlocking(false);
            int before = told.size();
            turnUntil(
                    () -> {
                        empty(peer, much);
                        return told.size() > before;
                    });
        }
        wait.forget();
    }

    /** Connects, and drains what WRITABLE tells of. */
    private void fill(ByteBuffer much) {
        try {
            client.finishConnect();
            do {
                much.clear();
            } while (client.write(much) > 0);
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
    }

    private static void empty(SocketChannel peer, ByteBuffer much) {
        try {
            do {
                much.clear();
            } while (peer.read(much) > 0);
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
    }

    @Test
    void whoWaitsOnlyToReadIsToldThatThereIsAConnectionToFinish() throws Exception {
        CompletableFuture<Readiness> wait = host.whenReady(client, READABLE, null);
        try (SocketChannel peer = server.accept()) {
            peer.write(ByteBuffer.wrap(new byte[] {1}));
            // A selector that watched for what cannot be read yet would return at once, with
            // nothing, again and again.
            assertTrue(turnUntil(wait::isDone) < 100, "the selector was kept busy");
            assertSame(READABLE, wait.join());
            assertTrue(client.finishConnect());
            CompletableFuture<Readiness> data = host.whenReady(client, READABLE, null);
            turnUntil(data::isDone);
            assertEquals(1, client.read(ByteBuffer.allocate(8)));
        }
    }

    @Test
    void aConnectionThatNobodyFinishesKeepsTheSelectorNotBusyAndIsSeenWhenItIs() throws Exception {
        CompletableFuture<Readiness> reader = host.whenReady(client, READABLE, null);
        CompletableFuture<Readiness> connected = host.whenReady(client, WRITABLE, null);
        try (SocketChannel peer = server.accept()) {
            turnUntil(connected::isDone);
            peer.write(ByteBuffer.wrap(new byte[] {1}));
            long until = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(200);
            int turns = 0;
            while (System.nanoTime() < until) {
                host.turn(Duration.ofMillis(100));
                turns++;
            }
            // One that spins makes tens of thousands.
            assertTrue(turns < 2000, turns + " turns in 200 ms");
            assertFalse(reader.isDone());
            // As another thread would.
            assertTrue(client.finishConnect());
            turnUntil(reader::isDone);
            assertEquals(1, client.read(ByteBuffer.allocate(8)));
        }
    }

    @Test
    void aConnectionThatIsClosedUnfinishedIsForgotten() throws Exception {
        CompletableFuture<Readiness> reader = host.whenReady(client, READABLE, null);
        CompletableFuture<Readiness> connected = host.whenReady(client, WRITABLE, null);
        try (SocketChannel peer = server.accept()) {
            turnUntil(connected::isDone);
            peer.write(ByteBuffer.wrap(new byte[] {1}));
            client.close();
            turnUntil(reader::isDone);
            assertTrue(reader.isCompletedExceptionally());
            assertEquals(0, host.reactor().stats().waits());
        }
    }
}
