package io.awsgi.netty;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.awsgi.core.Outcome;
import io.awsgi.core.Question;
import io.awsgi.core.Readiness;
import io.awsgi.core.Sink;
import io.awsgi.core.Wait;
import io.awsgi.core.Waitable;
import io.netty.channel.epoll.Native;
import io.netty.channel.unix.FileDescriptor;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** Descriptors, as native code opens them. */
class NettyDescriptorTest {
    private static boolean watcherRuns() {
        return Thread.getAllStackTraces().keySet().stream()
                .anyMatch(thread -> thread.getName().equals("awsgi-watcher"));
    }

    private static void waitForDescriptors(TestLoop loop) throws Exception {
        FileDescriptor descriptor = Native.newEventFd();
        Waitable waitable = loop.call(() -> loop.host.reactor().descriptor(descriptor.intValue()));
        for (int round = 0; round < 50; round++) {
            CompletableFuture<Readiness> wait =
                    loop.host.reactor().whenReady(waitable, Readiness.READABLE, TestLoop.LONG);
            Native.eventFdWrite(descriptor.intValue(), 1);
            assertSame(Readiness.READABLE, TestLoop.get(wait));
            Native.eventFdRead(descriptor.intValue());
        }
        loop.run(waitable::close);
        descriptor.close();
    }

    @Test
    void anEpollLoopWatchesThemItself() throws Exception {
        long until = System.nanoTime() + TestLoop.LONG.toNanos();
        while (watcherRuns()) {
            // Of a test before.
            assertTrue(System.nanoTime() < until);
            Thread.onSpinWait();
        }
        try (TestLoop loop = new TestLoop(Transport.EPOLL)) {
            waitForDescriptors(loop);
            assertFalse(watcherRuns());
        }
    }

    @Test
    void otherLoopsAreWokenByTheWatcher() throws Exception {
        try (TestLoop loop = new TestLoop(Transport.NIO)) {
            waitForDescriptors(loop);
            assertTrue(watcherRuns());
        }
    }

    @Test
    void aSteadyRhythmOfADescriptorCrossesOnceAnIteration() throws Exception {
        int rounds = 300;
        FileDescriptor descriptor = Native.newEventFd();
        int number = descriptor.intValue();
        try (TestLoop loop = new TestLoop(Transport.EPOLL)) {
            CompletableFuture<long[]> done = new CompletableFuture<>();
            Waitable waitable =
                    loop.call(
                            () -> {
                                Waitable made = loop.host.reactor().descriptor(number);
                                loop.host
                                        .reactor()
                                        .start(
                                                Question.of(made, Readiness.READABLE).multishot(),
                                                rhythm(loop, number, rounds, done));
                                Native.eventFdWrite(number, 1);
                                return made;
                            });
            long[] figures = TestLoop.get(done);
            System.out.println(
                    "descriptor: "
                            + figures[0]
                            + " turns for "
                            + (rounds - 11)
                            + " events in "
                            + figures[1]
                            + " iterations of the loop");
            assertEquals(rounds - 11, figures[0]);
            loop.run(waitable::close);
        } finally {
            descriptor.close();
        }
    }

    private static Sink rhythm(
            TestLoop loop, int number, int rounds, CompletableFuture<long[]> done) {
        return new Sink() {
            private int left = rounds;
            private long turns;
            private long iterations;

            @Override
            public void completed(Wait wait, Outcome outcome, Readiness ready, boolean more) {
                if (outcome != Outcome.READY || left == 0) {
                    return;
                }
                long now = loop.host.reactor().stats().turns();
                if (left == rounds - 10) {
                    turns = now;
                    iterations = loop.iterations();
                }
                Native.eventFdRead(number);
                if (--left == 0) {
                    done.complete(new long[] {now - turns, loop.iterations() - iterations});
                } else {
                    Native.eventFdWrite(number, 1);
                }
            }
        };
    }
}
