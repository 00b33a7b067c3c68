package io.awsgi.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Virtual threads wait as others do, and pin nothing. */
@Tag("virtual")
@ExtendWith(NothingLeft.class)
class VirtualThreadTest {
    @TempDir Path temporary;

    private static <T> CompletableFuture<T> virtually(Callable<T> work) {
        CompletableFuture<T> answer = new CompletableFuture<>();
        VirtualOnce.start(
                () -> {
                    try {
                        answer.complete(work.call());
                    } catch (Throwable failure) {
                        answer.completeExceptionally(failure);
                    }
                });
        return answer;
    }

    @Test
    void tenThousandWaitAtOnceAndOneInTenIsInterrupted() throws Exception {
        VirtualOnce.awaitAll(10_000, VirtualOnce::start);
    }

    @Test
    void aReactorIsNotOpenedOnOne() throws Exception {
        ReactorBridge.Host nobody =
                new ReactorBridge.Host() {
                    @Override
                    public void wakeup() {}

                    @Override
                    public void watch(Waitable waitable, Readiness interest) {}
                };
        for (Callable<?> open :
                java.util.List.<Callable<?>>of(
                        () -> ReactorBridge.open(nobody, ReactorOptions.DEFAULT),
                        () -> SelectorHost.open(ReactorOptions.DEFAULT))) {
            Object refused =
                    virtually(open)
                            .handle((none, failure) -> (Object) failure)
                            .get(20, TimeUnit.SECONDS);
            assertEquals(IllegalStateException.class, refused.getClass(), refused::toString);
            assertTrue(refused.toString().contains("platform thread"), refused::toString);
        }
    }

    @Test
    void oneThatStartsAHostHasItOnAPlatformThread() throws Exception {
        SelectorHost host =
                virtually(() -> SelectorHost.start(ReactorOptions.DEFAULT))
                        .get(20, TimeUnit.SECONDS);
        Waitable event = host.reactor().call(host.reactor()::event).get(20, TimeUnit.SECONDS);
        event.signal(Readiness.READABLE);
        virtually(() -> host.reactor().awaitReady(event, Readiness.READABLE, null))
                .get(20, TimeUnit.SECONDS);
        virtually(
                        () -> {
                            host.close();
                            return "";
                        })
                .get(20, TimeUnit.SECONDS);
        assertTrue(host.reactor().whenClosed().isDone());
    }

    /** How often the flight recorder of a JVM that does this saw a carrier pinned. */
    private int pinned(String what) throws Exception {
        Path tool = Path.of(System.getProperty("java.home"), "bin", "jfr");
        assumeTrue(Files.isExecutable(tool), "this JDK has no flight recorder");
        Path recording = temporary.resolve(what + ".jfr");
        Path folder = Files.createDirectory(temporary.resolve(what));
        new ChildJvm(folder)
                .program(VirtualOnce.class)
                .withLibrary()
                .with(
                        "-XX:StartFlightRecording:settings=none,filename="
                                + recording
                                + ",+jdk.VirtualThreadPinned#enabled=true"
                                + ",+jdk.VirtualThreadPinned#threshold=0ms"
                                + ",+jdk.VirtualThreadStart#enabled=true")
                .run(what);
        String summary = run(tool.toString(), "summary", recording.toString());
        assertTrue(count(summary, "jdk.VirtualThreadStart") > 0, summary);
        return count(summary, "jdk.VirtualThreadPinned");
    }

    private static int count(String summary, String event) {
        return summary.lines()
                .map(line -> line.strip().split("\\s+"))
                .filter(words -> words[0].equals(event))
                .mapToInt(words -> Integer.parseInt(words[1]))
                .findFirst()
                .orElse(0);
    }

    private static String run(String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertTrue(process.waitFor(60, TimeUnit.SECONDS), said);
        assertEquals(0, process.exitValue(), said);
        return said;
    }

    @Test
    void noneThatWaitsPinsItsCarrier() throws Exception {
        assertTrue(pinned("pin") > 0, "the recorder does not see what is pinned");
        assertEquals(0, pinned("await"));
    }
}
