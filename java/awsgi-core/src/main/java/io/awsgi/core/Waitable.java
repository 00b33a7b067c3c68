package io.awsgi.core;

import java.nio.channels.Channel;
import java.nio.channels.ClosedChannelException;
import java.nio.charset.StandardCharsets;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Anything that can become ready: an event, a counter, a timer, a descriptor, or an object that
 * only the host can watch, such as a channel. Made by a {@link Reactor} or a {@link ReactorBridge},
 * and ended by {@link #close} or with its reactor, whichever is first.
 */
public final class Waitable implements AutoCloseable {
    /** What stands behind a waitable. */
    enum Kind {
        EVENT,
        COUNTER,
        TIMER,
        DESCRIPTOR,
        LEVEL,
        ONCE;

        boolean isForeign() {
            return this == LEVEL || this == ONCE;
        }

        /** Whether it is told what happens. */
        boolean isTold() {
            return this == EVENT || this == COUNTER || isForeign();
        }
    }

    final ReactorBridge bridge;
    final Kind kind;
    private final long token;
    private final @Nullable Object attachment;

    /** What the host was last told to watch it for. Of the owner's thread. */
    int told;

    /** Its place in the bridge's table of foreign objects. Of the owner's thread. */
    final int place;

    /** Once closed: where in the ring that lies. */
    long closedAt;

    private volatile boolean closed;

    /** Why it was closed, if that was said. Of the owner's thread. */
    private @Nullable Exception why;

    Waitable(ReactorBridge bridge, Kind kind, long token, int place, @Nullable Object attachment) {
        this.bridge = bridge;
        this.kind = kind;
        this.token = token;
        this.place = place;
        this.attachment = attachment;
    }

    /**
     * The host's own object, for one that the host watches.
     *
     * @return what was given to {@link ReactorBridge#level} or {@link ReactorBridge#once}, or the
     *     channel of a {@link SelectorHost}; null for what the library watches
     */
    public @Nullable Object attachment() {
        return attachment instanceof Watched watched ? watched.channel : attachment;
    }

    /** What the host watches. */
    @Nullable Object object() {
        return attachment;
    }

    /**
     * The reactor it belongs to.
     *
     * @return the reactor
     */
    public Reactor reactor() {
        return bridge.reactor();
    }

    /**
     * Its name in C, for native code in this process: what {@code awsgi_notify} of the library
     * takes that is loaded as {@link Awsgi#libraryPath}, from any thread.
     *
     * @return the token; it stays a name of nothing after the waitable is closed
     */
    public long token() {
        bridge.watchForNativeCode();
        return token;
    }

    long number() {
        return token;
    }

    /**
     * Whether it has not been closed, nor its reactor.
     *
     * @return whether it can be waited for
     */
    public boolean isOpen() {
        return !closed && bridge.isOpen();
    }

    /**
     * Sets an event, adds one to a counter, or reports what an object that the host watches is
     * ready for. It completes the waits that ask for it.
     *
     * <p><b>Threads:</b> any. Takes no lock, and wakes the reactor's host if that may sleep.
     *
     * @param ready what happened
     * @throws IllegalArgumentException if {@code ready} is empty
     * @throws ReactorClosedException if its reactor was closed. The host's own report of an object
     *     is passed over until the reactor is gone: the host learns of that by its turns
     * @throws AwsgiException {@link Status#STALE} if it was closed; {@link Status#INVALID} for what
     *     tells by itself: a descriptor, a timer; {@link Status#LIMIT} for a counter that was added
     *     to 33 million times since the reactor's last turn
     */
    public void signal(Readiness ready) {
        int bits = ready.bits();
        if (bits == 0) {
            throw new IllegalArgumentException(
                    "nothing is ready: give at least one bit, such as Readiness.READABLE");
        }
        if (kind.isForeign() && !closed && bridge.isOwner() && bridge.isAlive()) {
            // In the middle of its end, too, of which the host cannot know.
            bridge.report(token, bits);
            return;
        }
        checkOpen();
        if (!kind.isTold()) {
            throw AwsgiException.of(
                    Status.INVALID.number(),
                    0,
                    "a " + words() + " tells by itself when it is ready: use an event");
        }
        if (bridge.isOwner()) {
            bridge.report(token, bits);
            return;
        }
        int answer = Native.signal(token, bits);
        if (answer > 0) {
            bridge.wake();
        } else if (answer == 0) {
            bridge.wakeIfUnheard();
        } else {
            throw answer == Status.LIMIT.number()
                    ? AwsgiException.of(
                            answer, 0, "the counter is full: let the reactor turn, and call again")
                    : stale();
        }
    }

    /**
     * Takes what it holds, and clears it.
     *
     * <p><b>Threads:</b> the reactor's.
     *
     * @return of an event 1 if it was signalled since the last take, else 0; of a counter how
     *     often; of a timer how often it has expired
     * @throws AwsgiException {@link Status#STALE}; {@link Status#THREAD}; {@link
     *     Status#UNSUPPORTED} for what holds nothing
     */
    public long take() {
        checkOpen();
        return bridge.submit(Layout.TAKE, token, Clock.now());
    }

    /**
     * Names it, for people who look; see {@link #describe}.
     *
     * <p><b>Threads:</b> the reactor's.
     *
     * @param label the name; an empty one takes the old one away
     * @throws AwsgiException {@link Status#STALE}; {@link Status#THREAD}
     */
    public void label(String label) {
        checkOpen();
        bridge.submitText(Layout.LABEL, token, label.getBytes(StandardCharsets.UTF_8));
    }

    /**
     * What it is, its label, and what is waited for, in words for people who look.
     *
     * <p><b>Threads:</b> the reactor's.
     *
     * @return a sentence
     * @throws AwsgiException {@link Status#STALE}; {@link Status#THREAD}
     */
    public String describe() {
        checkOpen();
        bridge.submit(Layout.DESCRIBE, token);
        return new String(bridge.result(), StandardCharsets.UTF_8);
    }

    /**
     * Ends it. Its waits complete as {@link Outcome#CLOSED} in the reactor's next turn; what stands
     * behind an object of the host's is left alone. A second call does nothing.
     *
     * <p><b>Threads:</b> any.
     */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        bridge.onOwner(this::closeHere);
    }

    /**
     * The same for a host that knows why.
     *
     * <p><b>Threads:</b> any.
     *
     * @param why what its futures complete with, and {@link Reactor#awaitReady} throws
     */
    public void close(Exception why) {
        Objects.requireNonNull(why, "why");
        if (closed) {
            return;
        }
        bridge.onOwner(
                () -> {
                    if (!closed) {
                        this.why = why;
                        closeHere();
                    }
                });
    }

    private void closeHere() {
        if (!closed) {
            closed = true;
            bridge.closeWaitable(this);
        }
    }

    void checkOpen() {
        bridge.checkOpen();
        if (closed) {
            throw stale();
        }
    }

    private AwsgiException stale() {
        // Its reactor may have been closed since it was asked, and have closed it.
        bridge.checkOpen();
        return AwsgiException.of(Status.STALE.number(), 0, "the waitable was closed: make another");
    }

    /** Why the waits on it ended when it was closed. */
    Exception closing() {
        if (!bridge.isOpen()) {
            return bridge.closedException();
        }
        if (why != null) {
            return why;
        }
        if (attachment() instanceof Channel) {
            return new ClosedChannelException();
        }
        return AwsgiException.of(
                Status.STALE.number(), 0, "what was waited for was closed meanwhile");
    }

    private String words() {
        return switch (kind) {
            case EVENT -> "event";
            case COUNTER -> "counter";
            case TIMER -> "timer";
            case DESCRIPTOR -> "descriptor";
            case LEVEL, ONCE -> "object of the host's";
        };
    }

    @Override
    public String toString() {
        return words() + (attachment == null ? "" : " " + attachment) + (closed ? ", closed" : "");
    }
}
