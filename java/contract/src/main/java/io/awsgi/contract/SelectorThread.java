package io.awsgi.contract;

import io.awsgi.core.ReactorClosedException;
import io.awsgi.core.ReactorOptions;
import io.awsgi.core.SelectorHost;
import java.io.IOException;

/**
 * A {@link SelectorHost} in a thread of its own: all other work there is tasks of the reactor's.
 */
public final class SelectorThread extends Selecting {
    /**
     * A host that runs.
     *
     * @throws IOException if there is no selector
     */
    public SelectorThread() throws IOException {
        super(SelectorHost.start(ReactorOptions.DEFAULT.name("selector")));
    }

    @Override
    public void run() {
        reactor().whenClosed().join();
    }

    @Override
    public void execute(Runnable task) {
        try {
            reactor().execute(task);
        } catch (ReactorClosedException ended) {
            // Nobody waits for what comes after the end.
        }
    }
}
