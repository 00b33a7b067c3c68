package io.awsgi.examples;

import static io.awsgi.core.Readiness.READABLE;

import io.awsgi.core.Member;
import io.awsgi.core.Outcome;
import io.awsgi.core.Question;
import io.awsgi.core.Reactor;
import io.awsgi.core.ReactorOptions;
import io.awsgi.core.Readiness;
import io.awsgi.core.SelectorHost;
import io.awsgi.core.Sink;
import io.awsgi.core.Wait;
import io.awsgi.core.Waitable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Pipe;
import java.nio.channels.ReadableByteChannel;
import java.time.Duration;
import java.util.function.Consumer;

/** Waits for several things at once, and again and again. Turns its host by itself. */
public final class Sets {
    private Sets() {}

    public static void main(String[] arguments) throws IOException {
        run(System.out::println);
    }

    static void run(Consumer<String> output) throws IOException {
        Pipe left = Pipe.open();
        Pipe right = Pipe.open();
        left.source().configureBlocking(false);
        right.source().configureBlocking(false);
        // The loop is this thread, and not one that `start` makes.
        try (SelectorHost host = SelectorHost.open(ReactorOptions.DEFAULT)) {
            Reactor reactor = host.reactor();
            Waitable stop = reactor.event();

            Question any =
                    Question.of(host.waitable(left.source()), READABLE)
                            .and(host.waitable(right.source()), READABLE)
                            .and(stop, READABLE)
                            .within(Duration.ofSeconds(10));
            reactor.start(
                    any,
                    (wait, outcome, ready, more) -> {
                        for (Member member : wait.members()) {
                            output.accept("ready: member " + member.index());
                        }
                    });
            right.sink().write(ByteBuffer.wrap(new byte[] {1}));
            turn(host, 1);

            Counting counting = new Counting(right.source());
            Wait reading =
                    reactor.start(
                            Question.of(host.waitable(right.source()), READABLE).multishot(),
                            counting);
            turn(host, 1);
            right.sink().write(ByteBuffer.wrap(new byte[] {2, 3}));
            turn(host, 1);
            reading.cancel();
            turn(host, 1);
            output.accept(counting.bytes + " bytes, " + counting.last);
        } finally {
            left.source().close();
            left.sink().close();
            right.source().close();
            right.sink().close();
        }
    }

    /** Turns until so many completions more have come. */
    private static void turn(SelectorHost host, int completions) throws IOException {
        long wanted = host.reactor().stats().completions() + completions;
        while (host.reactor().stats().completions() < wanted) {
            host.turn(null);
        }
    }

    /** One object for all completions of a multishot wait: nothing is allocated for them. */
    private static final class Counting implements Sink {
        private final ReadableByteChannel channel;
        private final ByteBuffer buffer = ByteBuffer.allocateDirect(4096);
        private long bytes;
        private Outcome last = Outcome.READY;

        Counting(ReadableByteChannel channel) {
            this.channel = channel;
        }

        @Override
        public void completed(Wait wait, Outcome outcome, Readiness ready, boolean more) {
            last = outcome;
            if (!more) {
                return; // its last
            }
            try {
                // Until there is no more: what is left would not be told again on every kind.
                for (int read; (read = channel.read(buffer.clear())) > 0; ) {
                    bytes += read;
                }
            } catch (IOException gone) {
                wait.cancel();
            }
        }
    }
}
