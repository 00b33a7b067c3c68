package io.awsgi.contract;

import io.awsgi.core.HostAccess;
import io.awsgi.core.Reactor;
import io.awsgi.core.ReactorOptions;
import io.awsgi.core.Readiness;
import io.awsgi.netty.NettyHost;
import io.netty.channel.SingleThreadIoEventLoop;
import io.netty.channel.nio.NioIoHandler;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.util.Map;
import java.util.function.Consumer;

/** An event loop of Netty's NIO transport: its objects are channels that Netty does not own. */
public final class NettyChannels implements ContractHost {
    private static final String ENDS =
            "a selector tells an end as READABLE, and a refusal as WRITABLE";

    private final SingleThreadIoEventLoop loop;
    private final NettyHost host;
    private final Watches watches;
    private final Channels channels;

    /** A host that runs. */
    public NettyChannels() {
        loop =
                new SingleThreadIoEventLoop(
                        null, new DefaultThreadFactory("netty", true), NioIoHandler.newFactory());
        host = NettyHost.attach(loop, ReactorOptions.DEFAULT.name("netty")).join();
        watches = new Watches(host.reactor());
        channels = new Channels(host::waitable);
    }

    @Override
    public String name() {
        return "netty";
    }

    @Override
    public String kind() {
        return "level";
    }

    @Override
    public Map<String, String> cannot() {
        return Map.of("level_ends", ENDS, "socket_ends", ENDS);
    }

    @Override
    public Reactor reactor() {
        return host.reactor();
    }

    @Override
    public void run() {
        host.reactor().whenClosed().join();
    }

    @Override
    public void execute(Runnable task) {
        loop.execute(task);
    }

    @Override
    public void limitTurns(int events, int completions) {
        HostAccess.limitTurns(host.reactor(), events, completions);
    }

    @Override
    public ContractObject foreign(boolean once, Consumer<Readiness> told) throws IOException {
        if (once) {
            throw new UnsupportedOperationException("a selector reports in each round");
        }
        Stream channel = channels.next();
        watches.add(channel.waitable(), told);
        return channel;
    }

    @Override
    public ContractObject socket(int port) throws IOException {
        return channels.socket(port);
    }
}
