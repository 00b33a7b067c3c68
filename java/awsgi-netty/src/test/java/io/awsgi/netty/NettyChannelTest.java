package io.awsgi.netty;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.awsgi.core.AwsgiException;
import io.awsgi.core.Outcome;
import io.awsgi.core.Question;
import io.awsgi.core.ReactorClosedException;
import io.awsgi.core.Readiness;
import io.awsgi.core.Sink;
import io.awsgi.core.Status;
import io.awsgi.core.Wait;
import io.awsgi.core.Waitable;
import io.awsgi.core.WrongOwnerException;
import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.local.LocalChannel;
import io.netty.util.concurrent.Future;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.channels.ClosedChannelException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** Channels of Netty's, in the event loops of all its transports. */
@ParameterizedClass
@EnumSource(Transport.class)
class NettyChannelTest {
    private static final Readiness READABLE = Readiness.READABLE;
    private static final Readiness WRITABLE = Readiness.WRITABLE;
    private static final Duration LONG = TestLoop.LONG;

    @Parameter Transport transport;

    private TestLoop loop;
    private NettyHost host;

    @BeforeEach
    void open() {
        loop = new TestLoop(transport);
        host = loop.host;
    }

    @AfterEach
    void close() {
        loop.close();
    }

    /** Everything that is there to take, as text. */
    private String take(Channel channel) {
        return loop.call(() -> takeHere(channel));
    }

    private String takeHere(Channel channel) {
        StringBuilder text = new StringBuilder();
        Object message;
        while ((message = host.poll(channel)) != null) {
            ByteBuf buffer = (ByteBuf) message;
            text.append(buffer.toString(UTF_8));
            buffer.release();
        }
        return text.toString();
    }

    private String receive(Channel channel, int length) throws Exception {
        StringBuilder text = new StringBuilder();
        while (text.length() < length) {
            assertTrue(host.awaitReady(channel, READABLE, LONG).isReadable());
            text.append(take(channel));
        }
        return text.toString();
    }

    // ---- waiting ------------------------------------------------------------------------------

    @Test
    void messagesAreTakenInTheirOrder() throws Exception {
        try (TestLoop.Connection connection = loop.connect()) {
            Channel channel = connection.channel();
            assertFalse(channel.config().isAutoRead());
            for (String word : List.of("one", "two", "three", "four")) {
                CompletableFuture<Readiness> before = host.whenReady(channel, READABLE, LONG);
                connection.send(word);
                assertSame(READABLE, TestLoop.get(before));
                assertEquals(word, receive(channel, word.length()));
                assertNull(loop.call(() -> host.poll(channel)));
            }
        }
    }

    @Test
    void aMessageThatWasNotTakenIsReadyForEveryWait() throws Exception {
        try (TestLoop.Connection connection = loop.connect()) {
            connection.send("x");
            for (int round = 0; round < 3; round++) {
                assertSame(READABLE, host.awaitReady(connection.channel(), READABLE, LONG));
            }
            assertEquals("x", take(connection.channel()));
            assertSame(
                    Readiness.TIMED_OUT,
                    host.awaitReady(connection.channel(), READABLE, Duration.ofMillis(5)));
        }
    }

    @Test
    void anEchoServerWhoseHandlersAreWaits() throws Exception {
        try (TestLoop.Connection connection = loop.connect()) {
            CompletableFuture<Void> served = echo(connection.channel());
            for (int round = 0; round < 50; round++) {
                String word = "word " + round;
                connection.send(word);
                assertEquals(word, connection.receive(word.length()));
            }
            connection.peer().close();
            TestLoop.get(served);
        }
    }

    private CompletableFuture<Void> echo(Channel channel) {
        return host.whenReady(channel, READABLE, LONG)
                .thenCompose(
                        ready -> {
                            Object message;
                            while ((message = host.poll(channel)) != null) {
                                TestLoop.write(channel, message);
                            }
                            return ready.isHangup()
                                    ? CompletableFuture.completedFuture(null)
                                    : echo(channel);
                        });
    }

