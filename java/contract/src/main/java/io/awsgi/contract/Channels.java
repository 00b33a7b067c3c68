package io.awsgi.contract;

import io.awsgi.core.Waitable;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.channels.Pipe;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.SelectableChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.channels.WritableByteChannel;

/** Channels of {@code java.nio} as objects of a host that watches them. */
final class Channels {
    /** Finds or makes the waitable of a channel. */
    interface Host {
        /**
         * The waitable.
         *
         * @throws IOException if the channel cannot be waited for
         */
        Waitable waitable(SelectableChannel channel) throws IOException;
    }

    private final Host host;
    private int made;

    Channels(Host host) {
        this.host = host;
    }

    /** A channel that something is read from: pipes and connections in turn. */
    Stream next() throws IOException {
        return made++ % 2 == 0 ? pipe() : connection();
    }

    private Stream pipe() throws IOException {
        Pipe pipe = Pipe.open();
        return stream(pipe.source(), pipe.sink());
    }

    private Stream connection() throws IOException {
        InetAddress here = InetAddress.getLoopbackAddress();
        try (ServerSocketChannel server = ServerSocketChannel.open()) {
            server.bind(new InetSocketAddress(here, 0));
            SocketChannel near = SocketChannel.open(server.getLocalAddress());
            SocketChannel far = server.accept();
            // A byte is not to wait for the acknowledgement of the one before.
            far.setOption(StandardSocketOptions.TCP_NODELAY, true);
            return stream(near, far);
        }
    }

    private <C extends SelectableChannel & ReadableByteChannel> Stream stream(
            C near, WritableByteChannel far) throws IOException {
        try {
            near.configureBlocking(false);
            return new Stream(host.waitable(near), near, far, far);
        } catch (IOException | RuntimeException failure) {
            near.close();
            far.close();
            throw failure;
        }
    }

    /** A connection to a port of this machine, or what becomes one. */
    Stream socket(int port) throws IOException {
        SocketChannel socket = SocketChannel.open();
        try {
            socket.configureBlocking(false);
            socket.setOption(StandardSocketOptions.TCP_NODELAY, true);
            socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
            return new Stream(host.waitable(socket), socket, socket, null);
        } catch (IOException | RuntimeException failure) {
            socket.close();
            throw failure;
        }
    }
}
