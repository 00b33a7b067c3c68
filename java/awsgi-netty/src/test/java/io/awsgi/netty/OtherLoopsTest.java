package io.awsgi.netty;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.awsgi.core.ReactorClosedException;
import io.awsgi.core.ReactorOptions;
import io.awsgi.core.Readiness;
import io.awsgi.core.Waitable;
import io.netty.channel.DefaultEventLoop;
import io.netty.channel.EventLoop;
import io.netty.channel.ManualIoEventLoop;
import io.netty.channel.SingleThreadIoEventLoop;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.channel.nio.NioIoHandler;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.RejectedExecutionHandlers;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** Event loops that are not of a group, or do no I/O. */
class OtherLoopsTest {
    @Test
    void aLoopWithoutIoHasAHost() {
        EventLoop loop = new DefaultEventLoop();
        NettyHost host = TestLoop.get(NettyHost.attach(loop, ReactorOptions.DEFAULT));
        assertSame(Readiness.TIMED_OUT, TestLoop.get(host.reactor().sleep(Duration.ofMillis(1))));
        CompletableFuture<Readiness> sleep = host.reactor().sleep(Duration.ofHours(1));
        Future<?> terminated = loop.shutdownGracefully(0, 0, TimeUnit.SECONDS);
        assertThrows(ReactorClosedException.class, () -> TestLoop.get(sleep));
        TestLoop.get(host.reactor().whenClosed());
        assertTrue(terminated.awaitUninterruptibly(20, TimeUnit.SECONDS));
    }

    @Test
    void aLoopWhoseQueueIsFullIsWokenAllTheSame() throws Exception {
        SingleThreadIoEventLoop loop =
                new SingleThreadIoEventLoop(
                        null,
                        new DefaultThreadFactory("test", true),
                        NioIoHandler.newFactory(),
                        16,
                        RejectedExecutionHandlers.reject(),
                        0);
        NettyHost host = TestLoop.get(NettyHost.attach(loop, ReactorOptions.DEFAULT));
        Waitable event = TestLoop.get(host.reactor().call(host.reactor()::event));
        CompletableFuture<Readiness> wait =
                host.reactor().whenReady(event, Readiness.READABLE, null);
        CountDownLatch busy = new CountDownLatch(1);
        CountDownLatch over = new CountDownLatch(1);
        loop.execute(
                () -> {
                    busy.countDown();
                    try {
                        over.await();
                        // Here, too, there is no room.
                        host.reactor().execute(() -> host.reactor().event().close());
                    } catch (InterruptedException interrupt) {
                        throw new AssertionError(interrupt);
                    }
                });
        busy.await();
        assertThrows(
                RejectedExecutionException.class,
                () -> {
                    while (true) {
                        loop.execute(() -> {});
                    }
                });
        event.signal(Readiness.READABLE);
        over.countDown();
        assertSame(Readiness.READABLE, TestLoop.get(wait));
        event.close();
        TestLoop.get(loop.shutdownGracefully(0, 0, TimeUnit.SECONDS));
        TestLoop.get(host.reactor().whenClosed());
    }

    @Test
    void aChannelThatIsEmbeddedInATestIsWaitedForThere() {
        EmbeddedChannel channel = new EmbeddedChannel();
        try (NettyHost host =
                NettyHost.attach(channel.eventLoop(), ReactorOptions.DEFAULT).join()) {
            CompletableFuture<Readiness> wait = host.whenReady(channel, Readiness.READABLE, null);
            channel.runPendingTasks();
            assertFalse(wait.isDone());
            channel.writeInbound("message");
            channel.runPendingTasks();
            assertSame(Readiness.READABLE, wait.join());
            assertEquals("message", host.poll(channel));
        }
        channel.finish();
    }

    @Test
    void aLoopThatIsDrivenByHandHasAHost() {
        ManualIoEventLoop loop =
                new ManualIoEventLoop(Thread.currentThread(), NioIoHandler.newFactory());
        NettyHost host = NettyHost.attach(loop, ReactorOptions.DEFAULT).getNow(null);
        CompletableFuture<Readiness> sleep = host.reactor().sleep(Duration.ofMillis(1));
        long until = System.nanoTime() + TestLoop.LONG.toNanos();
        while (!sleep.isDone()) {
            assertTrue(System.nanoTime() < until);
            loop.run(1_000_000);
        }
        assertSame(Readiness.TIMED_OUT, sleep.getNow(null));
        Future<?> terminated = loop.shutdownGracefully(0, 0, TimeUnit.SECONDS);
        while (!terminated.isDone()) {
            assertTrue(System.nanoTime() < until);
            loop.runNow();
        }
        assertTrue(host.reactor().whenClosed().isDone());
    }
}
