package io.awsgi.core;

import io.awsgi.bench.Figures;
import java.nio.ByteBuffer;
import java.nio.LongBuffer;

/**
 * The bridge alone: 64 reports are written to the ring, cross, are decoded, answered by a library
 * without a core, and the completions are read, each to the wait that it names. Neither tasks nor
 * the clock are looked at, and no sink is called: {@link Turns} does.
 */
public final class Crossings {
    private static final int READABLE = Readiness.READABLE.bits();

    private final ByteBuffer block = Layout.block();
    private final Ring ring = new Ring(block);
    private final Slots slots = new Slots();
    private final LongBuffer completions = Layout.ring(block, Layout.COMPLETIONS);
    private final long context = Native.open(block, Layout.DELEGATED, 0, 0);
    private final Waiting[] waits = new Waiting[Turns.OBJECTS];

    private static final class Waiting {
        final long token;
        long completed;

        Waiting(long token) {
            this.token = token;
        }
    }

    Crossings() {
        for (int at = 0; at < waits.length; at++) {
            block.putLong(Layout.ARGUMENTS, at);
            block.putLong(Layout.ARGUMENTS + 8, 0);
            Waiting wait = new Waiting(Native.submit(context, Layout.FOREIGN, 16));
            waits[at] = wait;
            ring.putPair(
                    slots.claim(wait),
                    Layout.ARM,
                    READABLE,
                    Layout.MULTISHOT,
                    wait.token,
                    Layout.FOREVER);
        }
        cross();
    }

    void round() {
        for (Waiting wait : waits) {
            ring.put(wait.token, Layout.REPORT, READABLE, 0);
        }
        cross();
    }

    private void cross() {
        long answer = Native.turn(context, ring.count(), 0);
        ring.crossed();
        int count = (int) answer & Layout.COUNT_MASK;
        for (int at = 0; at < count; at++) {
            long name = completions.get(at * 2);
            long half = completions.get(at * 2 + 1);
            if (slots.find(name) instanceof Waiting wait && (Layout.second(half) & READABLE) != 0) {
                wait.completed++;
            }
        }
    }

    void close() {
        ring.put(0, Layout.SHUT, 0, 0);
        cross();
        Native.submit(context, Layout.FREE, 0);
    }

    private void rounds(int count) {
        for (int round = 0; round < count; round++) {
            round();
        }
    }

    private long completed() {
        long all = 0;
        for (Waiting wait : waits) {
            all += wait.completed;
        }
        return all;
    }

    /**
     * Prints nanoseconds for each event, and those that the thread ran.
     *
     * @param args how many rounds are measured
     */
    public static void main(String[] args) {
        int count = Integer.parseInt(args[0]);
        Awsgi.ensureAvailable();
        Crossings crossings = new Crossings();
        // What lives long lies close together, once the collector has moved it.
        System.gc();
        // In pieces, so that compiled code takes over in between.
        for (int piece = 0; piece < 20; piece++) {
            crossings.rounds(10_000);
        }
        long before = crossings.completed();
        long ran = Figures.ran();
        long begin = System.nanoTime();
        crossings.rounds(count);
        long took = System.nanoTime() - begin;
        ran = Figures.ran() - ran;
        long events = crossings.completed() - before;
        Figures.check(events == (long) count * Turns.OBJECTS, "a completion for each report");
        Figures.print((double) took / events, (double) ran / events);
        crossings.close();
    }
}