    @Test
    void nothingIsReadForWhichNobodyWaits() throws Exception {
        int[] reads = new int[1];
        ChannelDuplexHandler counting =
                new ChannelDuplexHandler() {
                    @Override
                    public void read(ChannelHandlerContext context) throws Exception {
                        reads[0]++;
                        super.read(context);
                    }
                };
        try (TestLoop.Connection connection = loop.connect(counting)) {
            Channel channel = connection.channel();
            assertEquals(0, loop.call(() -> reads[0]).intValue());
            connection.send("first");
            assertEquals("first", receive(channel, 5));
            int before = loop.call(() -> reads[0]);
            connection.send("second");
            assertSame(WRITABLE, host.awaitReady(channel, WRITABLE, LONG));
            loop.run(() -> {});
            assertEquals(before, loop.call(() -> reads[0]).intValue());
            assertEquals("second", receive(channel, 6));
        }
    }

    @Test
    void aHandlerThatMakesNothingOfWhatIsReadIsGivenMore() throws Exception {
        // As a decoder does that has not got all of a message, but without reading on by itself.
        ChannelInboundHandlerAdapter swallowing =
                new ChannelInboundHandlerAdapter() {
                    private int left = 3;

                    @Override
                    public void channelRead(ChannelHandlerContext context, Object message) {
                        if (left-- > 0) {
                            ((ByteBuf) message).release();
                            seen.complete(null);
                        } else {
                            context.fireChannelRead(message);
                        }
                    }
                };
        try (TestLoop.Connection connection = loop.connect(swallowing)) {
            CompletableFuture<Readiness> wait =
                    host.whenReady(connection.channel(), READABLE, LONG);
            connection.send("a");
            TestLoop.get(seen);
            for (int round = 0; round < 200 && !wait.isDone(); round++) {
                connection.send("b");
                loop.run(() -> {});
            }
            assertSame(READABLE, TestLoop.get(wait));
            take(connection.channel());
        }
    }

    private final CompletableFuture<Void> seen = new CompletableFuture<>();

    @Test
    void aChannelWhoseBufferIsFullIsNotWritable() throws Exception {
        try (TestLoop.Connection connection = loop.connect()) {
            Channel channel = connection.channel();
            channel.config().setWriteBufferWaterMark(new WriteBufferWaterMark(1024, 64 * 1024));
            assertSame(WRITABLE, host.awaitReady(channel, WRITABLE, LONG));
            // More than the buffers of both ends hold, so that it stays full.
            int chunks = 1024;
            loop.run(
                    () -> {
                        for (int at = 0; at < chunks; at++) {
                            TestLoop.write(channel, Unpooled.wrappedBuffer(new byte[32 * 1024]));
                        }
                    });
            CompletableFuture<Readiness> wait = host.whenReady(channel, WRITABLE, null);
            assertSame(
                    Readiness.TIMED_OUT, host.awaitReady(channel, WRITABLE, Duration.ofMillis(5)));
            assertFalse(wait.isDone());
            connection.peer().getInputStream().skipNBytes(chunks * 32L * 1024);
            assertSame(WRITABLE, TestLoop.get(wait));
        }
    }

    @Test
    void aConnectionThatIsBeingMadeIsWritableOnceItIsMade() throws Exception {
        try (ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            CompletableFuture<CompletableFuture<Readiness>> connecting = new CompletableFuture<>();
            Channel channel =
                    new Bootstrap()
                            .group(loop.loop)
                            .channel(transport.client())
                            .handler(
                                    new ChannelInitializer<Channel>() {
                                        @Override
                                        protected void initChannel(Channel created) {
                                            connecting.complete(
                                                    host.whenReady(created, WRITABLE, LONG));
                                        }
                                    })
                            .connect(server.getLocalSocketAddress())
                            .syncUninterruptibly()
                            .channel();
            assertSame(WRITABLE, TestLoop.get(TestLoop.get(connecting)));
            try (Socket accepted = server.accept()) {
                accepted.getOutputStream().write('x');
                assertEquals("x", receive(channel, 1));
            }
            TestLoop.get(channel.close());
        }
    }

