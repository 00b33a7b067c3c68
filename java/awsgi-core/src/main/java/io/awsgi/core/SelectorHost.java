package io.awsgi.core;

import java.io.IOException;
import java.nio.channels.CancelledKeyException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.IllegalBlockingModeException;
import java.nio.channels.NotYetConnectedException;
import java.nio.channels.SelectableChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A reactor whose loop is a {@link Selector}: it waits for channels. Any thread may.
 *
 * <pre>{@code
 * try (SelectorHost host = SelectorHost.start(ReactorOptions.DEFAULT)) {
 *     Readiness ready = host.awaitReady(channel, Readiness.READABLE, Duration.ofSeconds(5));
 *     if (!ready.isTimedOut()) {
 *         channel.read(buffer);
 *     }
 * }
 * }</pre>
 *
 * <p>A channel has to be non-blocking, and a {@link SocketChannel} connected or connecting; its
 * mode is never changed here. It is registered at its first wait, and stays so until it is closed
 * or {@linkplain #release released}. {@link Readiness#READABLE} is a connection to accept or
 * something to read, the end included; {@link Readiness#WRITABLE} is a connection to finish or room
 * to write. Who waits for a connection that is not finished only to read is told READABLE when it
 * is there to finish. Who is told finishes it, best in that completion: if it is done later or
 * elsewhere, others who wait to read may hear of what arrives up to 64 milliseconds after that. A
 * {@code Selector} cannot see {@link Readiness#PRIORITY}, nor a peer that is gone while nobody asks
 * for reading or writing: {@link Readiness#READ_CLOSED} and {@link Readiness#HANGUP} are refused
 * alone.
 *
 * <p>A channel that is closed completes its waits with a {@link ClosedChannelException} in the next
 * turn. One that another thread closes while the loop sleeps does not wake it: {@link #release}
 * does.
 */
public final class SelectorHost implements AutoCloseable {
    private static final int CHANNELS = 1 | 2;

    // In nanoseconds, between two looks at connections that somebody else may finish.
    private static final long IMPATIENT = 1_000_000;
    private static final long PATIENT = 64_000_000;

    private static final System.Logger LOG = System.getLogger("io.awsgi");

    private final Selector selector;
    private final ReactorBridge bridge;
    private final Consumer<SelectionKey> report = this::report;

    /**
     * Its thread turns it, whatever happens; who has made it in his own may never turn it again.
     */
    private final boolean turnsItself;

    /** How many channels are registered: fewer keys tell that one was closed. */
    private int registered;

    /**
     * Those that were reported in this round, below {@code reportedCount}: whoever closes one
     * mostly does it then.
     */
    private @Nullable Watched[] reported = new @Nullable Watched[64];

    private int reportedCount;

    /** Connections that somebody else may finish, unseen. */
    private final Set<Watched> unfinished = new HashSet<>();

    /** For how long the loop sleeps at most before it looks at them again. */
    private long patience;

    /** Who let a channel go that the selector has not forgotten yet. */
    private List<CompletableFuture<Void>> releasing = new ArrayList<>();

    private SelectorHost(ReactorOptions options, boolean turnsItself) throws IOException {
        this.turnsItself = turnsItself;
        Awsgi.ensureAvailable();
        Threads.checkPlatform();
        selector = Selector.open();
        try {
            bridge = ReactorBridge.open(new Watching(), options);
        } catch (Throwable failure) {
            selector.close();
            throw failure;
        }
    }

    /**
     * Makes a host in the calling thread, whose loop calls {@link #turn}.
     *
     * @param options what its reactor is to be
     * @return the host, to be {@linkplain #close closed}
     * @throws IOException if no selector can be opened
     * @throws AwsgiLinkageError if there is no native library
     * @throws IllegalStateException on a virtual thread
     * @throws AwsgiException as {@link ReactorBridge#open}
     */
    public static SelectorHost open(ReactorOptions options) throws IOException {
        return new SelectorHost(options, false);
    }

    /**
     * Starts a host in a daemon thread of its own, made by the options' factory and named as they
     * say.
     *
     * @param options what its reactor is to be
     * @return the host, to be {@linkplain #close closed}
     * @throws IOException if no selector can be opened
     * @throws AwsgiLinkageError if there is no native library
     * @throws AwsgiException as {@link ReactorBridge#open}
     */
    public static SelectorHost start(ReactorOptions options) throws IOException {
        Awsgi.ensureAvailable();
        CompletableFuture<SelectorHost> started = new CompletableFuture<>();
        options.thread(() -> run(options, started), options.name).start();
        try {
            return started.join();
        } catch (java.util.concurrent.CompletionException failure) {
            Throwable cause = failure.getCause();
            cause.addSuppressed(new Throwable("the host was started here"));
            if (cause instanceof IOException io) {
                throw io;
            }
            if (cause instanceof RuntimeException runtime) {
                throw runtime;
            }
            if (cause instanceof Error error) {
                throw error;
            }
            throw failure;
        }
    }

    private static void run(ReactorOptions options, CompletableFuture<SelectorHost> started) {
        SelectorHost host;
        try {
            host = new SelectorHost(options, true);
        } catch (Throwable failure) {
            started.completeExceptionally(failure);
            return;
        }
        started.complete(host);
        boolean lives = true;
        while (lives) {
            // An interrupt is nobody's way to say anything here, and would keep the selector from
            // sleeping.
            Thread.interrupted();
            try {
                lives = host.turn(null);
            } catch (Throwable failure) {
                try {
                    LOG.log(
                            System.Logger.Level.ERROR,
                            "reactor " + options.name + " ends: its loop failed",
                            failure);
                } finally {
                    host.end();
                }
                return;
            }
        }
    }

    /** Without the selector, which may be what failed. */
    private void end() {
        try {
            bridge.close();
        } catch (Throwable failure) {
            LOG.log(System.Logger.Level.ERROR, "closing " + bridge + " failed", failure);
        }
    }

    /**
     * The host's reactor, for everything that is no channel.
     *
     * @return the reactor
     */
    public Reactor reactor() {
        return bridge.reactor();
    }

    // ---- waiting ------------------------------------------------------------------------------

    /**
     * Waits for a channel. Whatever completes the future ends the wait: cancelling it, {@code
     * orTimeout}, {@code complete}. Any number of waits may ask for one channel.
     *
     * <p><b>Threads:</b> any. If it is not the host's, what the channel is ready for is taken to be
     * dealt with elsewhere, too: it is watched no longer than the wait lasts, which costs up to two
     * system calls; on the host's thread waits that follow one another cost none.
     *
     * @param channel the channel
     * @param interest {@link Readiness#READABLE}, {@link Readiness#WRITABLE} or both
     * @param timeout how long at most, from now; null: for ever
     * @return what it is ready for, or {@link Readiness#TIMED_OUT}. Exceptionally: {@link
     *     ClosedChannelException} if it is closed; {@link ReactorClosedException}; {@link
     *     ReactorPanicException}
     * @throws IllegalBlockingModeException if the channel is blocking: {@code
     *     configureBlocking(false)} first
     * @throws NotYetConnectedException if it is neither connected nor connecting: call {@code
     *     connect} first
     * @throws IllegalArgumentException if it can never be ready for this
     * @throws AwsgiException {@link Status#UNSUPPORTED} for what a selector cannot see
     * @throws ReactorClosedException if the host was closed
     */
    public CompletableFuture<Readiness> whenReady(
            SelectableChannel channel, Readiness interest, @Nullable Duration timeout) {
        check(channel, interest);
        return bridge.reactor().whenReady(() -> waitable(channel), interest, timeout);
    }

    /**
     * Waits for a channel, blocking the calling thread, which may be a virtual one: it parks in
     * Java, and pins nothing. An interrupt ends the wait at once, and leaves the channel open.
     *
     * <p><b>Threads:</b> any but the host's.
     *
     * @param channel the channel
     * @param interest {@link Readiness#READABLE}, {@link Readiness#WRITABLE} or both
     * @param timeout how long at most, from now; null: for ever
     * @return what it is ready for, or {@link Readiness#TIMED_OUT}
     * @throws IOException {@link ClosedChannelException} if it is closed
     * @throws InterruptedException if the thread was interrupted before, or is while it waits
     * @throws IllegalStateException on the host's thread, which would wait for itself; and as
     *     {@link #whenReady}
     */
    public Readiness awaitReady(
            SelectableChannel channel, Readiness interest, @Nullable Duration timeout)
            throws IOException, InterruptedException {
        check(channel, interest);
        return bridge.reactor().awaitReady(() -> waitable(channel), interest, timeout);
    }

    private static void check(SelectableChannel channel, Readiness interest) {
        int bits = interest.bits();
        if ((bits & CHANNELS) == 0 || interest.intersects(Readiness.PRIORITY)) {
            Reactor.checkInterest(interest);
            throw AwsgiException.of(
                    Status.UNSUPPORTED.number(),
                    0,
                    "a selector sees READABLE and WRITABLE, and nothing of "
                            + interest
                            + " alone: ask for READABLE, which the end of the stream is, too");
        }
        if (!channel.isOpen()) {
            return;
        }
        Watched.checkWatchable(channel);
        if (Watched.ops(channel, bits) == 0) {
            throw new IllegalArgumentException(
                    channel + " will never be " + interest + ": ask for what the channel can do");
        }
    }

    /**
     * The waitable of a channel, for {@link Reactor#start} and sets; the same one until the channel
     * is closed or released.
     *
     * <p><b>Threads:</b> the host's.
     *
     * @param channel the channel
     * @return its waitable, whose attachment is the channel
     * @throws ClosedChannelException if it is closed
     * @throws IOException if it cannot be registered
     * @throws IllegalBlockingModeException if the channel is blocking
     * @throws NotYetConnectedException if it is neither connected nor connecting
     * @throws AwsgiException {@link Status#THREAD}; {@link Status#LIMIT}; {@link Status#CLOSED}
     */
    public Waitable waitable(SelectableChannel channel) throws IOException {
        bridge.checkTakesWaits();
        SelectionKey key = channel.keyFor(selector);
        if (key != null && !key.isValid()) {
            // A key that was cancelled stands in the way of another until the selector has seen it.
            selectNow();
            key = null;
        }
        Watched watched;
        if (key == null) {
            Watched.checkWatchable(channel);
            watched = new Watched(channel, selector);
            registered++;
        } else {
            watched = (Watched) key.attachment();
        }
        Waitable waitable = watched.waitable;
        if (waitable == null || !waitable.isOpen()) {
            waitable = bridge.level(watched);
            watched.waitable = waitable;
            watched.number = waitable.number();
            // What it was watched for ends with the one before, which may not have been said yet.
            watched.interest = 0;
            try {
                watched.apply();
            } catch (CancelledKeyException closed) {
                lose(watched);
                throw new ClosedChannelException();
            }
        }
        return waitable;
    }

    /**
     * Lets a channel go: its waits complete with a {@link ClosedChannelException}, and the selector
     * forgets it, so that it may be registered elsewhere, made blocking, or be closed with its
     * descriptor gone at once. The channel itself is left alone.
     *
     * <p><b>Threads:</b> any.
     *
     * @param channel the channel; one that was never waited for is let go already
     * @return completes when that is so
     * @throws ReactorClosedException if the host was closed
     */
    public CompletableFuture<Void> release(SelectableChannel channel) {
        Objects.requireNonNull(channel, "channel");
        CompletableFuture<Void> released = new CompletableFuture<>();
        bridge.reactor()
                .execute(
                        () -> {
                            try {
                                SelectionKey key = channel.keyFor(selector);
                                if (key != null && key.attachment() instanceof Watched watched) {
                                    lose(watched);
                                    key.cancel();
                                }
                                // Its waits complete in this turn.
                                releasing.add(released);
                            } catch (Throwable failure) {
                                released.completeExceptionally(failure);
                            }
                        });
        return released;
    }

    // ---- the loop -----------------------------------------------------------------------------

    /**
     * One round of the loop, for who has a loop of his own: sleeps until a channel is ready,
     * something is due, or another thread wakes it; then does what there is to do.
     *
     * <p><b>Threads:</b> the host's, and only for one made with {@link #open}.
     *
     * @param atMost how long to sleep at most; null: as long as there is nothing to do
     * @return whether the host lives; false once it is closed
     * @throws IOException if the selector fails
     * @throws ReactorPanicException if a bug of the library was caught; the waits complete with it,
     *     and the host ends
     * @throws AwsgiException {@link Status#THREAD}; {@link Status#REENTRANT} inside a turn; {@link
     *     Status#OS}
     */
    public boolean turn(@Nullable Duration atMost) throws IOException {
        long nanos = bridge.timeoutNanos();
        if (!bridge.isAlive()) {
            return false;
        }
        // Not after it has slept, which nobody could end.
        bridge.checkNotTurning();
        if (atMost != null) {
            nanos = Math.min(nanos, atMost.isNegative() ? 0 : Clock.nanos(atMost));
        }
        reportedCount = 0;
        if (!unfinished.isEmpty()) {
            lookForFinished();
            nanos = Math.min(nanos, patience);
        }
        if (nanos == 0) {
            selector.selectNow(report);
        } else if (nanos == Long.MAX_VALUE) {
            selector.select(report, 0);
        } else {
            // Whole milliseconds, and never early. 0 would be for ever.
            selector.select(report, (nanos - 1) / 1_000_000 + 1);
        }
        lookForClosed();
        boolean lives = turnBridge();
        if (lives && bridge.mustTurn()) {
            // What completed has asked for something before the selector sleeps.
            lives = turnBridge();
        }
        return lives;
    }

    /** Turns, and looks after what was reported before and meanwhile. */
    private boolean turnBridge() throws IOException {
        boolean lives = bridge.turn();
        if (!releasing.isEmpty()) {
            // One look for all of them. Who waits for it is told in a turn.
            selectNow();
            List<CompletableFuture<Void>> released = releasing;
            releasing = new ArrayList<>();
            bridge.enqueue(() -> released.forEach(each -> each.complete(null)));
        }
        for (int at = 0; at < reportedCount; at++) {
            Watched watched = reported[at];
            reported[at] = null;
            if (watched != null) {
                lookAfter(watched);
            }
        }
        reportedCount = 0;
        return lives;
    }

    /** Beside the loop's own: nothing that was ready is lost by it. */
    private void selectNow() throws IOException {
        selector.selectNow(report);
        // It has taken a wake-up that was for the next select, and there is only one in a turn.
        if (bridge.isWoken()) {
            selector.wakeup();
        }
        lookForClosed();
    }

    /**
     * A key was selected: writes a record, and nothing else, since the selector is in the middle of
     * it.
     */
    private void report(SelectionKey key) {
        Watched watched = (Watched) key.attachment();
        if (watched.waitable == null) {
            return;
        }
        try {
            int ready = watched.ready(key.readyOps());
            if (ready != 0) {
                bridge.report(watched.number, ready);
            }
        } catch (CancelledKeyException closed) {
            // It is found below.
        }
        if (reportedCount == reported.length) {
            reported = Arrays.copyOf(reported, reportedCount * 2);
        }
        reported[reportedCount++] = watched;
    }

    /** One that was reported in this round. */
    private void lookAfter(Watched watched) {
        try {
            if (!watched.key.isValid()) {
                lose(watched);
            } else if (watched.leftUnfinished()) {
                unfinished.add(watched);
                patience = IMPATIENT;
            }
        } catch (CancelledKeyException closed) {
            lose(watched);
        }
    }

    /** Who finishes a connection tells nobody. */
    private void lookForFinished() {
        patience = Math.min(patience * 2, PATIENT);
        unfinished.removeIf(
                watched -> {
                    try {
                        if (watched.key.isValid() && watched.isConnecting()) {
                            return false;
                        }
                        watched.apply();
                    } catch (CancelledKeyException closed) {
                        // It is found below.
                    }
                    return true;
                });
    }

    /** Who closes a channel takes its key away, and tells nobody. */
    private void lookForClosed() {
        if (selector.keys().size() >= registered) {
            return;
        }
        // Those that are left tell by whom they are not.
        bridge.forEachForeign(
                waitable -> {
                    if (waitable.object() instanceof Watched watched && !watched.key.isValid()) {
                        lose(watched);
                    }
                });
        registered = selector.keys().size();
    }

    /** A channel is closed, or let go: its waits end. */
    private void lose(Watched watched) {
        Waitable waitable = watched.waitable;
        if (waitable != null) {
            watched.waitable = null;
            registered--;
            waitable.close();
        }
    }

    /**
     * Closes the host: its waits complete with a {@link ReactorClosedException}, and its selector
     * is closed; channels stay as they are. A second call does nothing.
     *
     * <p><b>Threads:</b> any. It returns when all that is over, which an interrupt neither shortens
     * nor is lost in, but for two cases, in which the loop does it with its next turns: in the
     * middle of a turn of the host's, and on another thread for a host that was made with {@link
     * #open}. In a shutdown hook, {@link #close(Duration)} does not wait for a loop whose thread
     * may be the one that called {@link System#exit}, and never turns again.
     */
    @Override
    public void close() {
        bridge.shutdown(0);
        if (!bridge.isOwner()) {
            if (turnsItself) {
                // Of one that cannot end the loop has told why.
                bridge.whenClosed().exceptionally(failure -> null).join();
            }
        } else if (!bridge.isTurning()) {
            bridge.close();
        }
    }

    /**
     * Closes the host when the waits that it has are over, or after this time. From now on it takes
     * no new ones.
     *
     * <p><b>Threads:</b> any.
     *
     * @param grace how long at most, from now
     * @return completes when it is gone; the host's thread may not wait for it
     */
    public CompletableFuture<Void> close(Duration grace) {
        return bridge.reactor().close(grace);
    }

    @Override
    public String toString() {
        return "selector host of " + bridge;
    }

    /** What the reactor asks for. */
    private final class Watching implements ReactorBridge.Host {
        @Override
        public void wakeup() {
            selector.wakeup();
        }

        @Override
        public void watch(Waitable waitable, Readiness interest) {
            if (waitable.object() instanceof Watched watched && watched.waitable == waitable) {
                watched.interest = interest.bits();
                apply(watched);
            }
        }

        @Override
        public void armed(Waitable waitable, Readiness interest) {
            if (waitable.object() instanceof Watched watched) {
                apply(watched);
            }
        }

        @Override
        public void closed() {
            try {
                selector.close();
            } catch (IOException failure) {
                LOG.log(System.Logger.Level.WARNING, "closing the selector of " + bridge, failure);
            }
            releasing.forEach(released -> released.complete(null));
            releasing.clear();
        }

        private void apply(Watched watched) {
            try {
                watched.apply();
            } catch (CancelledKeyException closed) {
                lose(watched);
            }
        }
    }
}
