package io.awsgi.core;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * After each test nothing native lives: neither reactors nor what is in them, nor a thread that
 * watches for them. Each test class names it: what a service tells is not heard in a module.
 */
public final class NothingLeft implements AfterEachCallback {
    private static final Map<String, Integer> COUNTED =
            new LinkedHashMap<>(
                    Map.of(
                            "reactors", Layout.LIVE_REACTORS,
                            "waitables", Layout.LIVE_WAITABLES,
                            "waits", Layout.LIVE_WAITS,
                            "blocks", Layout.LIVE_BLOCKS,
                            "threads", Layout.LIVE_THREADS,
                            "references", Layout.LIVE_REFERENCES));

    @Override
    public void afterEach(ExtensionContext context) throws InterruptedException {
        if (!Awsgi.isAvailable()) {
            return;
        }
        Map<String, Long> none = new LinkedHashMap<>();
        COUNTED.keySet().forEach(name -> none.put(name, 0L));
        none.put("watchers", 0L);
        // A host ends in its own time, and the watcher after the last of them.
        long until = System.nanoTime() + 20_000_000_000L;
        Map<String, Long> left = left();
        while (!left.equals(none) && System.nanoTime() < until) {
            Thread.sleep(1);
            left = left();
        }
        assertEquals(none, left, "left behind by " + context.getDisplayName());
    }

    /** What there is now. */
    static Map<String, Long> left() {
        Map<String, Long> left = new LinkedHashMap<>();
        COUNTED.forEach((name, what) -> left.put(name, Native.count(what)));
        // It may not be in the library yet, or not any more.
        left.put("watchers", Watcher.isRunning() ? 1L : 0L);
        return left;
    }
}