    @Test
    void aConnectionThatIsRefusedHangsUp() throws Exception {
        InetSocketAddress nobody;
        try (ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            nobody = (InetSocketAddress) server.getLocalSocketAddress();
        }
        CompletableFuture<CompletableFuture<Readiness>> connecting = new CompletableFuture<>();
        new Bootstrap()
                .group(loop.loop)
                .channel(transport.client())
                .handler(
                        new ChannelInitializer<Channel>() {
                            @Override
                            protected void initChannel(Channel created) {
                                connecting.complete(host.whenReady(created, WRITABLE, LONG));
                            }
                        })
                .connect(nobody)
                .awaitUninterruptibly();
        assertTrue(TestLoop.get(TestLoop.get(connecting)).isHangup());
    }

    @Test
    void severalWaitsForSeveralThings() throws Exception {
        try (TestLoop.Connection connection = loop.connect()) {
            Channel channel = connection.channel();
            CompletableFuture<Readiness> reading = host.whenReady(channel, READABLE, null);
            CompletableFuture<Readiness> too = host.whenReady(channel, READABLE, null);
            CompletableFuture<Readiness> cancelled = host.whenReady(channel, READABLE, null);
            assertSame(WRITABLE, host.awaitReady(channel, WRITABLE, LONG));
            assertSame(WRITABLE, host.awaitReady(channel, READABLE.or(WRITABLE), LONG));
            assertTrue(cancelled.cancel(false));
            assertFalse(reading.isDone());
            connection.send("x");
            assertSame(READABLE, TestLoop.get(reading));
            assertSame(READABLE, TestLoop.get(too));
            take(channel);
        }
    }

    @Test
    void aChannelIsAMemberOfSetsWithOtherThings() throws Exception {
        try (TestLoop.Connection one = loop.connect();
                TestLoop.Connection two = loop.connect()) {
            CompletableFuture<Object> first = new CompletableFuture<>();
            Waitable event =
                    loop.call(
                            () -> {
                                Waitable made = host.reactor().event();
                                host.reactor()
                                        .start(
                                                Question.of(host.waitable(one.channel()), READABLE)
                                                        .and(host.waitable(two.channel()), READABLE)
                                                        .and(made, READABLE),
                                                (wait, outcome, ready, more) ->
                                                        first.complete(
                                                                wait.members()
                                                                        .get(0)
                                                                        .waitable()
                                                                        .attachment()));
                                return made;
                            });
            two.send("x");
            assertSame(two.channel(), TestLoop.get(first));
            take(two.channel());
            event.close();
        }
    }

    @Test
    void aMultishotWaitTellsOfEveryMessage() throws Exception {
        try (TestLoop.Connection connection = loop.connect()) {
            StringBuilder text = new StringBuilder();
            Wait wait =
                    loop.call(
                            () ->
                                    host.reactor()
                                            .start(
                                                    Question.of(
                                                                    host.waitable(
                                                                            connection.channel()),
                                                                    READABLE)
                                                            .multishot(),
                                                    (same, outcome, ready, more) ->
                                                            text.append(
                                                                    takeHere(
                                                                            connection
                                                                                    .channel()))));
            for (int round = 1; round <= 20; round++) {
                connection.send("x");
                int length = round;
                loop.until(() -> text.length() == length);
            }
            loop.run(wait::cancel);
        }
    }

    // ---- rhythm -------------------------------------------------------------------------------

