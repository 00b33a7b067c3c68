package io.awsgi.contract;

import io.awsgi.core.Reactor;
import io.awsgi.core.ReactorBridge;
import io.awsgi.core.ReactorOptions;
import io.awsgi.core.Readiness;
import io.awsgi.core.Waitable;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A loop that sleeps on a condition, and has nothing that a selector could see: its objects are
 * queues of messages between two ends of this program.
 */
public final class Bridge implements ContractHost {
    private final ReactorBridge bridge;
    private final List<Queue> queues = new ArrayList<>();
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();

    /** The reactor is to turn. Below the lock, as the tasks. */
    private boolean woken;

    private final ArrayDeque<Runnable> tasks = new ArrayDeque<>();

    /** A loop of the calling thread. */
    public Bridge() {
        bridge = ReactorBridge.open(new Watching(), ReactorOptions.DEFAULT.name("bridge"));
    }

    @Override
    public String name() {
        return "bridge";
    }

    @Override
    public String kind() {
        return "both";
    }

    @Override
    public Reactor reactor() {
        return bridge.reactor();
    }

    @Override
    public void limitTurns(int events, int completions) {
        bridge.limitTurns(events, completions);
    }

    // ---- The loop ----

    @Override
    public void run() throws InterruptedException {
        while (bridge.turn()) {
            Runnable task = next();
            if (task != null) {
                task.run();
            }
            queues.forEach(Queue::report);
            sleep(bridge.timeoutNanos());
        }
    }

    @Override
    public void execute(Runnable task) {
        lock.lock();
        try {
            tasks.add(task);
            changed.signal();
        } finally {
            lock.unlock();
        }
    }

    private @Nullable Runnable next() {
        lock.lock();
        try {
            // A wake that comes from now on is for the next turn.
            return tasks.poll();
        } finally {
            lock.unlock();
        }
    }

    private void sleep(long nanos) throws InterruptedException {
        lock.lock();
        try {
            long left = nanos;
            while (!woken && tasks.isEmpty() && left > 0) {
                left = changed.awaitNanos(left);
            }
            woken = false;
        } finally {
            lock.unlock();
        }
    }

    private void wake() {
        lock.lock();
        try {
            woken = true;
            changed.signal();
        } finally {
            lock.unlock();
        }
    }

    // ---- What it watches ----

    @Override
    public ContractObject foreign(boolean once, Consumer<Readiness> told) {
        Queue queue = new Queue(once, told);
        queues.add(queue);
        return queue;
    }

    private final class Watching implements ReactorBridge.Host {
        @Override
        public void wakeup() {
            wake();
        }

        @Override
        public void watch(Waitable waitable, Readiness interest) {
            if (waitable.attachment() instanceof Queue queue && queue.waitable == waitable) {
                queue.interest = interest;
                queue.told.accept(interest);
            } else {
                Words.broken("a change for an unknown object: " + waitable);
            }
        }
    }

    private final class Queue implements ContractObject {
        private final boolean once;
        private final Consumer<Readiness> told;
        private final Waitable waitable;
        private int messages;
        private boolean hungUp;

        /** What the reactor asked to watch it for. */
        private Readiness interest = Readiness.NONE;

        Queue(boolean once, Consumer<Readiness> told) {
            this.once = once;
            this.told = told;
            this.waitable = once ? bridge.once(this) : bridge.level(this);
        }

        /** In each round: what is watched and ready is told, as long as that is so or once. */
        void report() {
            if (interest.isEmpty()) {
                return;
            }
            Readiness ready = seen().and(asked());
            if (ready.isEmpty()) {
                return;
            }
            if (once) {
                interest = Readiness.NONE;
            }
            waitable.signal(ready);
        }

        private Readiness seen() {
            Readiness ended = hungUp ? Readiness.READ_CLOSED.or(Readiness.HANGUP) : Readiness.NONE;
            return messages > 0 ? ended.or(Readiness.READABLE) : ended;
        }

        /** Its end is told to all, and to readers that nothing more comes. */
        private Readiness asked() {
            Readiness asked = interest.or(Readiness.HANGUP);
            return interest.isReadable() ? asked.or(Readiness.READ_CLOSED) : asked;
        }

        @Override
        public Waitable waitable() {
            return waitable;
        }

        @Override
        public void put() {
            messages++;
        }

        @Override
        public long take() {
            int taken = messages;
            messages = 0;
            return taken;
        }

        @Override
        public void hangup() {
            hungUp = true;
        }

        @Override
        public void close() {
            waitable.close();
            interest = Readiness.NONE;
            queues.remove(this);
        }
    }
}
