package io.awsgi.bench;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Pipe;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;

/**
 * A loop whose selector has 64 keys, all of which are ready in each round: what the bridge is added
 * to.
 */
public final class SelectorLoop {
    private static final int CHANNELS = 64;

    private static long selected;

    private SelectorLoop() {}

    private static void take(SelectionKey key) {
        if (key.isReadable()) {
            selected++;
        }
    }

    private static void rounds(Selector selector, int count) throws IOException {
        for (int round = 0; round < count; round++) {
            selector.select(SelectorLoop::take);
        }
    }

    /**
     * Prints nanoseconds for each event, and those that the thread ran.
     *
     * @param args how many rounds are measured
     */
    public static void main(String[] args) throws IOException {
        int count = Integer.parseInt(args[0]);
        try (Selector selector = Selector.open()) {
            for (int at = 0; at < CHANNELS; at++) {
                Pipe pipe = Pipe.open();
                pipe.source().configureBlocking(false);
                pipe.source().register(selector, SelectionKey.OP_READ);
                pipe.sink().write(ByteBuffer.allocate(1));
            }
            for (int piece = 0; piece < 20; piece++) {
                rounds(selector, count / 40);
            }
            long before = selected;
            long ran = Figures.ran();
            long begin = System.nanoTime();
            rounds(selector, count);
            long took = System.nanoTime() - begin;
            ran = Figures.ran() - ran;
            double events = selected - before;
            Figures.check(events == (double) count * CHANNELS, "all channels in each round");
            Figures.print(took / events, ran / events);
        }
    }
}