    @Test
    void aSteadyRhythmCrossesOnceAMessage() throws Exception {
        int rounds = 300;
        try (TestLoop.Connection connection = loop.connect()) {
            Channel channel = connection.channel();
            CompletableFuture<long[]> done = new CompletableFuture<>();
            loop.run(
                    () -> {
                        Waitable waitable = host.waitable(channel);
                        Sink rhythm =
                                new Sink() {
                                    private int left = rounds;
                                    private long turns;
                                    private long iterations;

                                    @Override
                                    public void completed(
                                            Wait wait,
                                            Outcome outcome,
                                            Readiness ready,
                                            boolean more) {
                                        if (left == rounds - 10) {
                                            turns = host.reactor().stats().turns();
                                            iterations = loop.iterations();
                                        }
                                        if (--left == 0) {
                                            done.complete(
                                                    new long[] {
                                                        host.reactor().stats().turns() - turns,
                                                        loop.iterations() - iterations
                                                    });
                                        }
                                        Object message;
                                        while ((message = host.poll(channel)) != null) {
                                            TestLoop.write(channel, message);
                                        }
                                        if (left > 0) {
                                            host.reactor()
                                                    .start(
                                                            Question.of(waitable, READABLE)
                                                                    .within(LONG),
                                                            this);
                                        }
                                    }
                                };
                        host.reactor().start(Question.of(waitable, READABLE), rhythm);
                    });
            for (int round = 0; round < rounds; round++) {
                connection.send("x");
                assertEquals("x", connection.receive(1));
            }
            long[] figures = TestLoop.get(done);
            System.out.println(
                    transport
                            + ": "
                            + figures[0]
                            + " turns for "
                            + (rounds - 11)
                            + " messages in "
                            + figures[1]
                            + " iterations of the loop");
            assertEquals(rounds - 11, figures[0], "turns");
            assertTrue(figures[1] >= figures[0], figures[1] + " iterations");
        }
    }

    // ---- the end of a channel -----------------------------------------------------------------

    @Test
    void aPeerThatClosesHangsUpAndWhatItSentCanBeTaken() throws Exception {
        try (TestLoop.Connection connection = loop.connect()) {
            Channel channel = connection.channel();
            CompletableFuture<String> all = readToTheEnd(channel, "");
            connection.send("some ");
            connection.send("thing");
            connection.peer().close();
            assertEquals("some thing", TestLoop.get(all));
            assertThrows(
                    ClosedChannelException.class,
                    () -> TestLoop.get(host.whenReady(channel, READABLE, LONG)));
            assertNull(loop.call(() -> host.poll(channel)));
            assertNull(loop.call(() -> host.takeFailure(channel)));
        }
    }

    private CompletableFuture<String> readToTheEnd(Channel channel, String before) {
        return host.whenReady(channel, READABLE, LONG)
                .thenCompose(
                        ready -> {
                            String text = before + takeHere(channel);
                            return ready.isHangup()
                                    ? CompletableFuture.completedFuture(text)
                                    : readToTheEnd(channel, text);
                        });
    }

    @Test
    void everyWaitIsToldThatTheChannelWasClosed() throws Exception {
        try (TestLoop.Connection connection = loop.connect()) {
            Channel channel = connection.channel();
            CompletableFuture<Readiness> reading = host.whenReady(channel, READABLE, null);
            CompletableFuture<Readiness> hangup = host.whenReady(channel, Readiness.HANGUP, null);
            loop.run(() -> {});
            TestLoop.get(channel.close());
            assertTrue(TestLoop.get(reading).isHangup());
            assertTrue(TestLoop.get(hangup).isHangup());
        }
    }

    @Test
    void whatNobodyTakesOfAClosedChannelIsReleased() throws Exception {
        try (TestLoop.Connection connection = loop.connect()) {
            Channel channel = connection.channel();
            ByteBuf message = Unpooled.copiedBuffer("x", UTF_8);
            loop.run(() -> channel.pipeline().fireChannelRead(message));
            assertSame(READABLE, host.awaitReady(channel, READABLE, LONG));
            assertEquals(1, message.refCnt());
            TestLoop.get(channel.close());
            loop.until(() -> message.refCnt() == 0);
        }
    }

