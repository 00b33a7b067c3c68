package io.awsgi.contract;

import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollSocketChannel;
import java.io.IOException;

/**
 * The same on the epoll transport: the loop watches the reactor's descriptor, and has no selector
 * for channels of {@code java.nio}.
 */
public final class NettyEpoll extends NettyLoop {
    /**
     * A loop that runs.
     *
     * @throws IOException if there are no sockets
     */
    public NettyEpoll() throws IOException {
        super(EpollIoHandler.newFactory(), EpollSocketChannel::new, false);
    }

    @Override
    public String name() {
        return "netty epoll";
    }

    @Override
    public String mode() {
        return "nested";
    }
}
