package io.awsgi.netty;

import io.awsgi.core.Readiness;
import io.awsgi.core.Waitable;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.util.ReferenceCountUtil;
import java.nio.channels.ClosedChannelException;
import java.util.ArrayDeque;
import java.util.Queue;
import org.jspecify.annotations.Nullable;

/**
 * The last handler of a channel that a reactor waits for: it keeps what arrives until the
 * application takes it, and has the channel read only when somebody waits for more. Of the loop's
 * thread.
 */
final class Inbox extends ChannelInboundHandlerAdapter {
    final Channel channel;
    private final Inboxes inboxes;
    private final Queue<Object> messages = new ArrayDeque<>();

    @Nullable Waitable waitable;
    private @Nullable ChannelHandlerContext context;

    /** What the reactor wants to be told, once, in bits of {@link Readiness}. */
    private int watching;

    private boolean readClosed;
    private boolean hungUp;

    /** No reactor waits for it any more. */
    private boolean gone;

    /** It was deregistered, and leaves the pipeline once it is registered again. */
    private boolean moving;

    private @Nullable Throwable failure;

    /** Whether the channel read by itself before. */
    private final boolean autoRead;

    Inbox(Inboxes inboxes, Channel channel) {
        this.inboxes = inboxes;
        this.channel = channel;
        this.autoRead = channel.config().isAutoRead();
    }

    // ---- for the reactor ----------------------------------------------------------------------

    /** Tells once what is asked for: now, or when it happens. */
    void watch(int interest) {
        watching = interest;
        if (interest != 0 && !tell()) {
            readOn();
        }
    }

    /** The same for something more. */
    void watchAhead(int interest) {
        watch(watching | interest);
    }

    /** Whether its channel is at its end, or goes to another loop. */
    boolean isGone() {
        return gone;
    }

    /** Tells what is asked for, if it is so. Answers whether it was. */
    private boolean tell() {
        int asked = watching;
        if (asked == 0) {
            return false;
        }
        int bits = ready() & Bits.seenBy(asked);
        if (bits == 0) {
            return false;
        }
        watching = 0;
        signal(bits);
        return true;
    }

    private void signal(int bits) {
        Waitable open = waitable;
        if (open == null) {
            return;
        }
        try {
            open.signal(Readiness.of(bits));
        } catch (IllegalStateException ending) {
            // The waitable, or the reactor, is closed.
        }
    }

    private int ready() {
        int bits = 0;
        if (!messages.isEmpty()) {
            bits |= Bits.READABLE;
        }
        if (channel.isActive() && channel.isWritable()) {
            bits |= Bits.WRITABLE;
        }
        if (readClosed) {
            bits |= Bits.READ_CLOSED;
        }
        if (hungUp) {
            bits |= Bits.HANGUP;
        }
        if (failure != null) {
            bits |= Bits.ERROR;
        }
        return bits;
    }

    /** Who waits for a message wants the channel to read; one that has no connection yet cannot. */
    private void readOn() {
        ChannelHandlerContext here = context;
        if ((watching & Bits.READABLE) != 0
                && messages.isEmpty()
                && here != null
                && channel.isActive()) {
            here.read();
        }
    }

    // ---- for the application ------------------------------------------------------------------

    @Nullable Object poll() {
        return messages.poll();
    }

    @Nullable Throwable takeFailure() {
        Throwable taken = failure;
        failure = null;
        return taken;
    }

    // ---- for the pipeline ---------------------------------------------------------------------

    @Override
    public void handlerAdded(ChannelHandlerContext context) {
        this.context = context;
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
        if (gone) {
            context.fireChannelRead(message);
            return;
        }
        messages.add(message);
        tell();
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext context) {
        // A handler before this one may have made nothing of what was read.
        readOn();
        context.fireChannelReadComplete();
    }

    @Override
    public void channelActive(ChannelHandlerContext context) {
        if (!tell()) {
            readOn();
        }
        context.fireChannelActive();
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext context) {
        tell();
        context.fireChannelWritabilityChanged();
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext context, Object event) {
        if (event instanceof ChannelInputShutdownEvent) {
            readClosed = true;
            tell();
        }
        context.fireUserEventTriggered(event);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
        Throwable first = failure;
        if (gone) {
            context.fireExceptionCaught(cause);
        } else if (first == null) {
            failure = cause;
        } else if (first != cause) {
            first.addSuppressed(cause);
        }
        tell();
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
        hangUp();
        context.fireChannelInactive();
    }

    /** Whoever waits is told, also one of whom the library has not told yet. */
    private void hangUp() {
        if (!hungUp) {
            hungUp = true;
            watching = 0;
            signal(ready());
        }
    }

    @Override
    public void channelUnregistered(ChannelHandlerContext context) {
        context.fireChannelUnregistered();
        if (channel.isOpen()) {
            // It goes to another loop, where this reactor is not. Until then it cannot be read.
            moving = true;
            leave();
        }
    }

    @Override
    public void channelRegistered(ChannelHandlerContext context) {
        context.fireChannelRegistered();
        if (moving) {
            context.pipeline().remove(this);
        }
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext context) {
        boolean open = channel.isOpen();
        if (!gone) {
            if (!open) {
                hangUp();
            }
            leave();
        } else if (!open) {
            releaseMessages();
        }
        if (open) {
            passOn(context);
        }
    }

    /** The reactor has no more to do with it. */
    private void leave() {
        gone = true;
        watching = 0;
        context = null;
        Waitable waits = waitable;
        if (waits != null) {
            waitable = null;
            waits.close(new ClosedChannelException());
        }
        inboxes.left(this, channel.isOpen());
    }

    /**
     * The channel lives on without this: what is left goes to whoever is next, as if it had never
     * been kept.
     */
    private void passOn(ChannelHandlerContext context) {
        boolean any = false;
        Object message;
        while ((message = messages.poll()) != null) {
            any = true;
            context.fireChannelRead(message);
        }
        if (any) {
            context.fireChannelReadComplete();
        }
        if (autoRead) {
            channel.config().setAutoRead(true);
        }
    }

    /** The channel is closed, and who waited was told: nobody takes what is left. */
    void releaseMessages() {
        Object message;
        while ((message = messages.poll()) != null) {
            if (message instanceof Channel accepted) {
                accepted.unsafe().closeForcibly();
            } else {
                ReferenceCountUtil.safeRelease(message);
            }
        }
    }
}