    @Test
    void whatIsLeftCanBeTakenInTheCompletionThatTellsOfTheEnd() throws Exception {
        try (TestLoop.Connection connection = loop.connect()) {
            Channel channel = connection.channel();
            ByteBuf message = Unpooled.copiedBuffer("last words", UTF_8);
            CompletableFuture<String> told =
                    host.whenReady(channel, Readiness.HANGUP, LONG)
                            .thenApply(ready -> takeHere(channel));
            loop.run(() -> channel.pipeline().fireChannelRead(message));
            TestLoop.get(channel.close());
            assertEquals("last words", TestLoop.get(told));
        }
    }

    @Test
    void aPeerThatSendsNoMoreLeavesWhatItSent() throws Exception {
        try (TestLoop.Connection connection = loop.connect(true)) {
            Channel channel = connection.channel();
            connection.send("all");
            connection.peer().shutdownOutput();
            Readiness ready;
            do {
                ready = host.awaitReady(channel, Readiness.READ_CLOSED.or(READABLE), LONG);
                // A wait for more reads on, up to the end.
                if (!ready.isReadClosed()) {
                    assertEquals("all", take(channel));
                }
            } while (!ready.isReadClosed());
            take(channel);
            assertSame(
                    Readiness.READ_CLOSED, host.awaitReady(channel, Readiness.READ_CLOSED, LONG));
            // The other direction is open.
            assertSame(WRITABLE, host.awaitReady(channel, WRITABLE, LONG));
            TestLoop.get(channel.writeAndFlush(Unpooled.copiedBuffer("reply", UTF_8)));
            assertEquals("reply", connection.receive(5));
        }
    }

    @Test
    void dataThatCameBeforeTheEndStaysReadable() throws Exception {
        try (TestLoop.Connection connection = loop.connect(true)) {
            Channel channel = connection.channel();
            // In whatever portions it comes: nobody takes anything until all of it is there.
            ByteBuf message = Unpooled.copiedBuffer("kept", UTF_8);
            loop.run(() -> channel.pipeline().fireChannelRead(message));
            loop.run(
                    () ->
                            channel.pipeline()
                                    .fireUserEventTriggered(
                                            io.netty.channel.socket.ChannelInputShutdownEvent
                                                    .INSTANCE));
            assertSame(
                    READABLE.or(Readiness.READ_CLOSED), host.awaitReady(channel, READABLE, LONG));
            assertEquals("kept", take(channel));
            assertSame(Readiness.READ_CLOSED, host.awaitReady(channel, READABLE, LONG));
        }
    }

    @Test
    void aFailureIsAnErrorUntilItIsTaken() throws Exception {
        try (TestLoop.Connection connection = loop.connect()) {
            Channel channel = connection.channel();
            CompletableFuture<Readiness> wait = host.whenReady(channel, READABLE, LONG);
            loop.run(() -> {});
            IOException first = new IOException("first");
            IOException second = new IOException("second");
            loop.run(() -> channel.pipeline().fireExceptionCaught(first));
            assertSame(Readiness.ERROR, TestLoop.get(wait));
            loop.run(() -> channel.pipeline().fireExceptionCaught(second));
            assertTrue(host.awaitReady(channel, WRITABLE, LONG).isError());
            assertSame(first, loop.call(() -> host.takeFailure(channel)));
            assertSame(second, first.getSuppressed()[0]);
            assertNull(loop.call(() -> host.takeFailure(channel)));
            assertSame(WRITABLE, host.awaitReady(channel, WRITABLE, LONG));
        }
    }

    // ---- letting go ---------------------------------------------------------------------------

