package io.awsgi.bench;

import io.awsgi.core.ReactorOptions;
import io.awsgi.core.Readiness;
import io.awsgi.core.SelectorHost;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;

/** Many virtual threads, each of which waits for a channel with {@link SelectorHost#awaitReady}. */
public final class VirtualThreads {
    private static final String PINNED = "jdk.VirtualThreadPinned";
    private static final String REFUSED = "jdk.VirtualThreadSubmitFailed";

    private VirtualThreads() {}

    /**
     * Who parks in its initializer pins its carrier: a frame of the virtual machine is below it.
     */
    private static final class Pins {
        static final long PARKED = parked();

        private static long parked() {
            long begin = System.nanoTime();
            LockSupport.parkNanos(20_000_000);
            return System.nanoTime() - begin;
        }
    }

    /** {@code Thread.startVirtualThread}, which these classes are too old to call. */
    private static MethodHandle starter() throws ReflectiveOperationException {
        return MethodHandles.publicLookup()
                .findStatic(
                        Thread.class,
                        "startVirtualThread",
                        MethodType.methodType(Thread.class, Runnable.class));
    }

    private static long heap() {
        System.gc();
        Runtime runtime = Runtime.getRuntime();
        return runtime.totalMemory() - runtime.freeMemory();
    }

    /**
     * Prints how often a thread pinned its carrier, without the one that is made to; microseconds
     * for each thread until all wait, and from the first datagram until all have ended; bytes of
     * heap for each that waits, its stack included; and how often the carriers refused one.
     *
     * @param args how many threads, and on how many channels
     * @throws Throwable what it cannot go on after
     */
    public static void main(String[] args) throws Throwable {
        int threads = Integer.parseInt(args[0]);
        int channels = Integer.parseInt(args[1]);
        MethodHandle start = starter();
        DatagramChannel[] sockets = new DatagramChannel[channels];
        for (int at = 0; at < channels; at++) {
            sockets[at] = DatagramChannel.open();
            sockets[at].bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            sockets[at].configureBlocking(false);
        }
        Path file = Files.createTempFile("awsgi", ".jfr");
        CountDownLatch ended = new CountDownLatch(threads);
        AtomicInteger ready = new AtomicInteger();
        try (Recording recording = new Recording();
                SelectorHost host = SelectorHost.start(ReactorOptions.DEFAULT)) {
            recording.enable(PINNED).withoutThreshold();
            recording.enable(REFUSED);
            recording.start();
            ((Thread) start.invoke((Runnable) () -> Figures.check(Pins.PARKED > 0, "time"))).join();

            // A class that is loaded when it is first used pins whoever waits for that.
            Runnable first =
                    () -> {
                        try {
                            host.awaitReady(sockets[0], Readiness.READABLE, Duration.ofMillis(1));
                        } catch (Exception wrong) {
                            throw new IllegalStateException(wrong);
                        }
                    };
            ((Thread) start.invoke(first)).join();

            long empty = heap();
            long begin = System.nanoTime();
            for (int at = 0; at < threads; at++) {
                DatagramChannel socket = sockets[at % channels];
                Runnable wait =
                        () -> {
                            try {
                                if (host.awaitReady(socket, Readiness.READABLE, null)
                                        .isReadable()) {
                                    ready.incrementAndGet();
                                }
                            } catch (Exception wrong) {
                                throw new IllegalStateException(wrong);
                            } finally {
                                ended.countDown();
                            }
                        };
                Thread unused = (Thread) start.invoke(wait);
            }
            while (host.reactor().call(() -> host.reactor().stats().waits()).get() < threads) {
                Thread.sleep(1);
            }
            long waiting = System.nanoTime() - begin;
            double heap = heap() - empty;

            begin = System.nanoTime();
            try (DatagramChannel sender = DatagramChannel.open()) {
                for (DatagramChannel socket : sockets) {
                    sender.send(ByteBuffer.allocate(1), socket.getLocalAddress());
                }
            }
            ended.await();
            long ending = System.nanoTime() - begin;
            recording.stop();
            recording.dump(file);
            Figures.check(ready.get() == threads, "channels that are ready");

            int pinned = -1;
            int refused = 0;
            for (RecordedEvent event : RecordingFile.readAllEvents(file)) {
                if (event.getEventType().getName().equals(PINNED)) {
                    pinned++;
                } else {
                    refused++;
                }
            }
            Figures.check(pinned >= 0, "the thread that pins its carrier was not recorded");
            Figures.print(
                    pinned,
                    waiting / 1e3 / threads,
                    ending / 1e3 / threads,
                    heap / threads,
                    refused);
        } finally {
            Files.delete(file);
        }
    }
}
