package io.awsgi.netty;

import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.awsgi.core.ReactorClosedException;
import io.awsgi.core.ReactorOptions;
import io.awsgi.core.Readiness;
import io.netty.channel.DefaultEventLoop;
import io.netty.channel.EventLoop;
import io.netty.channel.ManualIoEventLoop;
import io.netty.channel.nio.NioIoHandler;
import io.netty.util.concurrent.Future;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
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