    @Test
    void aChannelThatIsReleasedIsAsItWasBefore() throws Exception {
        List<Object> passed = new ArrayList<>();
        try (TestLoop.Connection connection = loop.connect()) {
            Channel channel = connection.channel();
            ByteBuf message = Unpooled.copiedBuffer("x", UTF_8);
            loop.run(
                    () -> {
                        channel.pipeline()
                                .addLast(
                                        new ChannelInboundHandlerAdapter() {
                                            @Override
                                            public void channelRead(
                                                    ChannelHandlerContext context, Object read) {
                                                passed.add(read);
                                            }
                                        });
                        channel.pipeline().fireChannelRead(message);
                    });
            assertEquals(List.of(), passed);
            CompletableFuture<Readiness> wait = host.whenReady(channel, Readiness.HANGUP, null);
            loop.run(() -> {});
            TestLoop.get(host.release(channel));
            assertThrows(ClosedChannelException.class, () -> TestLoop.get(wait));
            assertEquals(List.of(message), loop.call(() -> List.copyOf(passed)));
            assertEquals(1, message.refCnt());
            message.release();
            assertTrue(channel.config().isAutoRead());
            assertTrue(channel.isActive());
            assertThrows(IllegalStateException.class, () -> loop.call(() -> host.poll(channel)));
            TestLoop.get(host.release(channel));
            // And may be waited for anew.
            loop.run(() -> passed.clear());
            assertSame(WRITABLE, host.awaitReady(channel, WRITABLE, LONG));
        }
    }

    @Test
    void aPipelineThatLosesTheHandlerEndsTheWaits() throws Exception {
        try (TestLoop.Connection connection = loop.connect()) {
            Channel channel = connection.channel();
            CompletableFuture<Readiness> wait = host.whenReady(channel, READABLE, null);
            loop.run(() -> {});
            loop.run(() -> channel.pipeline().removeLast());
            assertThrows(ClosedChannelException.class, () -> TestLoop.get(wait));
            assertTrue(channel.isActive());
        }
    }

    @Test
    void aChannelThatIsDeregisteredEndsTheWaits() throws Exception {
        try (TestLoop.Connection connection = loop.connect()) {
            Channel channel = connection.channel();
            CompletableFuture<Readiness> wait = host.whenReady(channel, READABLE, null);
            loop.run(() -> {});
            TestLoop.get(channel.deregister());
            assertThrows(ClosedChannelException.class, () -> TestLoop.get(wait));
            assertTrue(channel.isOpen());
            assertThrows(
                    IllegalArgumentException.class, () -> host.whenReady(channel, READABLE, LONG));
            TestLoop.get(loop.loop.register(channel));
            loop.run(() -> {});
            assertTrue(channel.config().isAutoRead());
            CompletableFuture<Readiness> again = host.whenReady(channel, READABLE, LONG);
            loop.run(() -> {});
            connection.send("x");
            assertSame(READABLE, TestLoop.get(again));
            take(channel);
        }
    }

    @Test
    void aChannelThatMovedIsWaitedForInItsNewLoop() throws Exception {
        try (TestLoop other = new TestLoop(transport);
                TestLoop.Connection connection = loop.connect()) {
            Channel channel = connection.channel();
            TestLoop.get(channel.deregister());
            TestLoop.get(other.loop.register(channel));
            CompletableFuture<Readiness> wait = other.host.whenReady(channel, READABLE, LONG);
            // Until then it reads by itself, and nobody is there to take it.
            other.run(() -> {});
            connection.send("x");
            assertSame(READABLE, TestLoop.get(wait));
            ByteBuf message = (ByteBuf) other.call(() -> other.host.poll(channel));
            message.release();
            assertThrows(
                    IllegalArgumentException.class, () -> host.whenReady(channel, READABLE, LONG));
            TestLoop.get(channel.close());
        }
    }

    @Test
    void aWaitableThatWasClosedIsFollowedByAnother() throws Exception {
        try (TestLoop.Connection connection = loop.connect()) {
            Channel channel = connection.channel();
            CompletableFuture<Readiness> wait = host.whenReady(channel, READABLE, null);
            loop.run(() -> {});
            Waitable first = loop.call(() -> host.waitable(channel));
            assertSame(channel, first.attachment());
            first.close();
            assertThrows(AwsgiException.class, () -> TestLoop.get(wait));
            connection.send("x");
            assertEquals("x", receive(channel, 1));
        }
    }

