package io.awsgi.netty;

import io.awsgi.core.ReactorBridge;
import io.awsgi.core.Waitable;
import io.netty.channel.Channel;
import java.nio.channels.ClosedChannelException;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Netty's channels that a reactor waits for. Of the loop's thread. */
final class Inboxes {
    private final IdentityHashMap<Channel, Inbox> byChannel = new IdentityHashMap<>();

    /**
     * Of channels that are closed: what is left in them is released after the turn that tells of
     * it.
     */
    private final List<Inbox> ended = new ArrayList<>();

    Waitable waitable(Channel channel, ReactorBridge bridge) throws ClosedChannelException {
        Inbox inbox = byChannel.get(channel);
        if (inbox == null ? !channel.isOpen() : inbox.isGone()) {
            throw new ClosedChannelException();
        }
        if (inbox == null) {
            Waitable waitable = bridge.once(channel);
            inbox = new Inbox(this, channel);
            inbox.waitable = waitable;
            byChannel.put(channel, inbox);
            channel.config().setAutoRead(false);
            channel.pipeline().addLast(inbox);
            return waitable;
        }
        Waitable waitable = inbox.waitable;
        if (waitable == null || !waitable.isOpen()) {
            waitable = bridge.once(channel);
            inbox.waitable = waitable;
            inbox.watch(0);
        }
        return waitable;
    }

    @Nullable Inbox find(Channel channel) {
        return byChannel.get(channel);
    }

    void watch(Channel channel, Waitable waitable, int interest) {
        Inbox inbox = byChannel.get(channel);
        if (inbox != null && inbox.waitable == waitable) {
            inbox.watch(interest);
        }
    }

    /** Watches a channel for something more. Answers whether it can be watched at all. */
    boolean watchAhead(Channel channel, Waitable waitable, int interest) {
        Inbox inbox = byChannel.get(channel);
        if (inbox == null || inbox.waitable != waitable) {
            return false;
        }
        inbox.watchAhead(interest);
        return true;
    }

    /** Its channel is closed, or lives on without it. */
    void left(Inbox inbox, boolean open) {
        if (open) {
            byChannel.remove(inbox.channel, inbox);
        } else {
            ended.add(inbox);
        }
    }

    void releaseEnded() {
        if (ended.isEmpty()) {
            return;
        }
        for (Inbox inbox : ended) {
            byChannel.remove(inbox.channel, inbox);
            inbox.releaseMessages();
        }
        ended.clear();
    }

    /** Lets a channel go. Answers whether it was held. */
    boolean release(Channel channel) {
        Inbox inbox = byChannel.get(channel);
        if (inbox == null || inbox.isGone()) {
            return false;
        }
        channel.pipeline().remove(inbox);
        return true;
    }

    /** The reactor is gone. */
    void end() {
        for (Inbox inbox : List.copyOf(byChannel.values())) {
            if (!inbox.isGone()) {
                inbox.channel.pipeline().remove(inbox);
            }
        }
        releaseEnded();
    }
}
