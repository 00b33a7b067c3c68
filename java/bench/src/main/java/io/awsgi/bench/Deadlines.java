package io.awsgi.bench;

import io.awsgi.core.ReactorOptions;
import io.awsgi.core.Readiness;
import io.awsgi.core.SelectorHost;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.channels.DatagramChannel;
import java.time.Duration;
import java.util.Arrays;
import java.util.Random;

/** From a deadline to its completion, in a host whose selector sleeps. */
public final class Deadlines {
    private static final long LEAST = 500_000;
    private static final long MOST = 2_500_000;

    private Deadlines() {}

    /**
     * Prints the median of the microseconds that deadlines come late, the 99th percentile and the
     * most of them, and how many came early.
     *
     * @param args how many deadlines
     * @throws Exception what it cannot go on after
     */
    public static void main(String[] args) throws Exception {
        int count = Integer.parseInt(args[0]);
        Random random = new Random(1);
        long[] late = new long[count];
        int early = 0;
        try (SelectorHost host = SelectorHost.open(ReactorOptions.DEFAULT);
                DatagramChannel channel = DatagramChannel.open()) {
            channel.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            channel.configureBlocking(false);
            // The first hundred warm up.
            for (int at = -100; at < count; at++) {
                long delay = LEAST + (long) (random.nextDouble() * (MOST - LEAST));
                long[] ended = {0};
                // What it lasts is counted from the call.
                long begin = System.nanoTime();
                var unused =
                        host.whenReady(channel, Readiness.READABLE, Duration.ofNanos(delay))
                                .thenAccept(
                                        ready -> {
                                            Figures.check(
                                                    ready.isTimedOut(), "nothing that is ready");
                                            ended[0] = System.nanoTime();
                                        });
                while (ended[0] == 0) {
                    host.turn(null);
                }
                long beyond = ended[0] - begin - delay;
                if (beyond < 0) {
                    early++;
                }
                if (at >= 0) {
                    late[at] = beyond;
                }
            }
        }
        Arrays.sort(late);
        Figures.print(
                late[count / 2] / 1e3,
                late[Math.min(count - 1, count * 99 / 100)] / 1e3,
                late[count - 1] / 1e3,
                early);
    }
}
