package io.awsgi.core;

import io.awsgi.bench.Figures;

/**
 * A host whose 64 objects are ready in each round of its loop: it says so of each, turns, and each
 * is told of it in a sink that was made before.
 */
public final class Turns {
    static final int OBJECTS = 64;
    private static final int READABLE = Readiness.READABLE.bits();

    final ReactorBridge bridge = ReactorBridge.open(new Host(), ReactorOptions.DEFAULT);
    private final Handler[] handlers = new Handler[OBJECTS];

    private static final class Host implements ReactorBridge.Host {
        @Override
        public void wakeup() {}

        @Override
        public void watch(Waitable waitable, Readiness interest) {}
    }

    private static final class Handler implements Sink {
        final Waitable waitable;
        final long token;
        long completed;

        Handler(Waitable waitable) {
            this.waitable = waitable;
            this.token = waitable.number();
        }

        @Override
        public void completed(Wait wait, Outcome outcome, Readiness ready, boolean more) {
            if (ready.isReadable()) {
                completed++;
            }
        }
    }

    Turns() {
        for (int at = 0; at < OBJECTS; at++) {
            Handler handler = new Handler(bridge.level(at));
            handlers[at] = handler;
            Question question = Question.of(handler.waitable, Readiness.READABLE).multishot();
            bridge.reactor().start(question, handler);
        }
        bridge.turn();
    }

    /** A round of somebody's loop: the public API. */
    void core() {
        for (Handler handler : handlers) {
            handler.waitable.signal(Readiness.READABLE);
        }
        bridge.turn();
    }

    /** The same of a {@link SelectorHost}, which checks nothing of what it made itself. */
    void host() {
        for (Handler handler : handlers) {
            bridge.report(handler.token, READABLE);
        }
        bridge.turn();
    }

    private void run(String round, int count) {
        switch (round) {
            case "core" -> {
                for (int at = 0; at < count; at++) {
                    core();
                }
            }
            case "host" -> {
                for (int at = 0; at < count; at++) {
                    host();
                }
            }
            default -> throw new IllegalArgumentException(round);
        }
    }

    private long completed() {
        long all = 0;
        for (Handler handler : handlers) {
            all += handler.completed;
        }
        return all;
    }

    /**
     * Prints nanoseconds for each event, those that the thread ran, and how many bytes it allocated
     * in all.
     *
     * @param args {@code core} or {@code host}, and how many rounds are measured
     */
    public static void main(String[] args) {
        Turns turns = new Turns();
        int count = Integer.parseInt(args[1]);
        // What lives long lies close together, once the collector has moved it.
        System.gc();
        // In pieces, so that compiled code takes over in between.
        for (int piece = 0; piece < 20; piece++) {
            turns.run(args[0], 10_000);
        }
        Figures.allocated();
        long before = turns.completed();
        long ran = Figures.ran();
        long allocated = Figures.allocated();
        long begin = System.nanoTime();
        turns.run(args[0], count);
        long took = System.nanoTime() - begin;
        allocated = Figures.allocated() - allocated;
        ran = Figures.ran() - ran;
        long events = turns.completed() - before;
        Figures.check(events == (long) count * OBJECTS, "a completion for each report");
        Figures.print((double) took / events, (double) ran / events, (double) allocated);
        turns.bridge.close();
    }
}
