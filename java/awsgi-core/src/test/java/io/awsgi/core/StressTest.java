package io.awsgi.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.Pipe;
import java.nio.channels.SelectableChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Whatever several threads ask of one host, in whatever order: each future completes once, with
 * what can have happened to it, and nothing is left. A seed plays the same calls again, though not
 * the same meetings of the threads.
 */
@ExtendWith(NothingLeft.class)
class StressTest {
    private static final int CHANNELS = 50;
    private static final int THREADS = 4;
    private static final int CALLS = 20_000;

    /** One thread's work. */
    private final class Caller {
        private final Random random;
        private final SelectorHost host;
        private final List<CompletableFuture<Readiness>> mine = new ArrayList<>();

        Caller(long seed, SelectorHost host) {
            this.random = new Random(seed);
            this.host = host;
        }

        void run() throws Exception {
            for (int call = 0; call < CALLS; call++) {
                try {
                    one();
                } catch (AwsgiException refused) {
                    // A waitable that another thread has closed.
                    assertEquals(Status.STALE, refused.status(), refused::toString);
                } catch (IOException closed) {
                    // A channel, or the other end of its pipe, that another thread has closed.
                }
            }
        }

        private void one() throws Exception {
            Pipe pipe = pipes.get(random.nextInt(CHANNELS));
            SelectableChannel channel = random.nextInt(4) == 0 ? pipe.sink() : pipe.source();
            Readiness interest = channel == pipe.source() ? Readiness.READABLE : Readiness.WRITABLE;
            switch (random.nextInt(20)) {
                case 0, 1, 2, 3 -> keep(host.whenReady(channel, interest, timeout()));
                case 4 -> keep(host.reactor().whenReady(event(), Readiness.READABLE, timeout()));
                case 5 -> keep(host.reactor().sleep(Duration.ofNanos(random.nextInt(2_000_000))));
                case 6, 7 -> pipe.sink().write(ByteBuffer.allocate(1 + random.nextInt(100)));
                case 8, 9 -> pipe.source().read(ByteBuffer.allocate(200));
                case 10 -> host.awaitReady(channel, interest, Duration.ofNanos(1_000));
                case 11, 12 -> some().ifPresentOrElse(wait -> wait.cancel(true), () -> {});
                case 13 -> some().ifPresent(wait -> wait.complete(Readiness.NONE));
                case 14 -> some().ifPresent(wait -> wait.orTimeout(1, TimeUnit.MILLISECONDS));
                case 15 -> some().ifPresent(wait -> wait.completeExceptionally(new Ours()));
                case 16 -> event().signal(Readiness.READABLE);
                case 17 -> take(event());
                case 18 -> all.add(host.release(channel));
                default -> replace();
            }
        }

        /** Asked for late, a wait is over mostly; asked for early, it is on its way. */
        private java.util.Optional<CompletableFuture<Readiness>> some() {
            if (mine.isEmpty()) {
                return java.util.Optional.empty();
            }
            int back = 1 + random.nextInt(Math.min(mine.size(), 8));
            return java.util.Optional.of(mine.get(mine.size() - back));
        }

        private @Nullable Duration timeout() {
            return switch (random.nextInt(4)) {
                case 0 -> null;
                case 1 -> Duration.ZERO;
                case 2 -> Duration.ofDays(1);
                default -> Duration.ofNanos(random.nextInt(1_000_000));
            };
        }

        private Waitable event() {
            return events.get(random.nextInt(CHANNELS));
        }

        private void take(Waitable event) {
            host.reactor()
                    .execute(
                            () -> {
                                if (event.isOpen()) {
                                    event.take();
                                }
                            });
        }

        private void keep(CompletableFuture<Readiness> wait) {
            mine.add(wait);
            AtomicInteger times = new AtomicInteger();
            completions.put(wait, times);
            all.add(
                    wait.handle(
                            (ready, failure) -> {
                                times.incrementAndGet();
                                if (failure != null && !isExpected(failure)) {
                                    wrong.add(failure);
                                }
                                return null;
                            }));
        }

