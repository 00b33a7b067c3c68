package io.awsgi.contract;

import io.awsgi.core.Waitable;
import io.awsgi.netty.NettyHost;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelFuture;
import io.netty.channel.socket.SocketChannel;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.util.function.Supplier;

/** Connections between a channel of Netty's and a socket that blocks. Of the loop's thread. */
final class Connections {
    private final NettyHost host;
    private final Supplier<SocketChannel> sockets;
    private final ServerSocketChannel server;

    Connections(NettyHost host, Supplier<SocketChannel> sockets) throws IOException {
        this.host = host;
        this.sockets = sockets;
        server = ServerSocketChannel.open();
        server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
    }

    /** One that connects, and is waited for from its beginning. */
    ContractObject next() throws IOException {
        SocketChannel near = sockets.get();
        // The end of what comes is not the end of the channel, which is waited for again and again.
        near.config().setAllowHalfClosure(true);
        try {
            done(host.eventLoop().register(near));
            Waitable waitable = host.waitable(near);
            ChannelFuture connecting = near.connect(server.getLocalAddress());
            java.nio.channels.SocketChannel far = server.accept();
            if (connecting.cause() != null) {
                far.close();
                throw new IOException(connecting.cause());
            }
            // A byte is not to wait for the acknowledgement of the one before.
            far.setOption(StandardSocketOptions.TCP_NODELAY, true);
            return new Connection(waitable, near, far);
        } catch (IOException | RuntimeException failure) {
            near.unsafe().closeForcibly();
            throw failure;
        }
    }

    private static void done(ChannelFuture future) throws IOException {
        if (!future.isSuccess()) {
            throw new IOException(future.cause());
        }
    }

    private final class Connection implements ContractObject {
        private final Waitable waitable;
        private final SocketChannel near;
        private final java.nio.channels.SocketChannel far;

        Connection(Waitable waitable, SocketChannel near, java.nio.channels.SocketChannel far) {
            this.waitable = waitable;
            this.near = near;
            this.far = far;
        }

        @Override
        public Waitable waitable() {
            return waitable;
        }

        @Override
        public void put() throws IOException {
            far.write(ByteBuffer.wrap(new byte[] {'x'}));
        }

        @Override
        public long take() {
            long taken = 0;
            Object message;
            while ((message = host.poll(near)) != null) {
                ByteBuf bytes = (ByteBuf) message;
                taken += bytes.readableBytes();
                bytes.release();
            }
            return taken;
        }

        @Override
        public void hangup() throws IOException {
            far.close();
        }

        @Override
        @SuppressWarnings("FutureReturnValueIgnored") // A failure shows itself in the pipeline.
        public void close() throws IOException {
            waitable.close();
            near.close();
            far.close();
        }
    }
}
