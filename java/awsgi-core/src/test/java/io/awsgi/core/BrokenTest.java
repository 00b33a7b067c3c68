package io.awsgi.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.channels.Pipe;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * A loop whose selector fails, be it Java's or the library's, ends once, and all its waits with it.
 */
@ExtendWith(NothingLeft.class)
class BrokenTest {
    private static final Readiness READABLE = Readiness.READABLE;

    @Test
    void aHostWhoseSelectorFailsEnds() throws Exception {
        Pipe pipe = Pipe.open();
        pipe.source().configureBlocking(false);
        SelectorHost host = SelectorHost.start(ReactorOptions.DEFAULT);
        CompletableFuture<Readiness> wait = host.whenReady(pipe.source(), READABLE, null);
        Watched watched =
                (Watched)
                        host.reactor()
                                .call(() -> host.waitable(pipe.source()).object())
                                .get(20, TimeUnit.SECONDS);
        Thread loop = host.reactor().call(Thread::currentThread).get(20, TimeUnit.SECONDS);
        watched.key.selector().close();
        host.reactor().whenClosed().get(20, TimeUnit.SECONDS);
        assertEquals(
                ReactorClosedException.class,
                assertThrows(ExecutionException.class, () -> wait.get(20, TimeUnit.SECONDS))
                        .getCause()
                        .getClass());
        host.close();
        loop.join(20_000);
        assertFalse(loop.isAlive());
        pipe.source().close();
        pipe.sink().close();
    }
}
