package io.awsgi.examples;

import io.netty.channel.IoHandlerFactory;
import io.netty.channel.ServerChannel;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;

/** The same server on the other transport. */
class NettyEpollEchoTest extends NettyEchoTest {
    @Override
    IoHandlerFactory handler() {
        return EpollIoHandler.newFactory();
    }

    @Override
    Class<? extends ServerChannel> type() {
        return EpollServerSocketChannel.class;
    }
}
