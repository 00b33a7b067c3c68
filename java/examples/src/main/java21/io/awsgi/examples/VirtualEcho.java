package io.awsgi.examples;

import static io.awsgi.core.Readiness.READABLE;
import static io.awsgi.core.Readiness.WRITABLE;

import io.awsgi.core.AwsgiException;
import io.awsgi.core.ReactorOptions;
import io.awsgi.core.SelectorHost;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** An echo server with a virtual thread for each connection, in straight lines. From Java 21 on. */
public final class VirtualEcho {
    private VirtualEcho() {}

    public static void main(String[] arguments) throws Exception {
        try (SelectorHost host = SelectorHost.start(ReactorOptions.DEFAULT.name("echo"));
                ServerSocketChannel server = ServerSocketChannel.open()) {
            int port = arguments.length == 0 ? 0 : Integer.parseInt(arguments[0]);
            server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
            server.configureBlocking(false);
            System.out.println("echoing on port " + server.socket().getLocalPort());
            serve(host, server, Duration.ofSeconds(30));
        }
    }

    /** Serves until this thread is interrupted, or the server or its host is closed. */
    public static void serve(SelectorHost host, ServerSocketChannel server, Duration idle)
            throws IOException, InterruptedException {
        try (ExecutorService connections = Executors.newVirtualThreadPerTaskExecutor()) {
            while (true) {
                SocketChannel peer = server.accept();
                if (peer != null) {
                    connections.execute(() -> echo(host, peer, idle));
                } else {
                    host.awaitReady(server, READABLE, null);
                }
            }
        }
    }

    private static void echo(SelectorHost host, SocketChannel peer, Duration idle) {
        try (peer) {
            peer.configureBlocking(false);
            ByteBuffer held = ByteBuffer.allocate(4096);
            while (peer.read(held) >= 0) {
                // Each wait from here costs system calls: only where nothing was there.
                if (held.position() == 0 && host.awaitReady(peer, READABLE, idle).isTimedOut()) {
                    return;
                }
                held.flip();
                while (held.hasRemaining()) {
                    if (peer.write(held) == 0
                            && host.awaitReady(peer, WRITABLE, idle).isTimedOut()) {
                        return;
                    }
                }
                held.clear();
            }
        } catch (IOException | AwsgiException | InterruptedException over) {
            // The peer is gone, the host was closed, or nobody wants this to go on.
        }
    }
}
