package io.awsgi.contract;

import io.awsgi.core.HostAccess;
import io.awsgi.core.Reactor;
import io.awsgi.core.ReactorOptions;
import io.awsgi.core.Readiness;
import io.awsgi.core.Waitable;
import io.awsgi.netty.NettyHost;
import io.netty.channel.Channel;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.SingleThreadIoEventLoop;
import io.netty.channel.local.LocalChannel;
import io.netty.channel.local.LocalIoHandler;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.util.function.Consumer;

/** An event loop of Netty's own pipes: its objects are Channels, and what arrives in them. */
public final class NettyMessages implements ContractHost {
    private final SingleThreadIoEventLoop loop;
    private final NettyHost host;
    private final Watches watches;

    /** A host that runs. */
    public NettyMessages() {
        IoHandlerFactory local = LocalIoHandler.newFactory();
        loop = new SingleThreadIoEventLoop(null, new DefaultThreadFactory("netty", true), local);
        host = NettyHost.attach(loop, ReactorOptions.DEFAULT.name("netty")).join();
        watches = new Watches(host.reactor());
    }

    @Override
    public String name() {
        return "netty";
    }

    @Override
    public String kind() {
        return "once";
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
        Channel channel = new LocalChannel();
        loop.register(channel).syncUninterruptibly();
        Messages messages = new Messages(channel, host.waitable(channel));
        watches.add(messages.waitable, told);
        return messages;
    }

    private final class Messages implements ContractObject {
        private final Channel channel;
        private final Waitable waitable;

        Messages(Channel channel, Waitable waitable) {
            this.channel = channel;
            this.waitable = waitable;
        }

        @Override
        public Waitable waitable() {
            return waitable;
        }

        @Override
        public void put() {
            channel.pipeline().fireChannelRead("x");
        }

        @Override
        public long take() {
            long taken = 0;
            while (channel.isOpen() && host.poll(channel) != null) {
                taken++;
            }
            return taken;
        }

        @Override
        public void hangup() {
            channel.pipeline().fireUserEventTriggered(ChannelInputShutdownEvent.INSTANCE);
        }

        @Override
        @SuppressWarnings("FutureReturnValueIgnored")
        public void close() {
            waitable.close();
            channel.close();
        }
    }
}
