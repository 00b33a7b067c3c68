package io.awsgi.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.awsgi.core.ReactorOptions;
import io.awsgi.core.SelectorHost;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.channels.ServerSocketChannel;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class NioEchoTest extends EchoScenarios {
    @Override
    Running start(Duration idle) throws Exception {
        ServerSocketChannel server = listen();
        SelectorHost host = SelectorHost.start(ReactorOptions.DEFAULT);
        host.reactor().execute(new NioEcho(host, server, idle)::accept);
        return new Running(
                server.socket().getLocalPort(),
                () -> {
                    host.close();
                    server.close();
                });
    }

    static ServerSocketChannel listen() throws Exception {
        ServerSocketChannel server = ServerSocketChannel.open();
        server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        server.configureBlocking(false);
        return server;
    }

    @Test
    void theProgramRunsUntilItIsTold() throws Exception {
        try (Program program = Program.start(NioEcho.class)) {
            String line = program.line();
            assertTrue(line.startsWith("echoing on port "), line);
            int port = Integer.parseInt(line.substring(line.lastIndexOf(' ') + 1));
            try (Socket client = new Running(port, program::close).connect()) {
                say(client, "hello");
                assertEquals("hello", hear(client, 5));
                program.type("\n");
                assertEquals(1, program.rest().size());
                assertEquals(-1, client.getInputStream().read());
            }
        }
    }
}
