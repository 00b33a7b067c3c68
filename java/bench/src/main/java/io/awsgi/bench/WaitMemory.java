package io.awsgi.bench;

import io.awsgi.core.ReactorOptions;
import io.awsgi.core.Readiness;
import io.awsgi.core.SelectorHost;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.channels.DatagramChannel;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import javax.management.JMException;
import javax.management.ObjectName;

/** What many waits take of the heap, while nothing happens. */
public final class WaitMemory {
    private WaitMemory() {}

    /** What lives on the heap, in bytes. */
    private record Heap(long ours, long numbers, long all) {
        /**
         * From a histogram of the classes of what is reachable: lines of a rank, a count, bytes and
         * a class.
         */
        static Heap now() throws JMException {
            String text =
                    (String)
                            ManagementFactory.getPlatformMBeanServer()
                                    .invoke(
                                            new ObjectName(
                                                    "com.sun.management:type=DiagnosticCommand"),
                                            "gcClassHistogram",
                                            new Object[] {null},
                                            new String[] {String[].class.getName()});
            long ours = 0;
            long numbers = 0;
            long all = 0;
            for (String line : text.lines().toList()) {
                String[] words = line.trim().split("\\s+", -1);
                if (words.length < 4 || !words[0].endsWith(":")) {
                    continue;
                }
                long bytes = Long.parseLong(words[2]);
                all += bytes;
                if (words[3].contains("io.awsgi.core.")) {
                    ours += bytes;
                } else if (words[3].equals("[I") || words[3].equals("[J")) {
                    numbers += bytes;
                }
            }
            return new Heap(ours, numbers, all);
        }
    }

    /**
     * Prints bytes of heap for each wait: of our objects and arrays, of those our objects alone,
     * and of everything, which is the selector's keys, too.
     *
     * @param args how many waits, and on how many channels
     * @throws Exception what it cannot go on after
     */
    public static void main(String[] args) throws Exception {
        int waits = Integer.parseInt(args[0]);
        int channels = Integer.parseInt(args[1]);
        DatagramChannel[] sockets = new DatagramChannel[channels];
        for (int at = 0; at < channels; at++) {
            sockets[at] = DatagramChannel.open();
            sockets[at].bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            sockets[at].configureBlocking(false);
        }
        // Whoever waits keeps what he got.
        CompletableFuture<?>[] futures = new CompletableFuture<?>[waits];
        try (SelectorHost host = SelectorHost.open(ReactorOptions.DEFAULT)) {
            host.turn(Duration.ZERO);
            Heap.now();
            Heap before = Heap.now();
            for (int at = 0; at < waits; at++) {
                futures[at] = host.whenReady(sockets[at % channels], Readiness.READABLE, null);
            }
            while (host.reactor().stats().waits() < waits) {
                host.turn(Duration.ZERO);
            }
            Heap after = Heap.now();
            double ours = after.ours - before.ours;
            Figures.print(
                    (ours + after.numbers - before.numbers) / waits,
                    ours / waits,
                    (double) (after.all - before.all) / waits);
            for (CompletableFuture<?> future : futures) {
                Figures.check(!future.isDone(), "waits that wait");
            }
        }
        for (DatagramChannel socket : sockets) {
            socket.close();
        }
    }
}
