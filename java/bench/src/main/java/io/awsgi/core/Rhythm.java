package io.awsgi.core;

import io.awsgi.bench.Figures;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.time.Duration;

/**
 * One request after the other on a connection, each of a byte and answered with it, in a {@link
 * SelectorHost}.
 *
 * <p>{@code once}: a wait for each request, on the loop. {@code change}: each answer waits for
 * {@link Readiness#WRITABLE} before it is written. {@code off}: another thread waits and answers.
 */
public final class Rhythm {
    private final SelectorHost host;
    private final SocketChannel channel;
    private final ByteBuffer buffer = ByteBuffer.allocateDirect(16);
    private volatile int answered;

    private Rhythm(SelectorHost host, SocketChannel channel) {
        this.host = host;
        this.channel = channel;
    }

    private void read() throws IOException {
        buffer.clear();
        Figures.check(channel.read(buffer) == 1, "a request of one byte");
        buffer.flip();
    }

    private void write() throws IOException {
        Figures.check(channel.write(buffer) == 1, "room for an answer of one byte");
    }

    /** In a host whose loop is the caller's, a failure ends the program. */
    private interface Step {
        void run() throws IOException;
    }

    private void then(Readiness what, Step step) {
        var unused =
                host.whenReady(channel, what, null)
                        .whenComplete(
                                (ready, failure) -> {
                                    try {
                                        Figures.check(
                                                failure == null, "a channel that becomes ready");
                                        step.run();
                                    } catch (Throwable wrong) {
                                        wrong.printStackTrace();
                                        Runtime.getRuntime().halt(1);
                                    }
                                });
    }

    private void once(int requests) {
        then(
                Readiness.READABLE,
                () -> {
                    read();
                    write();
                    answered(requests, () -> once(requests));
                });
    }

    private void change(int requests) {
        then(
                Readiness.READABLE,
                () -> {
                    read();
                    then(
                            Readiness.WRITABLE,
                            () -> {
                                write();
                                answered(requests, () -> change(requests));
                            });
                });
    }

    private void answered(int requests, Runnable next) {
        int count = answered + 1;
        answered = count;
        if (count < requests) {
            next.run();
        }
    }

    private void off(int requests) {
        try {
            for (int count = 1; count <= requests; count++) {
                host.awaitReady(channel, Readiness.READABLE, null);
                read();
                write();
                answered = count;
            }
            // The loop sleeps: it has nothing else to do.
            host.reactor().execute(() -> {});
        } catch (IOException | InterruptedException wrong) {
            throw new IllegalStateException(wrong);
        }
    }

    private static void ask(SocketChannel channel, int requests) {
        try {
            ByteBuffer request = ByteBuffer.allocateDirect(1);
            for (int count = 0; count < requests; count++) {
                request.clear();
                channel.write(request);
                request.clear();
                Figures.check(channel.read(request) == 1, "an answer of one byte");
            }
        } catch (IOException wrong) {
            throw new IllegalStateException(wrong);
        }
    }

    private static Thread start(Runnable task, String name) {
        Thread thread = new Thread(task, name);
        thread.setDaemon(true);
        thread.start();
        return thread;
    }

    /**
     * Prints crossings for each iteration of the loop, the most in one of them, and iterations for
     * each request.
     *
     * @param args what, and how many requests
     * @throws IOException if there is no loopback
     */
    public static void main(String[] args) throws IOException {
        String what = args[0];
        int requests = Integer.parseInt(args[1]);
        try (ServerSocketChannel server = ServerSocketChannel.open();
                SelectorHost host = SelectorHost.open(ReactorOptions.DEFAULT)) {
            server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            SocketChannel client = SocketChannel.open(server.getLocalAddress());
            SocketChannel accepted = server.accept();
            client.setOption(StandardSocketOptions.TCP_NODELAY, true);
            accepted.setOption(StandardSocketOptions.TCP_NODELAY, true);
            accepted.configureBlocking(false);
            Rhythm rhythm = new Rhythm(host, accepted);
            switch (what) {
                case "once" -> rhythm.once(requests);
                case "change" -> rhythm.change(requests);
                case "off" -> start(() -> rhythm.off(requests), "off the loop");
                default -> throw new IllegalArgumentException(what);
            }
            // It is registered, and watched.
            host.turn(Duration.ofMillis(50));
            start(() -> ask(client, requests), "client");
            long crossings = Native.count(Layout.CROSSINGS);
            long begin = crossings;
            long most = 0;
            long iterations = 0;
            while (rhythm.answered < requests) {
                host.turn(null);
                iterations++;
                long now = Native.count(Layout.CROSSINGS);
                most = Math.max(most, now - crossings);
                crossings = now;
            }
            Figures.print(
                    (double) (crossings - begin) / iterations,
                    (double) most,
                    (double) iterations / requests);
            client.close();
            accepted.close();
        }
    }
}
