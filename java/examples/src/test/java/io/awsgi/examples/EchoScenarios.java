package io.awsgi.examples;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** What every echo server does, whatever it is made of. */
abstract class EchoScenarios {
    private static final Duration LONG = Duration.ofSeconds(30);

    /** What ends a server. */
    interface End {
        void end() throws IOException;
    }

    /** A server that runs, until it is closed. */
    record Running(int port, End end) implements AutoCloseable {
        Socket connect() throws IOException {
            Socket socket = new Socket(InetAddress.getLoopbackAddress(), port);
            socket.setSoTimeout(30_000);
            return socket;
        }

        @Override
        public void close() throws IOException {
            end.end();
        }
    }

    /** Starts one that closes connections which say nothing for so long. */
    abstract Running start(Duration idle) throws Exception;

    static void say(Socket socket, String text) throws IOException {
        socket.getOutputStream().write(text.getBytes(StandardCharsets.UTF_8));
    }

    static String hear(Socket socket, int bytes) throws IOException {
        return new String(socket.getInputStream().readNBytes(bytes), StandardCharsets.UTF_8);
    }

    @Test
    void echoesLineByLine() throws Exception {
        try (Running server = start(LONG);
                Socket client = server.connect()) {
            for (int round = 0; round < 100; round++) {
                String line = "line " + round + "\n";
                say(client, line);
                assertEquals(line, hear(client, line.length()));
            }
        }
    }

    @Test
    void echoesToManyAtOnce() throws Exception {
        try (Running server = start(LONG)) {
            List<Socket> clients = new ArrayList<>();
            for (int at = 0; at < 50; at++) {
                clients.add(server.connect());
            }
            for (int at = clients.size() - 1; at >= 0; at--) {
                say(clients.get(at), "%02d".formatted(at));
            }
            for (int at = 0; at < clients.size(); at++) {
                assertEquals("%02d".formatted(at), hear(clients.get(at), 2));
                clients.get(at).close();
            }
        }
    }

    @Test
    void echoesAllToAPeerThatReadsLateAndThenEnds() throws Exception {
        byte[] sent = new byte[8 << 20];
        new Random(1).nextBytes(sent);
        try (Running server = start(LONG);
                Socket client = server.connect()) {
            CompletableFuture<Void> writing =
                    CompletableFuture.runAsync(
                            () -> {
                                try {
                                    client.getOutputStream().write(sent);
                                    client.shutdownOutput();
                                } catch (IOException failure) {
                                    throw new AssertionError(failure);
                                }
                            });
            // Reads when both directions are full, as far as time can say that.
            Thread.sleep(50);
            assertArrayEquals(sent, client.getInputStream().readAllBytes());
            writing.join();
        }
    }

    @Test
    void aPeerThatBreaksOffDisturbsNobody() throws Exception {
        try (Running server = start(LONG);
                Socket client = server.connect()) {
            Socket rude = server.connect();
            say(rude, "a");
            assertEquals("a", hear(rude, 1));
            rude.setSoLinger(true, 0);
            rude.close();
            say(client, "b");
            assertEquals("b", hear(client, 1));
        }
    }

    @Test
    void aPeerThatSaysNothingIsLetGo() throws Exception {
        try (Running server = start(Duration.ofMillis(50));
                Socket client = server.connect()) {
            assertEquals(-1, client.getInputStream().read());
        }
    }

    @Test
    void connectionsEndWithTheServer() throws Exception {
        Running server = start(LONG);
        try (server;
                Socket client = server.connect()) {
            say(client, "a");
            assertEquals("a", hear(client, 1));
            server.close();
            assertEquals(-1, readOrReset(client));
        }
    }

    private static int readOrReset(Socket client) throws IOException {
        try {
            return client.getInputStream().read();
        } catch (SocketException reset) {
            return -1;
        }
    }
}
