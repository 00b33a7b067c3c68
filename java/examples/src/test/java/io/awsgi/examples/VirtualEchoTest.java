package io.awsgi.examples;

import static org.junit.jupiter.api.Assertions.assertInstanceOf;

import io.awsgi.core.ReactorClosedException;
import io.awsgi.core.ReactorOptions;
import io.awsgi.core.SelectorHost;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;

/** Its source is for Java 21, and is compiled here: the module is for 17. */
@Tag("virtual")
class VirtualEchoTest extends EchoScenarios {
    private static URLClassLoader loader;
    private static MethodHandle serve;

    @BeforeAll
    static void compile(@TempDir Path classes) throws Exception {
        Source.compile("src/main/java21/io/awsgi/examples/VirtualEcho.java", 21, classes);
        loader = new URLClassLoader(new URL[] {classes.toUri().toURL()});
        serve =
                MethodHandles.publicLookup()
                        .findStatic(
                                loader.loadClass("io.awsgi.examples.VirtualEcho"),
                                "serve",
                                MethodType.methodType(
                                        void.class,
                                        SelectorHost.class,
                                        ServerSocketChannel.class,
                                        Duration.class));
    }

    @AfterAll
    static void close() throws Exception {
        loader.close();
    }

    @Override
    Running start(Duration idle) throws Exception {
        ServerSocketChannel server = NioEchoTest.listen();
        SelectorHost host = SelectorHost.start(ReactorOptions.DEFAULT);
        CompletableFuture<Throwable> served = new CompletableFuture<>();
        new Thread(
                        () -> {
                            try {
                                serve.invokeExact(host, server, idle);
                            } catch (Throwable over) {
                                served.complete(over);
                            }
                        })
                .start();
        return new Running(
                server.socket().getLocalPort(),
                () -> {
                    host.close();
                    assertInstanceOf(ReactorClosedException.class, served.join());
                    server.close();
                });
    }
}
