package io.awsgi.netty;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.awsgi.core.AwsgiException;
import io.awsgi.core.Member;
import io.awsgi.core.Outcome;
import io.awsgi.core.Question;
import io.awsgi.core.ReactorClosedException;
import io.awsgi.core.Readiness;
import io.awsgi.core.Sink;
import io.awsgi.core.Status;
import io.awsgi.core.Wait;
import io.awsgi.core.Waitable;
import io.awsgi.core.WrongOwnerException;
import io.netty.channel.Channel;
import io.netty.channel.nio.AbstractNioChannel;
import io.netty.util.concurrent.Future;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.IllegalBlockingModeException;
import java.nio.channels.NotYetConnectedException;
import java.nio.channels.Pipe;
import java.nio.channels.SelectableChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Channels of java.nio, in an event loop of the NIO transport. */
class NioChannelTest {
    private static final Readiness READABLE = Readiness.READABLE;
    private static final Readiness WRITABLE = Readiness.WRITABLE;
    private static final Duration LONG = TestLoop.LONG;

    private TestLoop loop;
    private NettyHost host;
    private Pipe pipe;

    @BeforeEach
    void open() throws IOException {
        loop = new TestLoop(Transport.NIO);
        host = loop.host;
        pipe = pipe();
    }

    @AfterEach
    void close() throws IOException {
        if (host.reactor().isOpen()) {
            TestLoop.get(host.release(pipe.source()));
            TestLoop.get(host.release(pipe.sink()));
        }
        pipe.source().close();
        pipe.sink().close();
        loop.close();
    }

    private static Pipe pipe() throws IOException {
        Pipe pipe = Pipe.open();
        pipe.source().configureBlocking(false);
        pipe.sink().configureBlocking(false);
        return pipe;
    }

    private void write(int value) throws IOException {
        assertEquals(1, pipe.sink().write(ByteBuffer.wrap(new byte[] {(byte) value})));
    }

