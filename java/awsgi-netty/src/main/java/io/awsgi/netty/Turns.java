package io.awsgi.netty;

import io.awsgi.core.ReactorBridge;
import io.awsgi.core.ReactorOptions;
import io.awsgi.core.Readiness;
import io.awsgi.core.Waitable;
import io.netty.channel.Channel;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.GlobalEventExecutor;
import io.netty.util.concurrent.ScheduledFuture;
import java.nio.channels.SelectableChannel;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Turns a reactor as a task of its event loop: once an iteration in which something happened, and
 * at deadlines. What happens in the first half of an iteration, where the loop does I/O, is
 * gathered and crosses at once in the second, where it runs tasks.
 *
 * <p>Of the loop's thread, but for {@link #wakeup}.
 */
final class Turns implements ReactorBridge.Host {
    private static final System.Logger LOG = System.getLogger("io.awsgi");

    final ReactorBridge bridge;
    private final EventLoop loop;
    private final NioChannels channels;
    private final Inboxes inboxes;
    private final Runnable ends;
    private final Runnable closed;

    private final Runnable queuedTask = this::runQueued;
    private final Runnable wokenTask = this::runWoken;
    private final Runnable deadlineTask = this::runDeadline;
    private final Runnable laterTask = this::runLater;

    private final List<Later> laters = new ArrayList<>();

    /** The loop has a task that turns if there is something to do. */
    private boolean queued;

    /** There is something to do of which the bridge does not know: the library woke the loop. */
    private boolean woken;

    private boolean turning;
    private boolean ended;

    /** For the earliest deadline that was seen; it may be withdrawn by now. */
    private @Nullable ScheduledFuture<?> timer;

    /** In {@link System#nanoTime}. */
    private long timerAt;

    Turns(
            EventLoop loop,
            ReactorOptions options,
            NioChannels channels,
            Inboxes inboxes,
            Runnable ends,
            Runnable closed) {
        this.loop = loop;
        this.ends = ends;
        this.closed = closed;
        this.channels = channels;
        this.inboxes = inboxes;
        this.bridge = ReactorBridge.open(this, options);
    }

    // ---- when to turn -------------------------------------------------------------------------

    @Override
    @SuppressWarnings("FutureReturnValueIgnored") // It answers nothing, and does not throw.
    public void wakeup() {
        try {
            loop.execute(wokenTask);
        } catch (RejectedExecutionException rejected) {
            if (!loop.isShuttingDown()) {
                // Its queue is full, which may be bounded. Nobody wakes a second time.
                GlobalEventExecutor.INSTANCE.schedule(this::wakeup, 1, TimeUnit.MILLISECONDS);
            }
        }
    }

    @Override
    public void due() {
        if (turning || ended) {
            // What turns looks again.
            return;
        }
        if (bridge.mustTurn()) {
            queue();
        } else {
            setTimer(bridge.timeoutNanos());
        }
    }

    /** The reactor's descriptor is readable. */
    void descriptorReady() {
        woken = true;
        queue();
    }

    private void queue() {
        if (queued) {
            return;
        }
        try {
            loop.execute(queuedTask);
            queued = true;
        } catch (RejectedExecutionException full) {
            // Those that are scheduled are not counted.
            again();
        }
    }

    private void runQueued() {
        queued = false;
        turnIfDue();
    }

    private void runWoken() {
        woken = true;
        turnIfDue();
    }

    private void runDeadline() {
        timer = null;
        turnIfDue();
    }

    // ---- turning ------------------------------------------------------------------------------

    private void turnIfDue() {
        if (turning || ended) {
            return;
        }
        // A deadline that was withdrawn is no reason to cross.
        if (woken || bridge.timeoutNanos() == 0) {
            try {
                turn();
            } catch (Throwable failure) {
                breakOff(failure);
                return;
            }
        }
        if (ended) {
            return;
        }
        long nanos = bridge.timeoutNanos();
        if (nanos == 0) {
            // Others come first: the loop's I/O, and its other tasks.
            again();
        } else {
            setTimer(nanos);
        }
    }

