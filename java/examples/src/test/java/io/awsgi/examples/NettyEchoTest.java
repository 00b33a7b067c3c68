package io.awsgi.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.channel.Channel;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.ServerChannel;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class NettyEchoTest extends EchoScenarios {
    IoHandlerFactory handler() {
        return NioIoHandler.newFactory();
    }

    Class<? extends ServerChannel> type() {
        return NioServerSocketChannel.class;
    }

    @Override
    Running start(Duration idle) throws Exception {
        EventLoopGroup group = new MultiThreadIoEventLoopGroup(2, handler());
        Channel server = NettyEcho.listen(group, type(), 0, idle);
        return new Running(
                ((InetSocketAddress) server.localAddress()).getPort(),
                () -> {
                    group.shutdownGracefully(0, 5, TimeUnit.SECONDS)
                            .awaitUninterruptibly(30, TimeUnit.SECONDS);
                    assertTrue(group.isTerminated());
                });
    }

    @Test
    void theProgramRunsUntilItIsTold() throws Exception {
        try (Program program = Program.start(NettyEcho.class)) {
            String line = program.line();
            assertTrue(line.startsWith("echoing on port "), line);
            int port = Integer.parseInt(line.substring(line.lastIndexOf(' ') + 1));
            try (Socket client = new Running(port, program::close).connect()) {
                say(client, "hello");
                assertEquals("hello", hear(client, 5));
                program.type("\n");
                program.rest();
                assertEquals(-1, client.getInputStream().read());
            }
        }
    }
}
