package io.awsgi.netty;

import io.awsgi.core.AwsgiException;
import io.awsgi.core.ReactorBridge;
import io.awsgi.core.Status;
import io.awsgi.core.Waitable;
import io.netty.channel.EventLoop;
import io.netty.channel.IoEventLoop;
import io.netty.channel.IoRegistration;
import io.netty.util.concurrent.Future;
import java.io.IOException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SelectableChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.util.Arrays;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The channels of {@code java.nio} that an event loop watches for a reactor. Of the loop's thread.
 */
final class NioChannels {
    /** At most so many are looked at before a turn, which takes less than a microsecond. */
    private static final int LOOKED_AT = 256;

    // In milliseconds, between two looks at connections that somebody else may finish.
    private static final int IMPATIENT = 1;
    private static final int PATIENT = 64;

    private final @Nullable IoEventLoop loop;
    private final IdentityHashMap<SelectableChannel, Watched> byChannel = new IdentityHashMap<>();

    /** The same ones, below {@code count}. */
    private @Nullable Watched[] all = new @Nullable Watched[16];

    private int count;

    /** Where to look on for those that were closed. */
    private int cursor;

    /**
     * Those that were reported since the last turn: whoever closes one mostly does it in its
     * completion.
     */
    private @Nullable Watched[] reported = new @Nullable Watched[64];

    private int reportedCount;

    /** Connections that somebody else may finish, unseen. */
    private final Set<Watched> unfinished = new HashSet<>();

    /** In milliseconds, when to look at them again. */
    private int patience;

    /** That is scheduled. */
    private boolean looking;

    /** The loop's, once a channel was registered. */
    private @Nullable Selector selector;

    private final Runnable loopEnds;

    NioChannels(EventLoop loop, Runnable loopEnds) {
        this.loopEnds = loopEnds;
        this.loop = loop instanceof IoEventLoop io && io.isCompatible(Watched.class) ? io : null;
    }

    /** Refuses if the loop cannot watch such channels. */
    IoEventLoop loop() {
        IoEventLoop found = loop;
        if (found == null) {
            throw new AwsgiException(
                    Status.UNSUPPORTED,
                    "this event loop has no selector for channels of java.nio: use one with a NioIoHandler, or a Channel of"
                            + " Netty's on this one");
        }
        return found;
    }

    Waitable waitable(SelectableChannel channel, ReactorBridge bridge) throws IOException {
        Watched watched = byChannel.get(channel);
        if (watched != null && !watched.isValid()) {
            lose(watched);
            watched = null;
        }
        if (watched == null) {
            watched = register(channel);
        }
        Waitable waitable = watched.waitable;
        if (waitable == null || !waitable.isOpen()) {
            try {
                waitable = bridge.level(channel);
            } catch (RuntimeException refused) {
                if (watched.waitable == null) {
                    drop(watched);
                }
                throw refused;
            }
            // Nothing is asked of the new one yet.
            watched.waitable = waitable;
            watched.watch(0);
        }
        return waitable;
    }

    private Watched register(SelectableChannel channel) throws IOException {
        if (!channel.isOpen()) {
            throw new ClosedChannelException();
        }
        Watched.checkWatchable(channel);
        if (channel.isRegistered() && !isLetGo(channel)) {
            throw new IllegalStateException(
                    channel
                            + " is registered elsewhere, as the channels of Netty's Channels are, and would be stolen from there:"
                            + " wait for the Channel, or let that selector go of it first");
        }
        Watched watched = new Watched(this, channel);
        Future<IoRegistration> registering = loop().register(watched);
        IoRegistration registration = registering.getNow();
        if (registration == null) {
            Throwable cause = registering.cause();
            if (cause instanceof IOException io) {
                throw io;
            }
            if (cause instanceof RuntimeException runtime) {
                throw runtime;
            }
            throw new IOException("the event loop did not register " + channel, cause);
        }
        watched.registration = registration;
        selector = registration.<SelectionKey>attachment().selector();
        byChannel.put(channel, watched);
        if (count == all.length) {
            all = Arrays.copyOf(all, count * 2);
        }
        watched.place = count;
        all[count++] = watched;
        return watched;
    }

