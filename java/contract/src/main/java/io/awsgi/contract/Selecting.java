package io.awsgi.contract;

import io.awsgi.core.HostAccess;
import io.awsgi.core.Reactor;
import io.awsgi.core.Readiness;
import io.awsgi.core.SelectorHost;
import java.io.IOException;
import java.util.Map;
import java.util.function.Consumer;

/** A {@link SelectorHost}: its objects are channels, and so are sockets. */
abstract class Selecting implements ContractHost {
    private static final String ENDS =
            "a selector tells an end as READABLE, and a refusal as WRITABLE";

    /** The host. */
    final SelectorHost host;

    private final Watches watches;
    private final Channels channels;

    Selecting(SelectorHost host) {
        this.host = host;
        watches = new Watches(host.reactor());
        channels = new Channels(host::waitable);
    }

    @Override
    public String name() {
        return "selector";
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
