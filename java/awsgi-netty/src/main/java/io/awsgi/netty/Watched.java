package io.awsgi.netty;

import io.awsgi.core.Readiness;
import io.awsgi.core.Waitable;
import io.netty.channel.IoRegistration;
import io.netty.channel.nio.NioIoOps;
import io.netty.channel.nio.NioSelectableChannelIoHandle;
import java.nio.channels.CancelledKeyException;
import java.nio.channels.IllegalBlockingModeException;
import java.nio.channels.NotYetConnectedException;
import java.nio.channels.SelectableChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.SocketChannel;
import org.jspecify.annotations.Nullable;

/** A channel of {@code java.nio} that an event loop watches for a reactor. Of the loop's thread. */
final class Watched extends NioSelectableChannelIoHandle<SelectableChannel> {
    final SelectableChannel channel;
    private final NioChannels channels;

    @Nullable Waitable waitable;

    /** Null until the loop has registered it. */
    @Nullable IoRegistration registration;

    /** Its place among the others. */
    int place;

    /** What the reactor wants it watched for, in bits of {@link Readiness}. */
    private int interest;

    /** What the loop watches it for. */
    private int ops;

    /** It was told that there is a connection to finish, and has not been looked at since. */
    private boolean connects;

    Watched(NioChannels channels, SelectableChannel channel) {
        super(channel);
        this.channels = channels;
        this.channel = channel;
    }

    /** Whether it is registered, and neither closed nor let go. */
    boolean isValid() {
        IoRegistration registered = registration;
        return registered != null && registered.isValid();
    }

    /**
     * Has the loop watch for what an interest means now, in bits of {@link Readiness}. A connection
     * that is pending is watched for OP_CONNECT: OP_WRITE on it, or OP_CONNECT on one that is
     * established, makes {@code select} return at once, with nothing, for ever; and so does OP_READ
     * alone on one that nobody finishes, once there is something to read.
     */
    void watch(int interest) {
        this.interest = interest;
        set(ops(channel, interest));
    }

    /** The same as before, if that now means something else. */
    void watchOn() {
        watch(interest);
    }

    /**
     * Whether it was left with a connection to finish while somebody waits to read. What the peer
     * sends would make {@code select} return at once, with nothing, until it is finished: so it is
     * not watched until then, of which nobody tells.
     */
    boolean leftUnfinished() {
        if (!connects) {
            return false;
        }
        connects = false;
        if (ops == 0 || (ops & SelectionKey.OP_CONNECT) != 0 || !isConnecting()) {
            return false;
        }
        set(0);
        return true;
    }

    boolean isConnecting() {
        return channel instanceof SocketChannel socket && socket.isConnectionPending();
    }

    private void set(int wanted) {
        IoRegistration registered = registration;
        if (wanted == ops || registered == null) {
            return;
        }
        ops = wanted;
        try {
            if (registered.submit(wanted == 0 ? NioIoOps.NONE : NioIoOps.valueOf(wanted)) >= 0) {
                return;
            }
        } catch (CancelledKeyException closed) {
            // As what is not valid any more.
        }
        channels.lose(this);
    }

    /**
     * The loop found it ready: writes a record, and nothing else. What this threw would stop the
     * loop for a second.
     */
    @Override
    protected void handle(SelectableChannel channel, SelectionKey key) {
        channels.reported(this);
        Waitable open = waitable;
        if (open == null) {
            return;
        }
        try {
            int ready = key.readyOps();
            int bits = 0;
            if ((ready & (SelectionKey.OP_READ | SelectionKey.OP_ACCEPT)) != 0) {
                bits |= Bits.READABLE;
            }
            if ((ready & SelectionKey.OP_WRITE) != 0) {
                bits |= Bits.WRITABLE;
            }
            if ((ready & SelectionKey.OP_CONNECT) != 0) {
                bits |= (interest & Bits.WRITABLE) != 0 ? Bits.WRITABLE : Bits.READABLE;
                // Before finishConnect is called, or it would be reported in each round; the next
                // arm looks again.
                set(ops & ~SelectionKey.OP_CONNECT);
                connects = true;
            }
            if (bits != 0) {
                open.signal(Readiness.of(bits));
            }
        } catch (CancelledKeyException closed) {
            // It is found before the next turn.
        } catch (IllegalStateException ending) {
            // The waitable, or the reactor, is closed.
        }
    }

    /** The loop found its key cancelled, or ends. The channel is not the loop's to close. */
    @Override
    public void close() {
        channels.closedByLoop(this);
    }

    /**
     * Refuses an open channel that is blocking, and a socket that has nothing to tell: a selector
     * would be busy with it for ever.
     */
    static void checkWatchable(SelectableChannel channel) {
        if (channel.isBlocking() && channel.isOpen()) {
            throw new IllegalBlockingModeException();
        }
        if (channel instanceof SocketChannel socket
                && !socket.isConnected()
                && !socket.isConnectionPending()
                && socket.isOpen()) {
            throw new NotYetConnectedException();
        }
    }

    /** The operations of a channel that mean an interest. */
    static int ops(SelectableChannel channel, int interest) {
        int ops = 0;
        if ((interest & Bits.READABLE) != 0) {
            ops |= SelectionKey.OP_READ | SelectionKey.OP_ACCEPT;
        }
        if ((interest & Bits.WRITABLE) != 0) {
            ops |= SelectionKey.OP_WRITE;
        }
        if (interest != 0
                && channel instanceof SocketChannel socket
                && socket.isConnectionPending()) {
            ops = (ops & ~SelectionKey.OP_WRITE) | SelectionKey.OP_CONNECT;
        }
        return ops & channel.validOps();
    }

    @Override
    public String toString() {
        return channel.toString();
    }
}
