package io.awsgi.netty;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.awsgi.core.ReactorOptions;
import io.awsgi.core.Stats;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.SingleThreadIoEventLoop;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.ScheduledFuture;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.time.Duration;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;

/**
 * An event loop with a host, whose iterations are counted. Nothing is left of it when it is closed.
 */
final class TestLoop implements AutoCloseable {
    static final Duration LONG = Duration.ofSeconds(20);

    final Transport transport;
    final SingleThreadIoEventLoop loop;
    final NettyHost host;

    /** How often it has looked for I/O. */
    private final AtomicLong iterations = new AtomicLong();

    /** What tasks have thrown that were scheduled, of which the loop only writes a line. */
    private final Queue<Throwable> thrown = new ConcurrentLinkedQueue<>();

    private volatile boolean dead;

    TestLoop(Transport transport) {
        this(transport, ReactorOptions.DEFAULT);
    }

    TestLoop(Transport transport, ReactorOptions options) {
        this.transport = transport;
        loop =
                new SingleThreadIoEventLoop(
                        null, new DefaultThreadFactory("test", true), transport.handler()) {
                    @Override
                    protected int runIo() {
                        int handled = super.runIo();
                        iterations.incrementAndGet();
                        return handled;
                    }

                    @Override
                    public ScheduledFuture<?> schedule(Runnable task, long delay, TimeUnit unit) {
                        return super.schedule(
                                () -> {
                                    try {
                                        task.run();
                                    } catch (Throwable failure) {
                                        thrown.add(failure);
                                    }
                                },
                                delay,
                                unit);
                    }
                };
        host = get(NettyHost.attach(loop, options));
    }

    long iterations() {
        return iterations.get();
    }

    /** What comes, within a time that is long for everything here. */
    static <T> T get(java.util.concurrent.Future<T> future) {
        try {
            return future.get(20, TimeUnit.SECONDS);
        } catch (java.util.concurrent.ExecutionException failure) {
            throw TestLoop.<RuntimeException>sneaky(failure.getCause());
        } catch (InterruptedException | java.util.concurrent.TimeoutException failure) {
            throw new AssertionError(failure);
        }
    }

    @SuppressWarnings({"unchecked", "TypeParameterUnusedInFormals"})
    private static <E extends Throwable> E sneaky(Throwable failure) throws E {
        throw (E) failure;
    }

    /** Calls something on the loop's thread. */
    <T> T call(Callable<T> work) {
        return get(loop.submit(work));
    }

    void run(Work work) {
        call(
                () -> {
                    work.run();
                    return null;
                });
    }

    /** Writes where a failure shows itself otherwise. */
    @SuppressWarnings("FutureReturnValueIgnored")
    static void write(Channel channel, Object message) {
        channel.writeAndFlush(message, channel.voidPromise());
    }

    /** What may throw. */
    interface Work {
        void run() throws Exception;
    }

    Stats stats() {
        return call(() -> host.reactor().stats());
    }

    /** Lets the loop go round until something is so, which is looked at there. */
    void until(BooleanSupplier so) {
        long end = System.nanoTime() + LONG.toNanos();
        while (!call(so::getAsBoolean)) {
            assertTrue(System.nanoTime() < end, "it did not come to be within 20 seconds");
            Thread.onSpinWait();
        }
    }

    /** The loop ends in the test itself. */
    void dead() {
        dead = true;
    }

    /**
     * A connection: its near end a channel of this loop's, which is waited for from its beginning.
     */
    Connection connect(ChannelHandler... handlers) throws IOException {
        return connect(false, handlers);
    }

    Connection connect(boolean halfClosure, ChannelHandler... handlers) throws IOException {
        CompletableFuture<Channel> accepted = new CompletableFuture<>();
        Channel server =
                new ServerBootstrap()
                        .group(loop)
                        .channel(transport.server())
                        .childOption(ChannelOption.ALLOW_HALF_CLOSURE, halfClosure)
                        .childHandler(
                                new ChannelInitializer<Channel>() {
                                    @Override
                                    protected void initChannel(Channel channel) throws Exception {
                                        channel.pipeline().addLast(handlers);
                                        host.waitable(channel);
                                        accepted.complete(channel);
                                    }
                                })
                        .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                        .syncUninterruptibly()
                        .channel();
        Socket peer = new Socket();
        try {
            peer.connect(server.localAddress());
            return new Connection(get(accepted), peer);
        } finally {
            get(server.close());
        }
    }

    /** Both ends of a connection. */
    record Connection(Channel channel, Socket peer) implements AutoCloseable {
        void send(String text) throws IOException {
            peer.getOutputStream().write(text.getBytes(java.nio.charset.StandardCharsets.UTF_8));
            peer.getOutputStream().flush();
        }

        String receive(int bytes) throws IOException {
            return new String(
                    peer.getInputStream().readNBytes(bytes),
                    java.nio.charset.StandardCharsets.UTF_8);
        }

        @Override
        public void close() {
            get(channel.close());
            try {
                peer.close();
            } catch (IOException failure) {
                throw new UncheckedIOException(failure);
            }
        }
    }

    @Override
    public void close() {
        if (!dead) {
            if (host.reactor().isOpen()) {
                until(() -> host.reactor().stats().waits() == 0);
                until(() -> host.reactor().stats().waitables() == 0);
            }
            get(loop.shutdownGracefully(0, 0, TimeUnit.SECONDS));
        }
        get(host.reactor().whenClosed());
        assertEquals(true, loop.isTerminated());
        assertEquals(List.of(), List.copyOf(thrown));
    }
}
