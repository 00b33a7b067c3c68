package io.awsgi.examples;

import static io.awsgi.core.Readiness.READABLE;
import static io.awsgi.core.Readiness.WRITABLE;

import io.awsgi.core.ReactorOptions;
import io.awsgi.core.Readiness;
import io.awsgi.netty.NettyHost;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.ServerChannel;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/** An echo server on Netty, whose connections are no handlers, but say what they wait for. */
public final class NettyEcho {
    private NettyEcho() {}

    public static void main(String[] arguments) throws Exception {
        int port = arguments.length == 0 ? 0 : Integer.parseInt(arguments[0]);
        EventLoopGroup group = new MultiThreadIoEventLoopGroup(NioIoHandler.newFactory());
        try {
            Channel server =
                    listen(group, NioServerSocketChannel.class, port, Duration.ofSeconds(30));
            System.out.println(
                    "echoing on port " + ((InetSocketAddress) server.localAddress()).getPort());
            System.in.read(); // until Enter, or the end
        } finally {
            // The hosts end with their loops, and the waits with their hosts.
            group.shutdownGracefully(0, 5, TimeUnit.SECONDS).sync();
        }
    }

    static Channel listen(
            EventLoopGroup group, Class<? extends ServerChannel> type, int port, Duration idle)
            throws InterruptedException {
        return new ServerBootstrap()
                .group(group)
                .channel(type)
                // Or Netty would close a connection at the end of what the peer sends.
                .childOption(ChannelOption.ALLOW_HALF_CLOSURE, true)
                .childHandler(
                        new ChannelInitializer<Channel>() {
                            @Override
                            protected void initChannel(Channel peer) {
                                // Handlers that decode would be added here. Those of one event loop
                                // share its host, which the first of them makes.
                                NettyHost host =
                                        NettyHost.attach(peer.eventLoop(), ReactorOptions.DEFAULT)
                                                .join();
                                new Connection(host, peer, idle).await(READABLE);
                            }
                        })
                .bind(InetAddress.getLoopbackAddress(), port)
                .sync()
                .channel();
    }

    /** What a connection does with a readiness, and what it waits for then. */
    // A write that fails is an ERROR to the next wait.
    @SuppressWarnings("FutureReturnValueIgnored")
    private record Connection(NettyHost host, Channel peer, Duration idle) {
        void await(Readiness interest) {
            host.whenReady(peer, interest, idle).thenAccept(this::serve).exceptionally(this::end);
        }

        /** All is written before more is read. */
        private void serve(Readiness ready) {
            boolean allTaken = false;
            while (peer.isWritable() && !allTaken) {
                Object message = host.poll(peer);
                allTaken = message == null;
                if (!allTaken) {
                    peer.write(message, peer.voidPromise());
                }
            }
            peer.flush();
            if (ready.isTimedOut() || ready.isError()) {
                peer.close();
            } else if (ready.isReadClosed() && allTaken) {
                // After what is still being written.
                peer.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(ChannelFutureListener.CLOSE);
            } else if (!ready.isHangup()) {
                await(peer.isWritable() ? READABLE : WRITABLE);
            }
        }

        /** The connection, or the host, was closed, which ends every wait. */
        private Void end(Throwable why) {
            peer.close();
            return null;
        }
    }
}
