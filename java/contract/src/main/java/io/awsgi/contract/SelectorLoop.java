package io.awsgi.contract;

import io.awsgi.core.ReactorClosedException;
import io.awsgi.core.ReactorOptions;
import io.awsgi.core.SelectorHost;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.ConcurrentLinkedQueue;

/** A {@link SelectorHost} in a loop of the driver's, which has other work between two rounds. */
public final class SelectorLoop extends Selecting {
    private final ConcurrentLinkedQueue<Runnable> tasks = new ConcurrentLinkedQueue<>();

    /**
     * A host of the calling thread.
     *
     * @throws IOException if there is no selector
     */
    public SelectorLoop() throws IOException {
        super(SelectorHost.open(ReactorOptions.DEFAULT.name("selector")));
    }

    @Override
    public void run() throws IOException {
        while (host.turn(tasks.isEmpty() ? null : Duration.ZERO)) {
            Runnable task = tasks.poll();
            if (task != null) {
                task.run();
            }
        }
    }

    @Override
    public void execute(Runnable task) {
        tasks.add(task);
        try {
            // The loop may sleep.
            host.reactor().execute(() -> {});
        } catch (ReactorClosedException ended) {
            // It does not sleep any more.
        }
    }
}
