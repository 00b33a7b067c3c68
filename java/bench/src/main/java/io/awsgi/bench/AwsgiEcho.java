package io.awsgi.bench;

import io.awsgi.core.Outcome;
import io.awsgi.core.Question;
import io.awsgi.core.ReactorOptions;
import io.awsgi.core.Readiness;
import io.awsgi.core.SelectorHost;
import io.awsgi.core.Sink;
import io.awsgi.core.Wait;
import io.awsgi.core.Waitable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;

/** An echo server in a {@link SelectorHost}: a multishot wait for each connection. */
final class AwsgiEcho implements Sink {
    private final SelectorHost host;
    private final ServerSocketChannel server;
    private final ByteBuffer buffer = ByteBuffer.allocateDirect(4096);

    private AwsgiEcho(SelectorHost host, ServerSocketChannel server) {
        this.host = host;
        this.server = server;
    }

    static void serve() throws IOException {
        SelectorHost host = SelectorHost.open(ReactorOptions.DEFAULT.name("echo"));
        AwsgiEcho echo = new AwsgiEcho(host, EchoServer.listen());
        wait(host, host.waitable(echo.server), echo);
        while (host.turn(null)) {
            // All is done in sinks.
        }
    }

    private static void wait(SelectorHost host, Waitable waitable, Sink sink) {
        host.reactor().start(Question.of(waitable, Readiness.READABLE).multishot(), sink);
    }

    /** Accepts. */
    @Override
    public void completed(Wait wait, Outcome outcome, Readiness ready, boolean more) {
        try {
            SocketChannel channel;
            while ((channel = server.accept()) != null) {
                channel.configureBlocking(false);
                channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
                Waitable waitable = host.waitable(channel);
                wait(host, waitable, new Connection(channel, waitable));
            }
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
    }

    private final class Connection implements Sink {
        private final SocketChannel channel;
        private final Waitable waitable;

        Connection(SocketChannel channel, Waitable waitable) {
            this.channel = channel;
            this.waitable = waitable;
        }

        @Override
        public void completed(Wait wait, Outcome outcome, Readiness ready, boolean more) {
            if (outcome != Outcome.READY) {
                return;
            }
            try {
                echo(wait);
            } catch (IOException gone) {
                close();
            }
        }

        private void echo(Wait wait) throws IOException {
            while (true) {
                buffer.clear();
                int count = channel.read(buffer);
                if (count < 0) {
                    close();
                    return;
                }
                boolean full = !buffer.hasRemaining();
                buffer.flip();
                if (count > 0) {
                    channel.write(buffer);
                }
                if (buffer.hasRemaining()) {
                    wait.forget();
                    finish(ByteBuffer.allocateDirect(buffer.remaining()).put(buffer).flip());
                    return;
                }
                if (!full) {
                    return;
                }
            }
        }

        /** Writes the rest when there is room, and only then goes on reading. */
        private void finish(ByteBuffer left) {
            Sink sink =
                    (wait, outcome, ready, more) -> {
                        try {
                            channel.write(left);
                            if (left.hasRemaining()) {
                                finish(left);
                            } else {
                                AwsgiEcho.wait(host, waitable, this);
                            }
                        } catch (IOException gone) {
                            close();
                        }
                    };
            host.reactor().start(Question.of(waitable, Readiness.WRITABLE), sink);
        }

        private void close() {
            try {
                channel.close();
            } catch (IOException failure) {
                throw new UncheckedIOException(failure);
            }
        }
    }
}
