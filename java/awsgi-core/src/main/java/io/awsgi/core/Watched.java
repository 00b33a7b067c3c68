package io.awsgi.core;

import java.nio.channels.IllegalBlockingModeException;
import java.nio.channels.NotYetConnectedException;
import java.nio.channels.SelectableChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.SocketChannel;
import org.jspecify.annotations.Nullable;

/**
 * A channel that a {@link SelectorHost} watches: the attachment of its key, and the object of its
 * waitable. Of the host's thread.
 */
final class Watched {
    final SelectableChannel channel;
    final SelectionKey key;
    @Nullable Waitable waitable;

    /** The waitable's, while there is one: so that a report need not look at it. */
    long number;

    /** What the reactor wants it watched for, in bits of {@link Readiness}. */
    int interest;

    /** What the selector watches it for: the key's own answer is a volatile read away. */
    private int ops;

    /** It was told that there is a connection to finish, and has not been looked at since. */
    private boolean connects;

    Watched(SelectableChannel channel, java.nio.channels.Selector selector)
            throws java.io.IOException {
        this.channel = channel;
        this.key = channel.register(selector, 0, this);
    }

    /**
     * Has the selector watch for what the interest means now. A connection that is pending is
     * watched for OP_CONNECT: OP_WRITE on it, or OP_CONNECT on one that is established, makes
     * {@code select} return at once, with nothing, for ever; and so does OP_READ alone on one that
     * nobody finishes, once there is something to read.
     *
     * @throws java.nio.channels.CancelledKeyException if the channel was closed, or its key
     *     cancelled
     */
    void apply() {
        int wanted = ops(channel, interest);
        if (wanted != ops) {
            key.interestOps(wanted);
            ops = wanted;
        }
    }

    /** What a selector found it ready for, in bits of {@link Readiness}. */
    int ready(int readyOps) {
        int bits = 0;
        if ((readyOps & (SelectionKey.OP_READ | SelectionKey.OP_ACCEPT)) != 0) {
            bits |= 1;
        }
        if ((readyOps & SelectionKey.OP_WRITE) != 0) {
            bits |= 2;
        }
        if ((readyOps & SelectionKey.OP_CONNECT) != 0) {
            bits |= (interest & 2) != 0 ? 2 : 1;
            // Before finishConnect is called, or it would be reported in each round; the next arm
            // looks again.
            ops &= ~SelectionKey.OP_CONNECT;
            key.interestOps(ops);
            connects = true;
        }
        return bits;
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
        ops = 0;
        key.interestOps(0);
        return true;
    }

    boolean isConnecting() {
        return channel instanceof SocketChannel socket && socket.isConnectionPending();
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
        if ((interest & 1) != 0) {
            ops |= SelectionKey.OP_READ | SelectionKey.OP_ACCEPT;
        }
        if ((interest & 2) != 0) {
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
