package io.awsgi.examples;

import static io.awsgi.core.Readiness.READABLE;
import static io.awsgi.core.Readiness.WRITABLE;

import io.awsgi.core.AwsgiException;
import io.awsgi.core.ReactorOptions;
import io.awsgi.core.Readiness;
import io.awsgi.core.SelectorHost;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.time.Duration;

/** An echo server on one thread: each step says what it waits for, and where it goes on. */
public final class NioEcho {
    private final SelectorHost host;
    private final ServerSocketChannel server;
    private final Duration idle;

    NioEcho(SelectorHost host, ServerSocketChannel server, Duration idle) {
        this.host = host;
        this.server = server;
        this.idle = idle;
    }

    public static void main(String[] arguments) throws Exception {
        try (SelectorHost host = SelectorHost.start(ReactorOptions.DEFAULT.name("echo"));
                ServerSocketChannel server = ServerSocketChannel.open()) {
            int port = arguments.length == 0 ? 0 : Integer.parseInt(arguments[0]);
            server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
            server.configureBlocking(false);
            System.out.println("echoing on port " + server.socket().getLocalPort());
            host.reactor().execute(new NioEcho(host, server, Duration.ofSeconds(30))::accept);
            System.in.read(); // until Enter, or the end
        }
    }

    /** Takes all connections that are there, and waits for more. */
    void accept() {
        try {
            for (SocketChannel peer; (peer = server.accept()) != null; ) {
                peer.configureBlocking(false);
                new Connection(peer).serve(READABLE);
            }
            host.whenReady(server, READABLE, null).thenRun(this::accept).exceptionally(this::over);
        } catch (ClosedChannelException closed) {
            over(closed);
        } catch (IOException full) {
            // As when no descriptors are left. It is READABLE still, so not again at once.
            host.reactor()
                    .sleep(Duration.ofMillis(100))
                    .thenRun(this::accept)
                    .exceptionally(this::over);
        }
    }

    /** The server was closed, or the host, which ends every wait. */
    private Void over(Throwable why) {
        System.out.println("accepts no more: " + why.getMessage());
        return null;
    }

    /** A connection, and the bytes of it that were not echoed yet. */
    private final class Connection {
        private final SocketChannel peer;
        private final ByteBuffer held = ByteBuffer.allocate(4096);

        Connection(SocketChannel peer) {
            this.peer = peer;
        }

        /**
         * Does what can be done now, and waits for the rest: all is written before more is read.
         */
        void serve(Readiness ready) {
            try {
                boolean ended = held.position() == 0 && peer.read(held) < 0;
                if (ended || ready.isTimedOut()) {
                    peer.close();
                    return;
                }
                held.flip();
                peer.write(held);
                held.compact();
                host.whenReady(peer, held.position() == 0 ? READABLE : WRITABLE, idle)
                        .thenAccept(this::serve)
                        .exceptionally(this::end);
            } catch (IOException | AwsgiException gone) {
                end(gone);
            }
        }

        /** The connection broke, or the host was closed, which ends every wait. */
        private Void end(Throwable why) {
            try {
                peer.close();
            } catch (IOException ignored) {
                // It is gone.
            }
            return null;
        }
    }
}