    /** What has failed once may fail for ever. */
    private void breakOff(Throwable failure) {
        try {
            LOG.log(System.Logger.Level.ERROR, bridge + " ends: its turn failed", failure);
        } finally {
            ends.run();
        }
    }

    private void turn() {
        turning = true;
        try {
            woken = false;
            turnOnce();
            if (bridge.mustTurn()) {
                // What completed has asked for something before the loop sleeps.
                turnOnce();
            }
            if (!bridge.mustTurn()) {
                inboxes.releaseEnded();
            }
        } finally {
            turning = false;
        }
    }

    private void turnOnce() {
        channels.lookForClosed();
        bridge.turn();
        channels.forgetReported();
    }

    /**
     * In the next iteration of the loop, after its I/O: what is executed may run in this one, again
     * and again.
     */
    private void again() {
        if (!queued) {
            queued = schedule(queuedTask, 0);
        }
    }

    @SuppressWarnings("FutureReturnValueIgnored") // Our tasks answer nothing, and do not throw.
    private boolean schedule(Runnable task, long millis) {
        try {
            loop.schedule(task, millis, TimeUnit.MILLISECONDS);
            return true;
        } catch (RejectedExecutionException ending) {
            // The loop is at its end, where it closes the reactor.
            return false;
        }
    }

    private void setTimer(long nanos) {
        if (nanos == Long.MAX_VALUE) {
            return;
        }
        long at = System.nanoTime() + nanos;
        ScheduledFuture<?> before = timer;
        if (before != null) {
            if (at - timerAt >= 0) {
                return;
            }
            before.cancel(false);
        }
        try {
            timer = loop.schedule(deadlineTask, nanos, TimeUnit.NANOSECONDS);
            timerAt = at;
        } catch (RejectedExecutionException ending) {
            timer = null;
        }
    }

    /**
     * Completes something in a later iteration, after the loop has looked for I/O and has turned,
     * once that is so.
     */
    void later(CompletableFuture<Void> done, BooleanSupplier condition) {
        if (laters.isEmpty()) {
            schedule(laterTask, 0);
        }
        laters.add(new Later(done, condition));
    }

    private void runLater() {
        if (ended) {
            return;
        }
        List<Later> over = List.of();
        if (!bridge.mustTurn()) {
            over = laters.stream().filter(later -> later.condition.getAsBoolean()).toList();
            laters.removeAll(over);
        }
        if (!laters.isEmpty()) {
            schedule(laterTask, 1);
        }
        // Whoever is told may close the host, which tells the others.
        for (Later later : over) {
            later.done.complete(null);
        }
    }

    private record Later(CompletableFuture<Void> done, BooleanSupplier condition) {}

    @Override
    public void closed() {
        closed.run();
    }

    /** The reactor is gone. */
    void end() {
        ended = true;
        for (Later later : List.copyOf(laters)) {
            later.done.complete(null);
        }
        laters.clear();
        ScheduledFuture<?> last = timer;
        if (last != null) {
            timer = null;
            last.cancel(false);
        }
    }

    boolean isEnded() {
        return ended;
    }

    // ---- what to watch ------------------------------------------------------------------------

    @Override
    public void watch(Waitable waitable, Readiness interest) {
        Object object = waitable.attachment();
        if (object instanceof SelectableChannel channel) {
            channels.watch(channel, waitable, interest.bits());
        } else if (object instanceof Channel channel) {
            inboxes.watch(channel, waitable, interest.bits());
        }
    }

    @Override
    public boolean watchAhead(Waitable waitable, Readiness interest) {
        return waitable.attachment() instanceof Channel channel
                && inboxes.watchAhead(channel, waitable, interest.bits());
    }

    @Override
    public void armed(Waitable waitable, Readiness interest) {
        if (waitable.attachment() instanceof SelectableChannel channel) {
            channels.watch(channel, waitable, interest.bits());
        }
    }
}