    @Test
    void aHostThatIsClosedLeavesChannelsOpen() throws Exception {
        try (TestLoop.Connection connection = loop.connect()) {
            Channel channel = connection.channel();
            ByteBuf message = Unpooled.copiedBuffer("x", UTF_8);
            CompletableFuture<Readiness> wait = host.whenReady(channel, Readiness.HANGUP, null);
            loop.run(() -> channel.pipeline().fireChannelRead(message));
            host.close();
            assertThrows(ReactorClosedException.class, () -> TestLoop.get(wait));
            assertTrue(channel.isActive());
            assertTrue(channel.config().isAutoRead());
            assertEquals(0, message.refCnt());
            assertThrows(ReactorClosedException.class, () -> loop.call(() -> host.poll(channel)));
            assertThrows(
                    ReactorClosedException.class, () -> loop.call(() -> host.waitable(channel)));
            assertThrows(
                    ReactorClosedException.class,
                    () -> TestLoop.get(host.whenReady(channel, READABLE, LONG)));
            assertThrows(ReactorClosedException.class, () -> host.release(channel));
        }
    }

    @Test
    void aLoopThatEndsReleasesWhatIsLeft() throws Exception {
        TestLoop.Connection connection = loop.connect();
        ByteBuf message = Unpooled.copiedBuffer("x", UTF_8);
        loop.run(() -> connection.channel().pipeline().fireChannelRead(message));
        CompletableFuture<Readiness> wait =
                host.whenReady(connection.channel(), READABLE.or(Readiness.HANGUP), null);
        assertTrue(TestLoop.get(wait).isReadable());
        loop.dead();
        Future<?> terminated = loop.loop.shutdownGracefully(0, 20, TimeUnit.SECONDS);
        assertTrue(terminated.awaitUninterruptibly(20, TimeUnit.SECONDS));
        assertEquals(0, message.refCnt());
        connection.peer().close();
    }

    // ---- misuse -------------------------------------------------------------------------------

    @Test
    void whatCannotBeWaitedForIsRefusedWithAReason() throws Exception {
        try (TestLoop.Connection connection = loop.connect();
                TestLoop other = new TestLoop(transport);
                TestLoop.Connection elsewhere = other.connect()) {
            Channel channel = connection.channel();
            assertThrows(
                    NullPointerException.class,
                    () -> host.whenReady((Channel) null, READABLE, LONG));
            assertThrows(NullPointerException.class, () -> host.whenReady(channel, null, LONG));
            assertThrows(NullPointerException.class, () -> host.release((Channel) null));
            assertThrows(NullPointerException.class, () -> host.poll(null));
            assertThrows(
                    IllegalArgumentException.class,
                    () -> host.whenReady(channel, Readiness.NONE, LONG));
            AwsgiException urgent =
                    assertThrows(
                            AwsgiException.class,
                            () -> host.whenReady(channel, Readiness.PRIORITY, LONG));
            assertSame(Status.UNSUPPORTED, urgent.status());
            IllegalArgumentException foreign =
                    assertThrows(
                            IllegalArgumentException.class,
                            () -> host.whenReady(elsewhere.channel(), READABLE, LONG));
            assertTrue(foreign.getMessage().contains("another event loop"), foreign.toString());
            assertThrows(
                    IllegalArgumentException.class,
                    () -> host.awaitReady(new LocalChannel(), READABLE, LONG));
            assertThrows(
                    IllegalArgumentException.class,
                    () -> loop.call(() -> host.waitable(elsewhere.channel())));
            assertThrows(
                    IllegalStateException.class,
                    () -> loop.call(() -> host.poll(elsewhere.channel())));
            assertThrows(WrongOwnerException.class, () -> host.poll(channel));
            assertThrows(WrongOwnerException.class, () -> host.takeFailure(channel));
            assertThrows(WrongOwnerException.class, () -> host.waitable(channel));
            assertThrows(
                    IllegalStateException.class,
                    () -> loop.call(() -> host.awaitReady(channel, READABLE, LONG)));
            TestLoop.get(host.release(elsewhere.channel()));
            TestLoop.get(channel.close());
            loop.run(() -> {});
            assertThrows(
                    ClosedChannelException.class, () -> host.awaitReady(channel, READABLE, LONG));
        }
    }
}
