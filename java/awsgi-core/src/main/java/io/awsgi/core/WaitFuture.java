package io.awsgi.core;

import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A wait for one waitable, or for nothing but the time, as a future. Whatever completes the future
 * ends the wait: its compare-and-set decides. The completion of the library comes all the same, and
 * only with it the wait's name is free.
 *
 * <p>It is a task, too, which the reactor's thread runs to begin the wait, or to end it.
 */
final class WaitFuture extends CompletableFuture<Readiness> implements Runnable {
    private final ReactorBridge bridge;

    /** A {@link Waitable}, or who finds one on the reactor's thread; null for a sleep. */
    private @Nullable Object target;

    private final Readiness interest;
    private final long deadline;
    private final int flags;
    private boolean begun;

    /** Of the reactor's thread; 0: not armed, or over. */
    private long name;

    WaitFuture(
            ReactorBridge bridge,
            @Nullable Object target,
            Readiness interest,
            long deadline,
            int flags) {
        this.bridge = bridge;
        this.target = target;
        this.interest = interest;
        this.deadline = deadline;
        this.flags = flags;
    }

    @Override
    public void run() {
        if (!begun) {
            begun = true;
            if (!isDone()) {
                arm();
            }
        } else if (name != 0 && isDone()) {
            // The completion may be on its way: then this meets nothing.
            bridge.ask(name, Layout.CANCEL);
        }
    }

    private void arm() {
        try {
            bridge.checkTakesWaits();
            Waitable waitable = waitable();
            if (waitable != null) {
                bridge.reactor().checkOurs(waitable);
            }
            name = bridge.arm(this, waitable, interest.bits(), flags, deadline);
        } catch (Throwable failure) {
            super.completeExceptionally(failure);
        }
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

    void completed(int kind, int ready, int arg) {
        name = 0;
        switch (Outcome.of(kind & Layout.OUTCOME)) {
            case READY -> super.complete(Readiness.of(ready));
            case TIMED_OUT -> super.complete(Readiness.TIMED_OUT);
            case CANCELLED -> super.cancel(false);
            case CLOSED ->
                    super.completeExceptionally(
                            target instanceof Waitable waitable
                                    ? waitable.closing()
                                    : bridge.closedException());
            case FAILED -> super.completeExceptionally(Pending.failure(kind, arg));
        }
    }

    void failed(Throwable cause) {
        name = 0;
        super.completeExceptionally(cause);
    }

    private boolean ended(boolean byThis) {
        if (byThis) {
            bridge.onOwner(this);
        }
        return byThis;
    }

    @Override
    public boolean complete(Readiness value) {
        return ended(super.complete(value));
    }

    @Override
    public boolean completeExceptionally(Throwable failure) {
        return ended(super.completeExceptionally(failure));
    }

    @Override
    public boolean cancel(boolean mayInterruptIfRunning) {
        boolean before = isDone();
        boolean cancelled = super.cancel(mayInterruptIfRunning);
        if (!before) {
            ended(cancelled);
        }
        return cancelled;
    }

    @Override
    public void obtrudeValue(Readiness value) {
        super.obtrudeValue(value);
        ended(true);
    }

    @Override
    public void obtrudeException(Throwable failure) {
        super.obtrudeException(failure);
        ended(true);
    }

    @Override
    public CompletableFuture<Readiness> completeAsync(
            Supplier<? extends Readiness> supplier, Executor executor) {
        executor.execute(
                () -> {
                    if (!isDone()) {
                        try {
                            complete(supplier.get());
                        } catch (Throwable failure) {
                            completeExceptionally(failure);
                        }
                    }
                });
        return this;
    }

    /** What depends on it is no wait. */
    @Override
    public <U> CompletableFuture<U> newIncompleteFuture() {
        return new CompletableFuture<>();
    }
}
