package io.awsgi.core;

import java.lang.ref.WeakReference;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The one thread of these classes that wakes hosts for what native code finds: it sleeps in the
 * library, which watches the descriptors of all reactors there, and is told whom to wake. It runs
 * from the first descriptor, or the first {@link Waitable#token}, until no reactor is left.
 */
final class Watcher {
    private Watcher() {}

    /**
     * By the number of their contexts. Weak: what nobody holds is a leak, and not to be hidden
     * here.
     */
    private static final ConcurrentHashMap<Integer, WeakReference<ReactorBridge>> BRIDGES =
            new ConcurrentHashMap<>();

    private static boolean runs;

    static void add(int number, ReactorBridge bridge) {
        BRIDGES.put(number, new WeakReference<>(bridge));
    }

    /** Before the reactor is freed, and its number another's. */
    static void remove(int number) {
        BRIDGES.remove(number);
    }

    /** Starts the thread, if it does not run. */
    static void start(ReactorBridge bridge) {
        synchronized (BRIDGES) {
            if (runs || BRIDGES.isEmpty()) {
                return;
            }
            Thread thread = bridge.options().thread(Watcher::run, "awsgi-watcher");
            // It outlives whoever needs it first, whose class loader it would keep.
            thread.setContextClassLoader(null);
            thread.start();
            runs = true;
        }
    }

    /** Whether the thread was started, and has not ended. */
    static boolean isRunning() {
        synchronized (BRIDGES) {
            return runs;
        }
    }

    private static void run() {
        while (true) {
            int number = Native.watch();
            if (number >= 0) {
                WeakReference<ReactorBridge> bridge = BRIDGES.get(number);
                ReactorBridge woken = bridge == null ? null : bridge.get();
                if (woken != null) {
                    woken.wakeFromWatcher();
                }
                continue;
            }
            synchronized (BRIDGES) {
                // One that was made since needs it still.
                if (BRIDGES.isEmpty()) {
                    runs = false;
                    return;
                }
            }
        }
    }
}
