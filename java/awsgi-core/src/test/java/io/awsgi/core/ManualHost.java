package io.awsgi.core;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/** A loop without anything: it is turned by hand, and keeps what it is told. */
final class ManualHost implements ReactorBridge.Host, AutoCloseable {
    /** What the host was told to watch. */
    record Change(Waitable waitable, Readiness interest) {}

    final List<Change> changes = new ArrayList<>();
    final Semaphore wakes = new Semaphore(0);
    final ReactorBridge bridge;
    final Reactor reactor;

    /** Cannot be woken, and says so. */
    volatile boolean deaf;

    ManualHost() {
        this(ReactorOptions.DEFAULT);
    }

    ManualHost(ReactorOptions options) {
        bridge = ReactorBridge.open(this, options);
        reactor = bridge.reactor();
    }

    @Override
    public void wakeup() {
        if (deaf) {
            throw new IllegalStateException("deaf");
        }
        wakes.release();
    }

    @Override
    public void watch(Waitable waitable, Readiness interest) {
        changes.add(new Change(waitable, interest));
    }

    /** Turns until there is nothing to do. */
    void settle() {
        do {
            bridge.turn();
        } while (bridge.mustTurn());
    }

    /** Turns, and sleeps in between, until something is so. */
    void turnUntil(java.util.function.BooleanSupplier so) {
        long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (true) {
            bridge.turn();
            if (so.getAsBoolean()) {
                return;
            }
            long left = Math.min(bridge.timeoutNanos(), until - System.nanoTime());
            if (until - System.nanoTime() <= 0) {
                throw new AssertionError("it did not come to be within 20 seconds");
            }
            try {
                if (left > 0 && wakes.tryAcquire(left, TimeUnit.NANOSECONDS)) {
                    wakes.drainPermits();
                }
            } catch (InterruptedException interrupt) {
                throw new AssertionError(interrupt);
            }
        }
    }

    @Override
    public void close() {
        bridge.close();
    }
}
