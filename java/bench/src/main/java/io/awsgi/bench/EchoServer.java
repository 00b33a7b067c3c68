package io.awsgi.bench;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.channels.ServerSocketChannel;

/** Sends back what it gets, in one thread, until it is killed. */
public final class EchoServer {
    private static final int BACKLOG = 1024;

    private EchoServer() {}

    /** A socket that listens on a port of its own, which it prints. */
    static ServerSocketChannel listen() throws IOException {
        ServerSocketChannel server = ServerSocketChannel.open();
        server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), BACKLOG);
        server.configureBlocking(false);
        say(((InetSocketAddress) server.getLocalAddress()).getPort());
        return server;
    }

    static void say(int port) {
        System.out.println(port);
    }

    /**
     * Serves.
     *
     * @param args who: {@code awsgi}, {@code nio} or {@code netty-nio}
     * @throws Exception what it cannot go on after
     */
    public static void main(String[] args) throws Exception {
        switch (args[0]) {
            case "awsgi" -> AwsgiEcho.serve();
            case "nio" -> NioEcho.serve();
            case "netty-nio" -> NettyEcho.serve(BACKLOG);
            default -> throw new IllegalArgumentException(args[0]);
        }
    }
}
