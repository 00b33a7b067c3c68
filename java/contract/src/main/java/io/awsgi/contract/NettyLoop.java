package io.awsgi.contract;

import io.awsgi.core.HostAccess;
import io.awsgi.core.Reactor;
import io.awsgi.core.ReactorOptions;
import io.awsgi.core.Readiness;
import io.awsgi.netty.NettyHost;
import io.netty.channel.EventLoop;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.util.Map;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A {@link NettyHost}, in whose event loop commands are tasks as others. Its objects are channels
 * of {@code java.nio}, which are reported as long as they are ready, and of Netty, which are once.
 */
public class NettyLoop implements ContractHost {
    private static final String ENDS =
            "a selector tells an end as READABLE, and a refusal as WRITABLE";

    private static final String AHEAD =
            "its channels are watched as soon as a wait asks for them, before the reactor does";

    private final EventLoop loop;

    /** The host. */
    final NettyHost host;

    private final Watches watches;
    private final Connections connections;

    /** Null if the loop has no selector. */
    private final @Nullable Channels channels;

    /**
     * A loop that runs.
     *
     * @throws IOException if there are no sockets
     */
    public NettyLoop() throws IOException {
        this(NioIoHandler.newFactory(), NioSocketChannel::new, true);
    }

    @SuppressWarnings("FutureReturnValueIgnored") // The main thread waits for the reactor's end.
    NettyLoop(IoHandlerFactory io, Supplier<SocketChannel> sockets, boolean selects)
            throws IOException {
        loop =
                new MultiThreadIoEventLoopGroup(1, new DefaultThreadFactory("netty", true), io)
                        .next();
        host = NettyHost.attach(loop, ReactorOptions.DEFAULT.name("netty")).join();
        watches = new Watches(host.reactor());
        connections = new Connections(host, sockets);
        channels = selects ? new Channels(host::waitable) : null;
    }

    @Override
    public String name() {
        return "netty";
    }

    @Override
    public String kind() {
        return channels == null ? "once" : "both";
    }

    @Override
    public Map<String, String> cannot() {
        return channels == null
                ? Map.of("once_changes", AHEAD)
                : Map.of("once_changes", AHEAD, "level_ends", ENDS, "socket_ends", ENDS);
    }

    @Override
    public Reactor reactor() {
        return host.reactor();
    }

    @Override
    public void limitTurns(int events, int completions) {
        HostAccess.limitTurns(host.reactor(), events, completions);
    }

    @Override
    public void run() {
        host.reactor().whenClosed().join();
        loop.shutdownGracefully(0, 0, TimeUnit.SECONDS).syncUninterruptibly();
    }

    @Override
    public void execute(Runnable task) {
        try {
            loop.execute(task);
        } catch (RejectedExecutionException ended) {
            // Nobody waits for what comes after the end.
        }
    }

    @Override
    public ContractObject foreign(boolean once, Consumer<Readiness> told) throws IOException {
        ContractObject object;
        if (once) {
            object = connections.next();
        } else if (channels != null) {
            object = channels.next();
        } else {
            throw new UnsupportedOperationException("this loop has no selector");
        }
        watches.add(object.waitable(), told);
        return object;
    }

    @Override
    public ContractObject socket(int port) throws IOException {
        return channels == null ? ContractHost.super.socket(port) : channels.socket(port);
    }
}
