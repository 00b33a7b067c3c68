package io.awsgi.core;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.function.Supplier;

/**
 * A future that a wait completes. Whatever else completes it ends the wait: its compare-and-set
 * decides. The completion of the library comes all the same.
 *
 * <p>It is a task, too, which the reactor's thread runs to begin the wait, and again to end it.
 */
abstract class Ending<T> extends CompletableFuture<T> implements Runnable {
    final ReactorBridge bridge;
    private boolean begun;

    Ending(ReactorBridge bridge) {
        this.bridge = bridge;
    }

    /** Begins the wait. What this throws completes the future. */
    abstract void begin() throws Exception;

    /** Ends the wait, if it has begun and is not over. */
    abstract void end();

    @Override
    public void run() {
        if (begun) {
            if (isDone()) {
                end();
            }
            return;
        }
        begun = true;
        if (!isDone()) {
            try {
                bridge.checkTakesWaits();
                begin();
            } catch (Throwable failure) {
                fail(failure);
            }
        }
    }

    // ---- what the library says ----------------------------------------------------------------

    void answer(T value) {
        super.complete(value);
    }

    void fail(Throwable failure) {
        super.completeExceptionally(failure);
    }

    void wasCancelled() {
        super.cancel(false);
    }

    // ---- what everybody else says -------------------------------------------------------------

    private boolean ended(boolean byThis) {
        if (byThis) {
            bridge.onOwner(this);
        }
        return byThis;
    }

    @Override
    public boolean complete(T value) {
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
    public void obtrudeValue(T value) {
        super.obtrudeValue(value);
        ended(true);
    }

    @Override
    public void obtrudeException(Throwable failure) {
        super.obtrudeException(failure);
        ended(true);
    }

    @Override
    public CompletableFuture<T> completeAsync(Supplier<? extends T> supplier, Executor executor) {
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
