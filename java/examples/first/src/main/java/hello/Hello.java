package hello;

import io.awsgi.core.ReactorOptions;
import io.awsgi.core.Readiness;
import io.awsgi.core.SelectorHost;
import java.nio.ByteBuffer;
import java.nio.channels.Pipe;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;

public final class Hello {
    public static void main(String[] arguments) throws Exception {
        Pipe pipe = Pipe.open();
        pipe.source().configureBlocking(false);
        try (SelectorHost host = SelectorHost.start(ReactorOptions.DEFAULT)) {
            // A future completes on the host's thread, and holds no thread until then.
            CompletableFuture<Readiness> readable =
                    host.whenReady(pipe.source(), Readiness.READABLE, null);
            // This blocks the thread, here the main one, for 100 milliseconds at most: TIMED_OUT.
            System.out.println(
                    host.awaitReady(pipe.source(), Readiness.READABLE, Duration.ofMillis(100)));
            pipe.sink().write(ByteBuffer.wrap(new byte[] {1}));
            System.out.println(readable.join()); // READABLE
        }
    }
}
