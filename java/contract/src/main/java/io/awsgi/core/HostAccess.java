package io.awsgi.core;

import java.util.function.BiConsumer;

/** What is no user's business, but has to be seen of a host that is checked. */
public final class HostAccess {
    private HostAccess() {}

    /**
     * Has somebody hear of each watch change, once the host has applied it.
     *
     * @param reactor the host's
     * @param listener takes what is watched, and for what
     */
    public static void listen(Reactor reactor, BiConsumer<Waitable, Readiness> listener) {
        reactor.bridge().listen(listener);
    }

    /**
     * Limits the turns that follow, as the host could.
     *
     * @param reactor the host's
     * @param events see {@link ReactorBridge#limitTurns}
     * @param completions the same
     */
    public static void limitTurns(Reactor reactor, int events, int completions) {
        reactor.bridge().limitTurns(events, completions);
    }
}
