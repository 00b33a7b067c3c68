package io.awsgi.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.nio.channels.Pipe;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/** What virtual threads do; a program of {@link ChildJvm}, too. */
public final class VirtualOnce {
    private VirtualOnce() {}

    private static final Readiness READABLE = Readiness.READABLE;
    private static final Method START = start();

    /** {@code Thread.startVirtualThread}, from Java 21 on. */
    private static Method start() {
        try {
            return Thread.class.getMethod("startVirtualThread", Runnable.class);
        } catch (NoSuchMethodException before21) {
            throw new LinkageError("these tests need virtual threads", before21);
        }
    }

    static Thread start(Runnable work) {
        try {
            return (Thread) START.invoke(null, work);
        } catch (ReflectiveOperationException impossible) {
            throw new LinkageError("Thread.startVirtualThread", impossible);
        }
    }

    public static void main(String[] arguments) throws Exception {
        switch (arguments[0]) {
            case "await" -> {
                // What is done the first time, on a platform thread.
                awaitAll(10, VirtualOnce::platform);
                awaitAll(10_000, VirtualOnce::start);
            }
            case "pin" -> start(() -> System.out.println(Pinned.WORDS)).join();
            default -> throw new IllegalArgumentException(arguments[0]);
        }
        System.out.println("ended: well");
    }

    private static Thread platform(Runnable work) {
        Thread thread = new Thread(work);
        thread.start();
        return thread;
    }

    /** Whoever waits while it is initialized does so under a frame of the JVM's. */
    private static final class Pinned {
        static final String WORDS = words();

        private static String words() {
            LockSupport.parkNanos(1_000_000);
            return "parked: in an initializer";
        }
    }

    /** Makes threads. */
    interface Maker {
        Thread start(Runnable work);
    }

    /** What becomes of so many threads that wait, half of them for channels. */
    static void awaitAll(int count, Maker maker) throws Exception {
        int channels = 50;
        List<Pipe> pipes = new ArrayList<>();
        for (int at = 0; at < channels; at++) {
            Pipe pipe = Pipe.open();
            pipe.source().configureBlocking(false);
            pipes.add(pipe);
        }
        ConcurrentHashMap<String, AtomicInteger> told = new ConcurrentHashMap<>();
        try (SelectorHost host = SelectorHost.start(ReactorOptions.DEFAULT)) {
            Waitable event = host.reactor().call(host.reactor()::event).get(20, TimeUnit.SECONDS);
            CountDownLatch over = new CountDownLatch(count);
            List<Thread> threads = new ArrayList<>();
            for (int at = 0; at < count; at++) {
                int which = at;
                threads.add(
                        maker.start(
                                () -> {
                                    String answer = await(host, which, event, pipes);
                                    told.computeIfAbsent(answer, none -> new AtomicInteger())
                                            .incrementAndGet();
                                    over.countDown();
                                }));
            }
            while (waits(host) < count) {
                Thread.onSpinWait();
            }
            for (int at = 0; at < count; at += 10) {
                threads.get(at).interrupt();
            }
            while (over.getCount() > count - count / 10) {
                Thread.onSpinWait();
            }
            for (Pipe pipe : pipes) {
                assertTrue(pipe.source().isOpen());
                pipe.sink().write(ByteBuffer.wrap(new byte[] {1}));
            }
            event.signal(READABLE);
            assertTrue(over.await(60, TimeUnit.SECONDS), () -> over.getCount() + " are left");
            for (Thread thread : threads) {
                thread.join();
            }
            while (waits(host) > 0) {
                Thread.onSpinWait();
            }
        }
        assertEquals(count / 10, told.get("interrupted").get());
        assertEquals(count - count / 10, told.get("READABLE").get(), told::toString);
        for (Pipe pipe : pipes) {
            pipe.source().close();
            pipe.sink().close();
        }
    }

    private static long waits(SelectorHost host) throws Exception {
        return host.reactor().call(host.reactor()::stats).get(20, TimeUnit.SECONDS).waits();
    }

    private static String await(SelectorHost host, int which, Waitable event, List<Pipe> pipes) {
        Duration timeout = which % 3 == 0 ? null : Duration.ofDays(1);
        try {
            Readiness ready =
                    which % 2 == 0
                            ? host.reactor().awaitReady(event, READABLE, timeout)
                            : host.awaitReady(
                                    pipes.get(which % pipes.size()).source(), READABLE, timeout);
            assertSame(READABLE, ready);
            return ready.toString();
        } catch (InterruptedException interrupt) {
            return "interrupted";
        } catch (IOException failure) {
            return failure.toString();
        }
    }
}
