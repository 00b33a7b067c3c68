package io.awsgi.netty;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.netty.channel.Channel;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.ServerChannel;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.channel.uring.IoUring;
import io.netty.channel.uring.IoUringIoHandler;
import io.netty.channel.uring.IoUringServerSocketChannel;
import io.netty.channel.uring.IoUringSocketChannel;

/** What an event loop does its I/O with. */
enum Transport {
    NIO {
        @Override
        IoHandlerFactory handler() {
            return NioIoHandler.newFactory();
        }

        @Override
        Class<? extends ServerChannel> server() {
            return NioServerSocketChannel.class;
        }

        @Override
        Class<? extends Channel> client() {
            return NioSocketChannel.class;
        }
    },
    EPOLL {
        @Override
        IoHandlerFactory handler() {
            Epoll.ensureAvailability();
            return EpollIoHandler.newFactory();
        }

        @Override
        Class<? extends ServerChannel> server() {
            return EpollServerSocketChannel.class;
        }

        @Override
        Class<? extends Channel> client() {
            return EpollSocketChannel.class;
        }
    },
    IO_URING {
        @Override
        IoHandlerFactory handler() {
            assumeTrue(IoUring.isAvailable(), () -> "" + IoUring.unavailabilityCause());
            return IoUringIoHandler.newFactory();
        }

        @Override
        Class<? extends ServerChannel> server() {
            return IoUringServerSocketChannel.class;
        }

        @Override
        Class<? extends Channel> client() {
            return IoUringSocketChannel.class;
        }
    };

    abstract IoHandlerFactory handler();

    abstract Class<? extends ServerChannel> server();

    abstract Class<? extends Channel> client();
}
