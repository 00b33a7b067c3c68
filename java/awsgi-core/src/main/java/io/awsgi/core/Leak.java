package io.awsgi.core;

import java.lang.ref.Cleaner;
import org.jspecify.annotations.Nullable;

/** Says of a reactor that was dropped without being closed where it was made. */
final class Leak implements Runnable {
    private static final Cleaner CLEANER = Cleaner.create();
    private static final System.Logger LOG = System.getLogger("io.awsgi");

    private final String name;
    private final Throwable made = new Throwable("the reactor was made here");
    private volatile boolean closed;
    private Cleaner.@Nullable Cleanable cleanable;

    private Leak(String name) {
        this.name = name;
    }

    /** Watches over a bridge, until it is told that all is well. */
    static Leak watch(ReactorBridge bridge, String name) {
        Leak leak = new Leak(name);
        leak.cleanable = CLEANER.register(bridge, leak);
        return leak;
    }

    /** All is well, and there is nothing to watch over. */
    void closed() {
        closed = true;
        if (cleanable != null) {
            cleanable.clean();
        }
    }

    @Override
    public void run() {
        if (!closed) {
            LOG.log(
                    System.Logger.Level.WARNING,
                    "LEAK: reactor "
                            + name
                            + " was dropped without being closed; its memory stays taken. Close it on every way out,"
                            + " as with try-with-resources",
                    made);
        }
    }
}
