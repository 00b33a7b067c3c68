package io.awsgi.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A channel is watched in one way while it connects, and in another once it is connected. */
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
}