    private static int read(Pipe pipe) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(1);
        return pipe.source().read(buffer) == 1 ? buffer.get(0) : -1;
    }

    // ---- waiting ------------------------------------------------------------------------------

    @Test
    void aChannelIsReadyBeforeOrAfterTheWait() throws Exception {
        CompletableFuture<Readiness> before = host.whenReady(pipe.source(), READABLE, LONG);
        write(1);
        assertSame(READABLE, TestLoop.get(before));
        assertSame(READABLE, host.awaitReady(pipe.source(), READABLE, LONG));
        assertEquals(1, read(pipe));
        assertSame(WRITABLE, host.awaitReady(pipe.sink(), WRITABLE, LONG));
        CompletableFuture<Readiness> onLoop =
                loop.call(() -> host.whenReady(pipe.source(), READABLE, LONG));
        write(2);
        assertSame(READABLE, TestLoop.get(onLoop));
    }

    @Test
    void aTimeoutIsAValueAndNeverEarly() throws Exception {
        for (int round = 0; round < 5; round++) {
            long begun = System.nanoTime();
            assertSame(
                    Readiness.TIMED_OUT,
                    host.awaitReady(pipe.source(), READABLE, Duration.ofNanos(3_300_000)));
            assertTrue(System.nanoTime() - begun >= 3_300_000);
        }
        assertSame(Readiness.TIMED_OUT, host.awaitReady(pipe.source(), READABLE, Duration.ZERO));
    }

    @Test
    void severalWaitsOnOneChannelAllEndAndDoNotDisturbEachOther() throws Exception {
        List<CompletableFuture<Readiness>> waits = new ArrayList<>();
        for (int at = 0; at < 10; at++) {
            waits.add(host.whenReady(pipe.source(), READABLE, null));
        }
        assertTrue(waits.get(3).cancel(false));
        assertSame(
                Readiness.TIMED_OUT,
                TestLoop.get(host.whenReady(pipe.source(), READABLE, Duration.ofMillis(1))));
        write(1);
        for (int at = 0; at < 10; at++) {
            if (at != 3) {
                assertSame(READABLE, TestLoop.get(waits.get(at)));
            }
        }
    }

    @Test
    void aConnectionIsMadeAcceptedReadAndWritten() throws Exception {
        try (ServerSocketChannel server = ServerSocketChannel.open();
                SocketChannel client = SocketChannel.open()) {
            server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            server.configureBlocking(false);
            client.configureBlocking(false);
            CompletableFuture<Readiness> accepting = host.whenReady(server, READABLE, LONG);
            if (!client.connect(server.getLocalAddress())) {
                assertSame(WRITABLE, host.awaitReady(client, WRITABLE, LONG));
                assertTrue(client.finishConnect());
            }
            assertSame(READABLE, TestLoop.get(accepting));
            try (SocketChannel accepted = server.accept()) {
                accepted.configureBlocking(false);
                assertSame(WRITABLE, host.awaitReady(client, WRITABLE, LONG));
                client.write(ByteBuffer.wrap(new byte[] {7}));
                assertSame(READABLE, host.awaitReady(accepted, READABLE, LONG));
                ByteBuffer read = ByteBuffer.allocate(10);
                assertEquals(1, accepted.read(read));
                assertSame(WRITABLE, host.awaitReady(accepted, READABLE.or(WRITABLE), LONG));
                client.shutdownOutput();
                assertTrue(host.awaitReady(accepted, READABLE, LONG).isReadable());
                assertEquals(-1, accepted.read(read));
                TestLoop.get(host.release(accepted));
            }
            TestLoop.get(host.release(client));
            TestLoop.get(host.release(server));
        }
    }

    @Test
    void aConnectionThatWasMadeDoesNotKeepTheLoopAwake() throws Exception {
        try (ServerSocketChannel server = ServerSocketChannel.open();
                SocketChannel client = SocketChannel.open()) {
            server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            client.configureBlocking(false);
            // On the loop, where what is watched for stays.
            if (!loop.call(() -> client.connect(server.getLocalAddress()))) {
                CompletableFuture<Readiness> connecting =
                        loop.call(() -> host.whenReady(client, WRITABLE, LONG));
                assertSame(WRITABLE, TestLoop.get(connecting));
                assertTrue(client.finishConnect());
            }
            CompletableFuture<Readiness> reading =
                    loop.call(() -> host.whenReady(client, READABLE, null));
            loop.stats();
            long before = loop.iterations();
            TestLoop.get(host.reactor().sleep(Duration.ofMillis(200)));
            long iterations = loop.iterations() - before;
            assertTrue(iterations < 12, iterations + " iterations");
            TestLoop.get(host.release(client));
            assertThrows(ClosedChannelException.class, () -> TestLoop.get(reading));
        }
    }

    @Test
    void whoWaitsOnlyToReadIsToldThatThereIsAConnectionToFinish() throws Exception {
        try (ServerSocketChannel server = ServerSocketChannel.open();
                SocketChannel client = SocketChannel.open()) {
            server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            client.configureBlocking(false);
            if (!client.connect(server.getLocalAddress())) {
                CompletableFuture<Readiness> wait = host.whenReady(client, READABLE, LONG);
                try (SocketChannel peer = server.accept()) {
                    peer.write(ByteBuffer.wrap(new byte[] {1}));
                    // What cannot be read yet would have the selector return with nothing for ever.
                    assertSame(READABLE, TestLoop.get(wait));
                    assertTrue(client.finishConnect());
                    assertSame(READABLE, TestLoop.get(host.whenReady(client, READABLE, LONG)));
                }
            }
            TestLoop.get(host.release(client));
        }
    }

    @Test
    void whoeverIsToldOfAReleaseMayCloseTheHost() {
        for (CompletableFuture<Void> release :
                loop.call(
                        () -> {
                            host.waitable(pipe.source());
                            host.waitable(pipe.sink());
                            return List.of(
                                    host.release(pipe.source()).thenRun(host::close),
                                    host.release(pipe.sink()));
                        })) {
            TestLoop.get(release);
        }
        TestLoop.get(host.reactor().whenClosed());
    }

    @Test
    void aConnectionThatNobodyFinishesKeepsTheLoopNotBusyAndIsSeenWhenItIs() throws Exception {
        try (ServerSocketChannel server = ServerSocketChannel.open();
                SocketChannel client = SocketChannel.open()) {
            server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            client.configureBlocking(false);
            if (!loop.call(() -> client.connect(server.getLocalAddress()))) {
                // Both before the loop looks: one alone would be told.
                List<CompletableFuture<Readiness>> waits =
                        loop.call(
                                () ->
                                        List.of(
                                                host.whenReady(client, READABLE, null),
                                                host.whenReady(client, WRITABLE, LONG)));
                CompletableFuture<Readiness> reader = waits.get(0);
                assertSame(WRITABLE, TestLoop.get(waits.get(1)));
                try (SocketChannel peer = server.accept()) {
                    peer.write(ByteBuffer.wrap(new byte[] {1}));
                    loop.stats();
                    long before = loop.iterations();
                    TestLoop.get(host.reactor().sleep(Duration.ofMillis(200)));
                    long iterations = loop.iterations() - before;
                    // One that spins has tens of thousands.
                    assertTrue(iterations < 2000, iterations + " iterations");
                    assertFalse(reader.isDone());
                    assertTrue(client.finishConnect());
                    assertSame(READABLE, TestLoop.get(reader));
                }
            }
            TestLoop.get(host.release(client));
        }
    }

    @Test
    void aSetAndAMultishotWaitSeeAChannelThatIsConnected() throws Exception {
        try (ServerSocketChannel server = ServerSocketChannel.open();
                SocketChannel client = SocketChannel.open()) {
            server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            client.configureBlocking(false);
            client.connect(server.getLocalAddress());
            CompletableFuture<Void> twice = new CompletableFuture<>();
            Wait multishot =
                    loop.call(
                            () ->
                                    host.reactor()
                                            .start(
                                                    Question.of(host.waitable(client), WRITABLE)
                                                            .multishot(),
                                                    new Sink() {
                                                        private int times;

                                                        @Override
                                                        public void completed(
                                                                Wait wait,
                                                                Outcome outcome,
                                                                Readiness ready,
                                                                boolean more) {
                                                            if (++times == 2) {
                                                                twice.complete(null);
                                                            }
                                                            try {
                                                                client.finishConnect();
                                                            } catch (IOException failure) {
                                                                twice.completeExceptionally(
                                                                        failure);
                                                            }
                                                        }
                                                    }));
            // It has room, and is told so until somebody fills it.
            TestLoop.get(twice);
            loop.call(multishot::forget);
            Waitable stop = loop.call(() -> host.reactor().event());
            CompletableFuture<List<Member>> set =
                    loop.call(
                            () ->
                                    host.reactor()
                                            .whenReady(
                                                    Question.of(host.waitable(client), WRITABLE)
                                                            .and(stop, READABLE)));
            assertEquals(0, TestLoop.get(set).get(0).index());
            stop.close();
            TestLoop.get(host.release(client));
        }
    }

    @Test
    void aChannelAnswersSetsAndMultishotWaits() throws Exception {
        List<String> told = new ArrayList<>();
        Wait set =
                loop.call(
                        () -> {
                            Waitable source = host.waitable(pipe.source());
                            assertSame(pipe.source(), source.attachment());
                            assertSame(source, host.waitable(pipe.source()));
                            return host.reactor()
                                    .start(
                                            Question.of(source, READABLE)
                                                    .and(host.waitable(pipe.sink()), WRITABLE)
                                                    .all(),
                                            (wait, outcome, ready, more) ->
                                                    told.add(
                                                            outcome + " " + wait.members().size()));
                        });
        write(1);
        loop.until(() -> !told.isEmpty());
        assertEquals(List.of("READY 2"), told);
        told.clear();
        Wait each =
                loop.call(
                        () ->
                                host.reactor()
                                        .start(
                                                Question.of(host.waitable(pipe.source()), READABLE)
                                                        .multishot(),
                                                (wait, outcome, ready, more) -> {
                                                    told.add(outcome + " " + more);
                                                    try {
                                                        read(pipe);
                                                    } catch (IOException failure) {
                                                        throw new AssertionError(failure);
                                                    }
                                                }));
        for (int round = 1; round < 5; round++) {
            int count = round;
            loop.until(() -> told.size() >= count);
            write(round);
        }
        loop.until(() -> told.size() >= 5);
        loop.run(each::cancel);
        loop.until(() -> told.contains("CANCELLED false"));
        assertFalse(loop.call(set::isPending));
    }

    @Test
    void anEchoServerOfAChannelThatNettyDoesNotOwn() throws Exception {
        try (ServerSocketChannel server = ServerSocketChannel.open()) {
            server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            server.configureBlocking(false);
            CompletableFuture<Void> served =
                    host.whenReady(server, READABLE, LONG).thenCompose(ready -> accept(server));
            try (Socket peer = new Socket()) {
                peer.connect(server.getLocalAddress());
                for (String word : List.of("one", "two", "three")) {
                    peer.getOutputStream().write(word.getBytes(UTF_8));
                    assertEquals(
                            word,
                            new String(peer.getInputStream().readNBytes(word.length()), UTF_8));
                }
            }
            TestLoop.get(served);
            TestLoop.get(host.release(server));
        }
    }

    private CompletableFuture<Void> accept(ServerSocketChannel server) {
        try {
            SocketChannel accepted = server.accept();
            accepted.configureBlocking(false);
            return echo(accepted, ByteBuffer.allocate(64));
        } catch (IOException failure) {
            return CompletableFuture.failedFuture(failure);
        }
    }

    private CompletableFuture<Void> echo(SocketChannel channel, ByteBuffer buffer) {
        return host.whenReady(channel, READABLE, LONG)
                .thenCompose(
                        ready -> {
                            try {
                                if (channel.read(buffer) < 0) {
                                    channel.close();
                                    return CompletableFuture.completedFuture(null);
                                }
                                buffer.flip();
                                channel.write(buffer);
                                buffer.clear();
                                return echo(channel, buffer);
                            } catch (IOException failure) {
                                return CompletableFuture.failedFuture(failure);
                            }
                        });
    }

    // ---- rhythm -------------------------------------------------------------------------------

    @Test
    void aSteadyRhythmCrossesOnceAnIteration() throws Exception {
        int rounds = 500;
        CompletableFuture<long[]> done = new CompletableFuture<>();
        Pipe other = pipe();
        loop.run(
                () -> {
                    Waitable source = host.waitable(other.source());
                    Sink rhythm =
                            new Sink() {
                                private int left = rounds;
                                private long turns;
                                private long iterations;

                                @Override
                                public void completed(
                                        Wait wait, Outcome outcome, Readiness ready, boolean more) {
                                    try {
                                        assertTrue(read(other) >= 0);
                                        if (left == rounds - 10) {
                                            turns = host.reactor().stats().turns();
                                            iterations = loop.iterations();
                                        }
                                        if (--left == 0) {
                                            done.complete(
                                                    new long[] {
                                                        host.reactor().stats().turns() - turns,
                                                        loop.iterations() - iterations,
                                                        host.reactor().stats().changes()
                                                    });
                                            return;
                                        }
                                        host.reactor()
                                                .start(
                                                        Question.of(source, READABLE).within(LONG),
                                                        this);
                                        other.sink().write(ByteBuffer.wrap(new byte[] {1}));
                                    } catch (IOException failure) {
                                        done.completeExceptionally(failure);
                                    }
                                }
                            };
                    host.reactor().start(Question.of(source, READABLE), rhythm);
                    other.sink().write(ByteBuffer.wrap(new byte[] {1}));
                });
        long[] figures = TestLoop.get(done);
        System.out.println(
                "nio: " + figures[0] + " turns in " + figures[1] + " iterations of the loop");
        assertEquals(rounds - 11, figures[0]);
        assertTrue(figures[1] >= figures[0], figures[1] + " iterations");
        assertEquals(1, figures[2], "changes");
        TestLoop.get(host.release(other.source()));
        other.source().close();
        other.sink().close();
    }

    // ---- closing and letting go ---------------------------------------------------------------

    @Test
    void aChannelThatIsClosedElsewhereEndsItsWaitsInTheNextTurn() throws Exception {
        CompletableFuture<Readiness> wait = host.whenReady(pipe.source(), READABLE, null);
        loop.run(() -> {});
        pipe.source().close();
        host.reactor().execute(() -> {});
        assertThrows(ClosedChannelException.class, () -> TestLoop.get(wait));
    }

    @Test
    void oneOfManyChannelsThatIsClosedElsewhereIsFoundWithinAFewTurns() throws Exception {
        List<Pipe> pipes = new ArrayList<>();
        List<CompletableFuture<Readiness>> waits = new ArrayList<>();
        for (int at = 0; at < 600; at++) {
            pipes.add(pipe());
            waits.add(host.whenReady(pipes.get(at).source(), READABLE, null));
        }
        loop.run(() -> {});
        long before = loop.stats().turns();
        for (int at = 0; at < 600; at += 7) {
            pipes.get(at).source().close();
        }
        turn(before + 4);
        loop.run(() -> {});
        for (int at = 0; at < 600; at++) {
            CompletableFuture<Readiness> wait = waits.get(at);
            if (at % 7 == 0) {
                assertTrue(wait.isDone(), "channel " + at);
                assertThrows(ClosedChannelException.class, () -> TestLoop.get(wait));
            } else {
                assertFalse(wait.isDone(), "channel " + at);
            }
        }
        for (Pipe each : pipes) {
            each.source().close();
            each.sink().close();
        }
        turn(loop.stats().turns() + 4);
    }

    /** Has it turn until there were so many turns. */
    private void turn(long turns) {
        while (loop.stats().turns() < turns) {
            TestLoop.get(host.reactor().call(() -> null));
        }
    }

    @Test
    void aChannelThatItsOwnCompletionClosesEndsTheOtherWaits() throws Exception {
        CompletableFuture<CompletableFuture<Readiness>> other = new CompletableFuture<>();
        loop.run(
                () -> {
                    Waitable source = host.waitable(pipe.source());
                    host.reactor()
                            .start(
                                    Question.of(source, READABLE),
                                    (wait, outcome, ready, more) -> {
                                        try {
                                            other.complete(
                                                    host.whenReady(pipe.source(), READABLE, null));
                                            pipe.source().close();
                                        } catch (IOException failure) {
                                            throw new AssertionError(failure);
                                        }
                                    });
                });
        write(1);
        assertThrows(ClosedChannelException.class, () -> TestLoop.get(TestLoop.get(other)));
    }

    @Test
    void aChannelThatWasReleasedIsFree() throws Exception {
        CompletableFuture<Readiness> wait = host.whenReady(pipe.source(), READABLE, null);
        Waitable before = loop.call(() -> host.waitable(pipe.source()));
        TestLoop.get(host.release(pipe.source()));
        assertThrows(ClosedChannelException.class, () -> TestLoop.get(wait));
        assertTrue(pipe.source().isOpen());
        assertFalse(pipe.source().isRegistered());
        pipe.source().configureBlocking(true);
        pipe.source().configureBlocking(false);
        write(5);
        assertSame(READABLE, host.awaitReady(pipe.source(), READABLE, LONG));
        assertNotSame(before, loop.call(() -> host.waitable(pipe.source())));
        // A second time it does nothing, and for a channel that was never seen neither.
        TestLoop.get(host.release(pipe.source()));
        TestLoop.get(host.release(pipe.source()));
        TestLoop.get(host.release(pipe.sink()));
    }

    @Test
    void aChannelThatIsReleasedMayBeWaitedForInTheSameTask() throws Exception {
        CompletableFuture<Readiness> again =
                loop.call(
                        () -> {
                            host.waitable(pipe.source());
                            CompletableFuture<Void> released = host.release(pipe.source());
                            return released.thenCompose(
                                    gone -> host.whenReady(pipe.source(), READABLE, LONG));
                        });
        CompletableFuture<Void> twice = host.release(pipe.sink());
        write(1);
        assertSame(READABLE, TestLoop.get(again));
        TestLoop.get(twice);
    }

    @Test
    void aWaitableThatWasClosedIsFollowedByAnother() throws Exception {
        Waitable first = loop.call(() -> host.waitable(pipe.source()));
        CompletableFuture<Readiness> wait = host.whenReady(pipe.source(), READABLE, null);
        loop.run(() -> {});
        first.close();
        assertThrows(ClosedChannelException.class, () -> TestLoop.get(wait));
        write(1);
        assertSame(READABLE, host.awaitReady(pipe.source(), READABLE, LONG));
        assertNotSame(first, loop.call(() -> host.waitable(pipe.source())));
    }

    @Test
    void aLoopThatEndsLeavesChannelsOpen() throws Exception {
        CompletableFuture<Readiness> wait = host.whenReady(pipe.source(), READABLE, null);
        loop.run(() -> {});
        loop.dead();
        Future<?> terminated = loop.loop.shutdownGracefully(0, 20, TimeUnit.SECONDS);
        assertThrows(ReactorClosedException.class, () -> TestLoop.get(wait));
        assertTrue(terminated.awaitUninterruptibly(20, TimeUnit.SECONDS));
        assertTrue(pipe.source().isOpen());
        assertFalse(pipe.source().isRegistered());
    }

    @Test
    void aHostThatIsClosedLeavesChannelsOpen() throws Exception {
        CompletableFuture<Readiness> wait = host.whenReady(pipe.source(), READABLE, null);
        CompletableFuture<Void> released = host.release(pipe.sink());
        host.close();
        TestLoop.get(released);
        assertThrows(ReactorClosedException.class, () -> TestLoop.get(wait));
        assertTrue(pipe.source().isOpen());
        loop.until(() -> !pipe.source().isRegistered());
        assertThrows(
                ReactorClosedException.class,
                () -> TestLoop.get(host.whenReady(pipe.source(), READABLE, null)));
        assertThrows(
                ReactorClosedException.class, () -> loop.call(() -> host.waitable(pipe.source())));
        assertThrows(ReactorClosedException.class, () -> TestLoop.get(host.release(pipe.source())));
    }

    @Test
    void anInterruptEndsTheWaitAndLeavesTheChannelOpen() throws Exception {
        CompletableFuture<Throwable> thrown = new CompletableFuture<>();
        Thread waiter =
                new Thread(
                        () ->
                                thrown.complete(
                                        assertThrows(
                                                InterruptedException.class,
                                                () ->
                                                        host.awaitReady(
                                                                pipe.source(), READABLE, null))));
        waiter.start();
        loop.until(() -> host.reactor().stats().waits() == 1);
        waiter.interrupt();
        TestLoop.get(thrown);
        assertTrue(pipe.source().isOpen());
        loop.until(() -> host.reactor().stats().waits() == 0);
    }

    // ---- misuse -------------------------------------------------------------------------------

    @Test
    void aChannelOfNettysIsRefusedAndKeepsWorking() throws Exception {
        try (TestLoop.Connection connection = loop.connect()) {
            Channel channel = connection.channel();
            SelectableChannel stolen = ((AbstractNioChannel.NioUnsafe) channel.unsafe()).ch();
            IllegalStateException refused =
                    assertThrows(
                            IllegalStateException.class,
                            () -> TestLoop.get(host.whenReady(stolen, READABLE, LONG)));
            assertTrue(refused.getMessage().contains("registered elsewhere"), refused.toString());
            assertThrows(IllegalStateException.class, () -> loop.call(() -> host.waitable(stolen)));
            connection.send("x");
            assertSame(READABLE, host.awaitReady(channel, READABLE, LONG));
        }
    }

    @Test
    void aChannelOfAnotherSelectorIsRefused() throws Exception {
        try (TestLoop other = new TestLoop(Transport.NIO)) {
            other.call(() -> other.host.waitable(pipe.source()));
            assertThrows(
                    IllegalStateException.class,
                    () -> TestLoop.get(host.whenReady(pipe.source(), READABLE, LONG)));
            TestLoop.get(other.host.release(pipe.source()));
            write(1);
            assertSame(READABLE, host.awaitReady(pipe.source(), READABLE, LONG));
        }
    }

    @Test
    void whatCannotBeWaitedForIsRefusedWithAReason() throws Exception {
        assertThrows(
                NullPointerException.class,
                () -> host.whenReady((SelectableChannel) null, READABLE, LONG));
        assertThrows(NullPointerException.class, () -> host.whenReady(pipe.source(), null, LONG));
        assertThrows(NullPointerException.class, () -> host.release((SelectableChannel) null));
        assertThrows(
                IllegalArgumentException.class,
                () -> host.whenReady(pipe.source(), Readiness.NONE, LONG));
        assertThrows(
                IllegalArgumentException.class,
                () -> host.whenReady(pipe.source(), WRITABLE, LONG));
        for (Readiness unseen :
                List.of(
                        Readiness.PRIORITY,
                        Readiness.HANGUP,
                        Readiness.READ_CLOSED,
                        READABLE.or(Readiness.PRIORITY))) {
            AwsgiException refused =
                    assertThrows(
                            AwsgiException.class,
                            () -> host.whenReady(pipe.source(), unseen, LONG));
            assertSame(Status.UNSUPPORTED, refused.status());
        }
        try (SocketChannel idle = SocketChannel.open()) {
            assertThrows(
                    IllegalBlockingModeException.class, () -> host.whenReady(idle, READABLE, LONG));
            assertThrows(
                    IllegalBlockingModeException.class, () -> loop.call(() -> host.waitable(idle)));
            idle.configureBlocking(false);
            assertThrows(
                    NotYetConnectedException.class, () -> host.whenReady(idle, READABLE, LONG));
            assertThrows(
                    NotYetConnectedException.class, () -> loop.call(() -> host.waitable(idle)));
            assertFalse(idle.isRegistered());
        }
        Pipe closed = pipe();
        closed.source().close();
        closed.sink().close();
        assertThrows(
                ClosedChannelException.class,
                () -> TestLoop.get(host.whenReady(closed.source(), READABLE, LONG)));
        assertThrows(
                ClosedChannelException.class,
                () -> host.awaitReady(closed.source(), READABLE, LONG));
        assertThrows(WrongOwnerException.class, () -> host.waitable(pipe.source()));
        assertThrows(
                IllegalStateException.class,
                () -> loop.call(() -> host.awaitReady(pipe.source(), READABLE, LONG)));
    }

    @Test
    void aLoopWithoutASelectorRefusesThem() throws Exception {
        try (TestLoop epoll = new TestLoop(Transport.EPOLL)) {
            AwsgiException refused =
                    assertThrows(
                            AwsgiException.class,
                            () -> epoll.host.whenReady(pipe.source(), READABLE, LONG));
            assertSame(Status.UNSUPPORTED, refused.status());
            assertThrows(
                    AwsgiException.class,
                    () -> epoll.call(() -> epoll.host.waitable(pipe.source())));
            TestLoop.get(epoll.host.release(pipe.source()));
        }
    }
}