    /** Whether it is registered only until the loop's selector looks again. */
    private boolean isLetGo(SelectableChannel channel) {
        Selector known = selector;
        SelectionKey key = known == null ? null : channel.keyFor(known);
        return key != null && !key.isValid();
    }

    void watch(SelectableChannel channel, Waitable waitable, int interest) {
        Watched watched = byChannel.get(channel);
        if (watched != null && watched.waitable == waitable) {
            watched.watch(interest);
        }
    }

    void reported(Watched watched) {
        if (reportedCount == reported.length) {
            reported = Arrays.copyOf(reported, reportedCount * 2);
        }
        reported[reportedCount++] = watched;
    }

    /**
     * Whoever closes a channel takes its key away, and tells nobody. Before a turn, which then
     * completes the waits.
     */
    void lookForClosed() {
        for (int left = Math.min(count, LOOKED_AT); left > 0; left--) {
            if (cursor >= count) {
                cursor = 0;
            }
            Watched watched = all[cursor];
            if (watched == null || watched.isValid()) {
                cursor++;
            } else {
                // Another takes its place.
                lose(watched);
            }
        }
    }

    /** After the turn that told of them. */
    void forgetReported() {
        for (int at = 0; at < reportedCount; at++) {
            Watched watched = reported[at];
            reported[at] = null;
            if (watched == null) {
                continue;
            }
            if (!watched.isValid()) {
                lose(watched);
            } else if (watched.leftUnfinished()) {
                unfinished.add(watched);
                patience = IMPATIENT;
                lookLater();
            }
        }
        reportedCount = 0;
    }

    /** Who finishes a connection tells nobody. */
    private void lookForFinished() {
        looking = false;
        for (Watched watched : List.copyOf(unfinished)) {
            if (!watched.isValid() || !watched.isConnecting()) {
                unfinished.remove(watched);
                watched.watchOn();
            }
        }
        patience = Math.min(patience * 2, PATIENT);
        lookLater();
    }

    @SuppressWarnings("FutureReturnValueIgnored") // It answers nothing, and does not throw.
    private void lookLater() {
        if (looking || unfinished.isEmpty()) {
            return;
        }
        try {
            loop().schedule(this::lookForFinished, patience, TimeUnit.MILLISECONDS);
            looking = true;
        } catch (RejectedExecutionException ending) {
            // The loop is at its end.
        }
    }

    /** The loop closes what it watches: a channel that is closed, or all of them, at its end. */
    void closedByLoop(Watched watched) {
        if (loop().isShuttingDown()) {
            loopEnds.run();
        } else {
            lose(watched);
        }
    }

    /** A channel is closed, or let go: its waits end. */
    void lose(Watched watched) {
        Waitable waitable = watched.waitable;
        drop(watched);
        if (waitable != null) {
            waitable.close();
        }
    }

    private void drop(Watched watched) {
        if (byChannel.get(watched.channel) != watched) {
            return;
        }
        byChannel.remove(watched.channel);
        watched.waitable = null;
        Watched last = all[--count];
        all[count] = null;
        if (last != null && last != watched) {
            all[watched.place] = last;
            last.place = watched.place;
        }
        IoRegistration registration = watched.registration;
        if (registration != null) {
            registration.cancel();
        }
    }

    /** Lets a channel go. Answers whether it was held. */
    boolean release(SelectableChannel channel) {
        Watched watched = byChannel.get(channel);
        if (watched == null) {
            return false;
        }
        lose(watched);
        return true;
    }

    /** Whether the loop's selector still holds a channel that was let go. */
    boolean isHeld(SelectableChannel channel) {
        Selector known = selector;
        return known != null && known.isOpen() && channel.keyFor(known) != null;
    }

    /** The reactor is gone. */
    void end() {
        unfinished.clear();
        while (count > 0) {
            Watched last = all[count - 1];
            if (last == null) {
                count--;
            } else {
                drop(last);
            }
        }
    }
}
