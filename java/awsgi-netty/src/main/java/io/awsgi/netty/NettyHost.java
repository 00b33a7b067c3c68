package io.awsgi.netty;

import io.awsgi.core.AwsgiException;
import io.awsgi.core.AwsgiLinkageError;
import io.awsgi.core.Reactor;
import io.awsgi.core.ReactorBridge;
import io.awsgi.core.ReactorClosedException;
import io.awsgi.core.ReactorOptions;
import io.awsgi.core.ReactorPanicException;
import io.awsgi.core.Readiness;
import io.awsgi.core.Status;
import io.awsgi.core.Waitable;
import io.netty.channel.Channel;
import io.netty.channel.ChannelOption;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.ScheduledFuture;
import java.io.IOException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.IllegalBlockingModeException;
import java.nio.channels.NotYetConnectedException;
import java.nio.channels.SelectableChannel;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * A reactor on an event loop of Netty's. It waits for what Netty has, and for what Netty has not:
 * events, timers, descriptors, channels of {@code java.nio}. Any thread may wait.
 *
 * <pre>{@code
 * NettyHost host = NettyHost.attach(channel.eventLoop(), ReactorOptions.DEFAULT).join();
 * host.whenReady(channel, Readiness.READABLE, Duration.ofSeconds(5))
 *         .thenAccept(ready -> channel.writeAndFlush(host.poll(channel)));
 * }</pre>
 *
 * <p>Each event loop has one at most, which ends with it at the latest: when the loop begins to
 * shut down. It turns as a task of the loop, in an iteration in which something happened mostly
 * once, and leaves room for the loop's other work. On the epoll transport the loop watches the
 * descriptors of native code, too; elsewhere a thread of the library's does.
 *
 * <h2>Netty's channels</h2>
 *
 * The first wait for a {@link Channel} adds a handler at the end of its {@link ChannelPipeline},
 * and switches {@link ChannelOption#AUTO_READ} off: what arrives at that handler stays there until
 * it is {@linkplain #poll taken}, and the channel reads on when somebody waits for more. So add the
 * handlers that decode before, and begin in the channel's initializer, or what arrives earlier is
 * not seen.
 *
 * <ul>
 *   <li>{@link Readiness#READABLE}: there is a message to {@linkplain #poll take}.
 *   <li>{@link Readiness#WRITABLE}: the channel is active and writable.
 *   <li>{@link Readiness#READ_CLOSED}: the peer will send no more, of a channel with {@link
 *       ChannelOption#ALLOW_HALF_CLOSURE}; what came before can still be taken. Netty closes others
 *       at once.
 *   <li>{@link Readiness#HANGUP}: the channel was closed. What came before can be taken in the
 *       completion that says so; what is left then is released. Who takes later, or waits on
 *       another thread, has {@link ChannelOption#ALLOW_HALF_CLOSURE} set, and closes the channel
 *       himself.
 *   <li>{@link Readiness#ERROR}: a handler, or the transport, has failed: {@link #takeFailure} says
 *       why, and each wait completes with it until then.
 * </ul>
 *
 * A channel that is deregistered, and one whose pipeline loses the handler, completes its waits
 * with a {@link ClosedChannelException}; what was not taken is passed on to the handler that comes
 * next.
 *
 * <h2>Channels of {@code java.nio}</h2>
 *
 * They are watched by the selector of the loop, which has to have a {@link
 * io.netty.channel.nio.NioIoHandler}. A channel has to be non-blocking, a {@link SocketChannel}
 * connected or connecting, and not be registered elsewhere, as the channels of Netty's own are; its
 * mode is never changed here. It stays registered from its first wait until it is closed or
 * {@linkplain #release(SelectableChannel) released}. {@link Readiness#READABLE} is a connection to
 * accept or something to read, the end included; {@link Readiness#WRITABLE} is a connection to
 * finish or room to write. Who waits for a connection that is not finished only to read is told
 * READABLE when it is there to finish. Who is told finishes it, best in that completion: if it is
 * done later or elsewhere, others who wait to read may hear of what arrives up to 64 milliseconds
 * after that. A selector sees nothing else: the rest is refused alone.
 *
 * <p>A channel that is closed completes its waits with a {@link ClosedChannelException} in the next
 * turn (of more than 256 channels on one loop: in one of the next). One that another thread closes
 * while the loop sleeps does not wake it: {@link #release(SelectableChannel)} does.
 */
public final class NettyHost implements AutoCloseable {
    private static final ConcurrentHashMap<EventLoop, NettyHost> HOSTS = new ConcurrentHashMap<>();

    private static final System.Logger LOG = System.getLogger("io.awsgi");

    private static final boolean EPOLL = isPresent("io.netty.channel.epoll.EpollIoHandle");

    /**
     * As long as this is scheduled, the loop keeps its thread; when the loop ends, it cancels it.
     */
    private static final long FAR_AWAY_DAYS = 3650;

    private final EventLoop loop;
    private final NioChannels channels;
    private final Inboxes inboxes = new Inboxes();
    private final Turns turns;
    private final ReactorBridge bridge;
    private final ScheduledFuture<?> whileLoopLives;
    private final @Nullable EpollDescriptor descriptor;

    private static boolean isPresent(String name) {
        try {
            Class.forName(name, false, NettyHost.class.getClassLoader());
            return true;
        } catch (ClassNotFoundException | LinkageError absent) {
            return false;
        }
    }

    private NettyHost(EventLoop loop, ReactorOptions options) {
        this.loop = loop;
        this.channels = new NioChannels(loop, this::endHere);
        boolean watchesDescriptors = EPOLL && EpollDescriptor.isFor(loop);
        this.turns =
                new Turns(
                        loop,
                        watchesDescriptors ? options.nested() : options.delegated(),
                        channels,
                        inboxes,
                        this::endHere,
                        this::ended);
        this.bridge = turns.bridge;
        try {
            this.descriptor =
                    watchesDescriptors ? EpollDescriptor.watch(loop, turns, this::endHere) : null;
            this.whileLoopLives = loop.schedule(() -> {}, FAR_AWAY_DAYS, TimeUnit.DAYS);
        } catch (Throwable failure) {
            bridge.close();
            throw failure;
        }
    }

    private void begin() {
        HOSTS.put(loop, this);
        whileLoopLives.addListener(cancelled -> endHere());
    }

    /**
     * The host of an event loop: made, unless there is one already, of which the options then
     * count. One that was closed is followed by another.
     *
     * <p><b>Threads:</b> any. On the loop's own thread it is complete when this returns. A loop
     * that was not used yet is started.
     *
     * @param loop the event loop; one of {@code group.next()}, or {@code channel.eventLoop()}
     * @param options what the reactor is to be; whether it is {@link ReactorOptions#nested} is
     *     decided here
     * @return the host. Exceptionally: {@link AwsgiLinkageError} if there is no native library;
     *     {@link IllegalStateException} if the loop is shutting down, or runs in a virtual thread;
     *     {@link AwsgiException} as {@link ReactorBridge#open}
     */
    public static CompletableFuture<NettyHost> attach(EventLoop loop, ReactorOptions options) {
        Objects.requireNonNull(loop, "loop");
        Objects.requireNonNull(options, "options");
        CompletableFuture<NettyHost> attached = new CompletableFuture<>();
        if (loop.inEventLoop()) {
            attachHere(loop, options, attached);
            return attached;
        }
        try {
            loop.execute(() -> attachHere(loop, options, attached));
            // It may end without having come to it.
            loop.terminationFuture()
                    .addListener(ended -> attached.completeExceptionally(shuttingDown(loop)));
        } catch (RejectedExecutionException ending) {
            attached.completeExceptionally(shuttingDown(loop));
        }
        return attached;
    }

    private static void attachHere(
            EventLoop loop, ReactorOptions options, CompletableFuture<NettyHost> attached) {
        NettyHost host = HOSTS.get(loop);
        if (host != null && host.reactor().isOpen()) {
            attached.complete(host);
            return;
        }
        try {
            if (loop.isShuttingDown()) {
                throw shuttingDown(loop);
            }
            host = new NettyHost(loop, options);
        } catch (Throwable failure) {
            attached.completeExceptionally(failure);
            return;
        }
        host.begin();
        attached.complete(host);
    }

    private static IllegalStateException shuttingDown(EventLoop loop) {
        return new IllegalStateException(
                "event loop " + loop + " is shutting down: attach to one that lives");
    }

    /**
     * The event loop.
     *
     * <p><b>Threads:</b> any.
     *
     * @return the loop
     */
    public EventLoop eventLoop() {
        return loop;
    }

    /**
     * The host's reactor, for everything that is no channel. Its host's thread is the loop's.
     *
     * <p><b>Threads:</b> any.
     *
     * @return the reactor
     */
    public Reactor reactor() {
        return bridge.reactor();
    }

    // ---- Netty's channels ---------------------------------------------------------------------

    /**
     * Waits for a channel of Netty's. Whatever completes the future ends the wait: cancelling it,
     * {@code orTimeout}, {@code complete}. Any number of waits may ask for one channel.
     *
     * <p><b>Threads:</b> any. The future completes on the loop's.
     *
     * @param channel a channel that is registered with this host's event loop
     * @param interest for what; {@link Readiness#HANGUP} and {@link Readiness#ERROR} complete every
     *     wait. The end is only seen where the channel is read, so ask for {@link
     *     Readiness#READABLE}, too
     * @param timeout how long at most, from now; null: for ever
     * @return what it is ready for, or {@link Readiness#TIMED_OUT}. Exceptionally: {@link
     *     ClosedChannelException} if it was closed before, or is deregistered, released, or its
     *     handler removed meanwhile; {@link IllegalArgumentException} as below, if it is found
     *     later; {@link ReactorClosedException}; {@link ReactorPanicException}
     * @throws IllegalArgumentException if {@code interest} is empty, or the channel is of another
     *     event loop, or of none yet
     * @throws AwsgiException {@link Status#UNSUPPORTED} for {@link Readiness#PRIORITY}
     * @throws ReactorClosedException if the host was closed
     */
    public CompletableFuture<Readiness> whenReady(
            Channel channel, Readiness interest, @Nullable Duration timeout) {
        check(channel, interest);
        return bridge.reactor().whenReady(() -> waitable(channel), interest, timeout);
    }

    /**
     * Waits for a channel of Netty's, blocking the calling thread, which may be a virtual one: it
     * parks in Java, and pins nothing. An interrupt ends the wait at once, and leaves the channel
     * open.
     *
     * <p>What is read is taken on the loop's thread: {@code host.reactor().call(() ->
     * host.poll(channel)).get()}.
     *
     * <p><b>Threads:</b> any but the loop's; on those of other event loops nothing else would
     * happen meanwhile.
     *
     * @param channel a channel that is registered with this host's event loop
     * @param interest for what
     * @param timeout how long at most, from now; null: for ever
     * @return what it is ready for, or {@link Readiness#TIMED_OUT}
     * @throws IOException {@link ClosedChannelException} as for {@link #whenReady(Channel,
     *     Readiness, Duration)}
     * @throws InterruptedException if the thread was interrupted before, or is while it waits
     * @throws IllegalStateException on the loop's thread, which would wait for itself
     */
    public Readiness awaitReady(Channel channel, Readiness interest, @Nullable Duration timeout)
            throws IOException, InterruptedException {
        check(channel, interest);
        return bridge.reactor().awaitReady(() -> waitable(channel), interest, timeout);
    }

    private void check(Channel channel, Readiness interest) {
        checkLoop(channel);
        if (interest.isPriority()) {
            throw new AwsgiException(
                    Status.UNSUPPORTED,
                    "a Channel of Netty's tells nothing of urgent data: ask for READABLE");
        }
    }

    private void checkLoop(Channel channel) {
        Objects.requireNonNull(channel, "channel");
        if (channel.isOpen() && !(channel.isRegistered() && channel.eventLoop() == loop)) {
            throw new IllegalArgumentException(
                    channel
                            + (channel.isRegistered()
                                    ? " is of another event loop: attach a host to channel.eventLoop(), and wait there"
                                    : " has no event loop yet: register it first, or wait in its initializer"));
        }
    }

    /**
     * The waitable of a channel of Netty's, for {@link Reactor#start} and sets; the same one until
     * the channel is closed or released. Where it is made, the channel stops reading by itself.
     *
     * <p><b>Threads:</b> the loop's.
     *
     * @param channel a channel that is registered with this host's event loop
     * @return its waitable, whose attachment is the channel
     * @throws ClosedChannelException if it is closed
     * @throws IllegalArgumentException if it is of another event loop, or of none yet
     * @throws AwsgiException {@link Status#THREAD}; {@link Status#LIMIT}; {@link Status#CLOSED}
     */
    public Waitable waitable(Channel channel) throws ClosedChannelException {
        checkAlive();
        checkLoop(channel);
        return inboxes.waitable(channel, bridge);
    }

    /**
     * Takes the next message of a channel of Netty's that is waited for. It is the caller's from
     * then on, to be released if it is reference-counted.
     *
     * <p><b>Threads:</b> the loop's.
     *
     * @param channel the channel
     * @return the message; null if there is none now
     * @throws IllegalStateException if the channel was never waited for, nor its waitable asked for
     * @throws AwsgiException {@link Status#THREAD}; {@link Status#CLOSED}
     */
    public @Nullable Object poll(Channel channel) {
        Inbox inbox = inbox(channel);
        return inbox == null ? null : inbox.poll();
    }

    /**
     * Takes the failure that a channel of Netty's is {@linkplain Readiness#ERROR ready} for: what
     * came to its pipeline's end as {@code exceptionCaught}, with those that followed as suppressed
     * ones.
     *
     * <p><b>Threads:</b> the loop's.
     *
     * @param channel the channel
     * @return the failure; null if there is none now
     * @throws IllegalStateException if the channel was never waited for, nor its waitable asked for
     * @throws AwsgiException {@link Status#THREAD}; {@link Status#CLOSED}
     */
    public @Nullable Throwable takeFailure(Channel channel) {
        Inbox inbox = inbox(channel);
        return inbox == null ? null : inbox.takeFailure();
    }

    /** What a channel has received; null for one that is closed, and has nothing any more. */
    private @Nullable Inbox inbox(Channel channel) {
        Objects.requireNonNull(channel, "channel");
        checkAlive();
        Inbox inbox = inboxes.find(channel);
        if (inbox == null && channel.isOpen()) {
            throw new IllegalStateException(
                    channel + " is not waited for here: ask for its waitable, or wait, first");
        }
        return inbox;
    }

    /**
     * Lets a channel of Netty's go: its waits complete with a {@link ClosedChannelException}, what
     * was not taken is passed on to the handler that comes next, and the channel reads by itself if
     * it did before.
     *
     * <p><b>Threads:</b> any.
     *
     * @param channel the channel; one that was never waited for is let go already
     * @return completes when that is so; only the loop's thread may not wait for it
     * @throws ReactorClosedException if the host was closed
     */
    public CompletableFuture<Void> release(Channel channel) {
        Objects.requireNonNull(channel, "channel");
        return afterTurn(() -> inboxes.release(channel), () -> true);
    }

    // ---- channels of java.nio -----------------------------------------------------------------

    /**
     * Waits for a channel that Netty does not own. Whatever completes the future ends the wait:
     * cancelling it, {@code orTimeout}, {@code complete}. Any number of waits may ask for one
     * channel.
     *
     * <p><b>Threads:</b> any. If it is not the loop's, what the channel is ready for is taken to be
     * dealt with elsewhere, too: it is watched no longer than the wait lasts, which costs up to two
     * system calls; on the loop's thread waits that follow one another cost none. The future
     * completes on the loop's thread.
     *
     * @param channel the channel
     * @param interest {@link Readiness#READABLE}, {@link Readiness#WRITABLE} or both
     * @param timeout how long at most, from now; null: for ever
     * @return what it is ready for, or {@link Readiness#TIMED_OUT}. Exceptionally: {@link
     *     ClosedChannelException} if it is closed; {@link IllegalStateException} if it is
     *     registered elsewhere, which would be stolen from there; {@link ReactorClosedException};
     *     {@link ReactorPanicException}
     * @throws IllegalBlockingModeException if the channel is blocking: {@code
     *     configureBlocking(false)} first
     * @throws NotYetConnectedException if it is neither connected nor connecting: call {@code
     *     connect} first
     * @throws IllegalArgumentException if {@code interest} is empty, or it can never be ready for
     *     this
     * @throws AwsgiException {@link Status#UNSUPPORTED} for what a selector cannot see, and if the
     *     loop has none
     * @throws ReactorClosedException if the host was closed
     */
    public CompletableFuture<Readiness> whenReady(
            SelectableChannel channel, Readiness interest, @Nullable Duration timeout) {
        check(channel, interest);
        return bridge.reactor().whenReady(() -> waitable(channel), interest, timeout);
    }

    /**
     * Waits for a channel that Netty does not own, blocking the calling thread, which may be a
     * virtual one: it parks in Java, and pins nothing. An interrupt ends the wait at once, and
     * leaves the channel open.
     *
     * <p><b>Threads:</b> any but the loop's; on those of other event loops nothing else would
     * happen meanwhile.
     *
     * @param channel the channel
     * @param interest {@link Readiness#READABLE}, {@link Readiness#WRITABLE} or both
     * @param timeout how long at most, from now; null: for ever
     * @return what it is ready for, or {@link Readiness#TIMED_OUT}
     * @throws IOException {@link ClosedChannelException} if it is closed
     * @throws InterruptedException if the thread was interrupted before, or is while it waits
     * @throws IllegalStateException on the loop's thread, which would wait for itself; and as
     *     {@link #whenReady(SelectableChannel, Readiness, Duration)}
     */
    public Readiness awaitReady(
            SelectableChannel channel, Readiness interest, @Nullable Duration timeout)
            throws IOException, InterruptedException {
        check(channel, interest);
        return bridge.reactor().awaitReady(() -> waitable(channel), interest, timeout);
    }

    private void check(SelectableChannel channel, Readiness interest) {
        Objects.requireNonNull(channel, "channel");
        channels.loop();
        int bits = interest.bits();
        if (bits != 0 && ((bits & (Bits.READABLE | Bits.WRITABLE)) == 0 || interest.isPriority())) {
            throw new AwsgiException(
                    Status.UNSUPPORTED,
                    "a selector sees READABLE and WRITABLE, and nothing of "
                            + interest
                            + " alone: ask for READABLE, which the end of the stream is, too");
        }
        if (bits == 0 || !channel.isOpen()) {
            return;
        }
        Watched.checkWatchable(channel);
        if (Watched.ops(channel, bits) == 0) {
            throw new IllegalArgumentException(
                    channel + " will never be " + interest + ": ask for what the channel can do");
        }
    }

    /**
     * The waitable of a channel that Netty does not own, for {@link Reactor#start} and sets; the
     * same one until the channel is closed or released.
     *
     * <p><b>Threads:</b> the loop's.
     *
     * @param channel the channel
     * @return its waitable, whose attachment is the channel
     * @throws ClosedChannelException if it is closed
     * @throws IOException if it cannot be registered
     * @throws IllegalBlockingModeException if the channel is blocking
     * @throws NotYetConnectedException if it is neither connected nor connecting
     * @throws IllegalStateException if it is registered elsewhere
     * @throws AwsgiException {@link Status#THREAD}; {@link Status#LIMIT}; {@link Status#CLOSED};
     *     {@link Status#UNSUPPORTED} if the loop has no selector
     */
    public Waitable waitable(SelectableChannel channel) throws IOException {
        Objects.requireNonNull(channel, "channel");
        checkAlive();
        return channels.waitable(channel, bridge);
    }

    /**
     * Lets a channel go: its waits complete with a {@link ClosedChannelException}, and the loop's
     * selector forgets it, so that it may be registered elsewhere, made blocking, or be closed with
     * its descriptor gone at once. The channel itself is left alone.
     *
     * <p><b>Threads:</b> any.
     *
     * @param channel the channel; one that was never waited for is let go already
     * @return completes when that is so; only the loop's thread may not wait for it
     * @throws ReactorClosedException if the host was closed
     */
    public CompletableFuture<Void> release(SelectableChannel channel) {
        Objects.requireNonNull(channel, "channel");
        return afterTurn(() -> channels.release(channel), () -> !channels.isHeld(channel));
    }

    /**
     * Runs something in the next turn. Completes in an iteration of the loop after that, once that
     * is so.
     */
    private CompletableFuture<Void> afterTurn(Runnable first, BooleanSupplier then) {
        CompletableFuture<Void> done = new CompletableFuture<>();
        bridge.reactor()
                .execute(
                        () -> {
                            try {
                                first.run();
                                turns.later(done, then);
                            } catch (Throwable failure) {
                                done.completeExceptionally(failure);
                            }
                        });
        return done;
    }

    // ---- the end ------------------------------------------------------------------------------

    /** Refuses on other threads, and once it is closed. */
    private void checkAlive() {
        bridge.mustTurn();
        if (turns.isEnded()) {
            // Which says so.
            bridge.reactor().stats();
        }
    }

    /** The loop begins to end, or the reactor failed: this is its thread. */
    private void endHere() {
        try {
            closeHere();
        } catch (RuntimeException failure) {
            LOG.log(System.Logger.Level.ERROR, "closing " + bridge + " failed", failure);
        }
    }

    private void closeHere() {
        try {
            bridge.close();
        } finally {
            if (bridge.reactor().whenClosed().isDone() && !turns.isEnded()) {
                // It cannot even be closed, and tells of no end.
                ended();
            }
        }
    }

    private void ended() {
        HOSTS.remove(loop, this);
        turns.end();
        whileLoopLives.cancel(false);
        if (descriptor != null) {
            descriptor.end();
        }
        channels.end();
        inboxes.end();
    }

    /**
     * Closes the host: its waits complete with a {@link ReactorClosedException}, its handlers leave
     * their pipelines, and channels stay as they are. The event loop lives on. A second call does
     * nothing.
     *
     * <p><b>Threads:</b> any. It returns when all that is over, except on the loop's thread in the
     * middle of a turn, which ends with it. An interrupt does not shorten it, and is kept.
     */
    @Override
    public void close() {
        if (loop.inEventLoop()) {
            closeHere();
        } else {
            // Of one that cannot end the loop has told why.
            close(Duration.ZERO).exceptionally(failure -> null).join();
        }
    }

    /**
     * Closes the host when the waits that it has are over, or after this time. From now on it takes
     * no new ones.
     *
     * <p><b>Threads:</b> any.
     *
     * @param grace how long at most, from now
     * @return completes when it is gone; the loop's thread may not wait for it
     */
    public CompletableFuture<Void> close(Duration grace) {
        return bridge.reactor().close(grace);
    }

    @Override
    public String toString() {
        return "netty host of " + bridge;
    }
}
