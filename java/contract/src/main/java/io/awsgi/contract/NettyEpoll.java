package io.awsgi.contract;

import io.awsgi.core.HostAccess;
import io.awsgi.core.Reactor;
import io.awsgi.core.ReactorOptions;
import io.awsgi.core.Readiness;
import io.awsgi.netty.NettyHost;
import io.netty.channel.SingleThreadIoEventLoop;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.util.function.Consumer;

/** An event loop of Netty's epoll transport, which watches the reactor's descriptor. */
public final class NettyEpoll implements ContractHost {
    private final SingleThreadIoEventLoop loop;
    private final NettyHost host;

    /** A host that runs. */
    public NettyEpoll() {
        loop =
                new SingleThreadIoEventLoop(
                        null, new DefaultThreadFactory("netty", true), EpollIoHandler.newFactory());
        host = NettyHost.attach(loop, ReactorOptions.DEFAULT.name("netty")).join();
    }

    @Override
    public String name() {
        return "netty";
    }

    @Override
    public String mode() {
        return "nested";
    }

    @Override
    public String kind() {
        return "";
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
    public ContractObject foreign(boolean once, Consumer<Readiness> told) {
        throw new UnsupportedOperationException("it has no objects");
    }
}
