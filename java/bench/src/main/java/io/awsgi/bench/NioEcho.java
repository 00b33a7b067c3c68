package io.awsgi.bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;

/** An echo server as one writes it by hand: everything is done in the action of {@code select}. */
final class NioEcho {
    private final Selector selector;
    private final ServerSocketChannel server;
    private final ByteBuffer buffer = ByteBuffer.allocateDirect(4096);

    private NioEcho(Selector selector, ServerSocketChannel server) {
        this.selector = selector;
        this.server = server;
    }

    static void serve() throws IOException {
        NioEcho echo = new NioEcho(Selector.open(), EchoServer.listen());
        echo.server.register(echo.selector, SelectionKey.OP_ACCEPT);
        while (true) {
            echo.selector.select(echo::handle);
        }
    }

    private void handle(SelectionKey key) {
        try {
            if (key.isAcceptable()) {
                accept();
            } else if (key.attachment() instanceof ByteBuffer rest) {
                if (write(key, rest)) {
                    key.attach(null);
                    key.interestOps(SelectionKey.OP_READ);
                }
            } else {
                echo(key);
            }
        } catch (IOException gone) {
            close(key);
        }
    }

    private void accept() throws IOException {
        SocketChannel channel;
        while ((channel = server.accept()) != null) {
            channel.configureBlocking(false);
            channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
            channel.register(selector, SelectionKey.OP_READ);
        }
    }

    private void echo(SelectionKey key) throws IOException {
        while (true) {
            buffer.clear();
            int count = ((SocketChannel) key.channel()).read(buffer);
            if (count < 0) {
                close(key);
                return;
            }
            boolean more = !buffer.hasRemaining();
            buffer.flip();
            if (!write(key, buffer)) {
                ByteBuffer rest = ByteBuffer.allocateDirect(buffer.remaining());
                key.attach(rest.put(buffer).flip());
                key.interestOps(SelectionKey.OP_WRITE);
                return;
            }
            if (!more) {
                return;
            }
        }
    }

    private static boolean write(SelectionKey key, ByteBuffer from) throws IOException {
        if (from.hasRemaining()) {
            ((SocketChannel) key.channel()).write(from);
        }
        return !from.hasRemaining();
    }

    private static void close(SelectionKey key) {
        try {
            key.channel().close();
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
    }
}
