package io.awsgi.core;

import java.util.Objects;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;

/** A wait for one waitable, or for nothing but the time, as a future. */
final class WaitFuture extends Ending<Readiness> {
    /** A {@link Waitable}, or who finds one on the reactor's thread; null for a sleep. */
    private @Nullable Object target;

    private final Readiness interest;
    private final long deadline;
    private final int flags;

    /** Of the reactor's thread; 0: not armed, or over. */
    private long name;

    WaitFuture(
            ReactorBridge bridge,
            @Nullable Object target,
            Readiness interest,
            long deadline,
            int flags) {
        super(bridge);
        this.target = target;
        this.interest = interest;
        this.deadline = deadline;
        this.flags = flags;
    }

    @Override
    void begin() throws Exception {
        Waitable waitable = waitable();
        if (waitable != null) {
            bridge.reactor().checkOurs(waitable);
        }
        name = bridge.arm(this, waitable, interest.bits(), flags, deadline);
    }

    @SuppressWarnings("unchecked")
    private @Nullable Waitable waitable() throws Exception {
        Object known = target;
        if (known instanceof Callable<?> finder) {
            Waitable found =
                    Objects.requireNonNull(
                            ((Callable<Waitable>) finder).call(), "the finder found no waitable");
            target = found;
            return found;
        }
        return (Waitable) known;
    }

    @Override
    void end() {
        if (name != 0) {
            // The completion may be on its way: then this meets nothing.
            bridge.ask(name, Layout.CANCEL);
        }
    }

    void completed(long half) {
        name = 0;
        int kind = Layout.kind(half);
        switch (Outcome.of(kind & Layout.OUTCOME)) {
            case READY -> answer(Readiness.known(Layout.second(half)));
            case TIMED_OUT -> answer(Readiness.TIMED_OUT);
            case CANCELLED -> wasCancelled();
            case CLOSED ->
                    fail(
                            target instanceof Waitable waitable
                                    ? waitable.closing()
                                    : bridge.closedException());
            case FAILED -> fail(Pending.failure(kind, Layout.third(half)));
        }
    }

    void failed(Throwable cause) {
        name = 0;
        fail(cause);
    }
}