        /** Closes something, and puts another in its place. */
        private void replace() throws Exception {
            int at = random.nextInt(CHANNELS);
            if (random.nextInt(3) == 0) {
                Waitable made =
                        host.reactor().call(host.reactor()::event).get(20, TimeUnit.SECONDS);
                events.getAndSet(at, made).close();
            } else {
                Pipe old = pipes.getAndSet(at, pipe());
                if (random.nextBoolean()) {
                    all.add(host.release(old.source()));
                }
                old.source().close();
                old.sink().close();
            }
        }
    }

    /** What those complete a wait with who do not want it any more. */
    private static final class Ours extends RuntimeException {
        private static final long serialVersionUID = 1L;
    }

    private static boolean isExpected(Throwable failure) {
        return failure instanceof java.util.concurrent.CancellationException
                || failure instanceof TimeoutException
                || failure instanceof ClosedChannelException
                || failure instanceof ReactorClosedException
                || failure instanceof Ours
                || (failure instanceof AwsgiException refused && refused.status() == Status.STALE);
    }

    private static Pipe pipe() throws IOException {
        Pipe pipe = Pipe.open();
        pipe.source().configureBlocking(false);
        pipe.sink().configureBlocking(false);
        return pipe;
    }

    private final AtomicReferenceArray<Pipe> pipes = new AtomicReferenceArray<>(CHANNELS);
    private final AtomicReferenceArray<Waitable> events = new AtomicReferenceArray<>(CHANNELS);
    private final ConcurrentLinkedQueue<CompletableFuture<?>> all = new ConcurrentLinkedQueue<>();
    private final ConcurrentHashMap<CompletableFuture<?>, AtomicInteger> completions =
            new ConcurrentHashMap<>();
    private final ConcurrentLinkedQueue<Throwable> wrong = new ConcurrentLinkedQueue<>();

    @ParameterizedTest
    @ValueSource(longs = {1, 20, 300, 4_000})
    void eachFutureCompletesOnceAndNothingIsLeft(long seed) throws Exception {
        System.out.println("seed " + seed);
        SelectorHost host = SelectorHost.start(ReactorOptions.DEFAULT.name("stress " + seed));
        Thread loop = host.reactor().call(Thread::currentThread).get(20, TimeUnit.SECONDS);
        loop.setUncaughtExceptionHandler((ignored, failure) -> wrong.add(failure));
        for (int at = 0; at < CHANNELS; at++) {
            pipes.set(at, pipe());
            events.set(at, host.reactor().call(host.reactor()::event).get(20, TimeUnit.SECONDS));
        }
        CyclicBarrier begin = new CyclicBarrier(THREADS);
        List<Thread> threads = new ArrayList<>();
        for (int at = 0; at < THREADS; at++) {
            Caller caller = new Caller(seed * 31 + at, host);
            Thread thread =
                    new Thread(
                            () -> {
                                try {
                                    begin.await();
                                    caller.run();
                                } catch (Throwable failure) {
                                    wrong.add(failure);
                                }
                            });
            thread.start();
            threads.add(thread);
        }
        for (Thread thread : threads) {
            thread.join();
        }
        boolean ended = seed % 2 == 0;
        if (ended) {
            // Half of the runs end their waits themselves, the others leave them to the host.
            completions.keySet().forEach(wait -> wait.cancel(false));
            long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
            while (host.reactor().call(host.reactor()::stats).get(20, TimeUnit.SECONDS).waits()
                    != 0) {
                assertTrue(System.nanoTime() < until, "waits are left");
            }
        }
        host.close();
        for (Throwable failure : wrong) {
            throw new AssertionError("seed " + seed, failure);
        }
        for (CompletableFuture<?> future : all) {
            future.handle((ready, failure) -> null).get(20, TimeUnit.SECONDS);
        }
        assertTrue(completions.size() > CALLS);
        completions.forEach((wait, times) -> assertEquals(1, times.get(), "seed " + seed));
        for (int at = 0; at < CHANNELS; at++) {
            Pipe pipe = pipes.get(at);
            assertTrue(!pipe.source().isRegistered() && !pipe.sink().isRegistered());
            pipe.source().close();
            pipe.sink().close();
        }
    }
}
