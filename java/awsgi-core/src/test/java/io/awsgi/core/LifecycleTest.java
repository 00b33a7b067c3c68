package io.awsgi.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Reactors end with what is around them, and hold up the end of nothing. */
@EnabledOnOs(value = OS.LINUX, disabledReason = "what is looked at is Linux's")
@ExtendWith(NothingLeft.class)
class LifecycleTest {
    /** Within a second, says the promise; a machine that is busy may need more. */
    private static final long SOON = 10_000;

    @TempDir Path here;
    private Path temporary;

    @BeforeEach
    void makeTemporaryFolder() throws Exception {
        temporary = Files.createDirectory(here.resolve("temporary"));
    }

    private ChildJvm java() {
        return new ChildJvm(temporary).program(LiveOnce.class).withLibrary();
    }

    @Test
    void aReactorThatIsDroppedIsReportedWithThePlaceWhereItWasMade() throws Exception {
        java().run("leak")
                .has("LEAK: reactor lost", "try-with-resources", "LiveOnce.dropOne(LiveOnce.java:")
                .has("reactors: 1")
                .hasNot("reactor closed");
    }

    @Test
    void twoClassLoadersAtOnceKnowNothingOfEachOther() throws Exception {
        java().run("loaders").has("copies: 2", "watchers: 2").hasNot("different: false");
    }

    @Test
    void anApplicationThatIsDeployedFiftyTimesLeavesNothing() throws Exception {
        java().run("redeploy").has("alive: 0", "copies: 0", "threads: 0", "descriptors: 0");
        try (var left = Files.list(temporary)) {
            assertEquals(0, left.filter(file -> file.toString().contains("awsgi")).count());
        }
    }

    @Test
    void aReactorThatIsLostWithItsClassLoaderIsReportedAndHarmsNobody() throws Exception {
        java().run("lost").has("LEAK: reactor lost");
    }

    private void exits(String how, int status) throws Exception {
        ChildJvm.Output output = java().run(how);
        assertEquals(status, output.status(), output::text);
        long took = output.ended() - Long.parseLong(output.after("exits at: "));
        assertTrue(took < SOON, "it took " + took + " ms");
    }

    @Test
    void aTaskMayEndTheJvm() throws Exception {
        exits("exit in a task", 41);
    }

    @Test
    void aSinkMayEndTheJvm() throws Exception {
        exits("exit in a sink", 42);
    }

    @Test
    void theJvmEndsWhileReactorsTurn() throws Exception {
        exits("exit elsewhere", 43);
    }

    @Test
    void theJvmEndsWithItsMainThreadWhateverIsOpen() throws Exception {
        exits("return", 0);
    }

    @Test
    void noSignalIsHandledAndChildrenTellWhatTheyEndedWith() throws Exception {
        java().run("signals").has("signals: ");
    }

    @Test
    void withoutMemoryAWaitIsStartedOrNot() throws Exception {
        String name =
                "META-INF/native/" + Platform.CLASSIFIER + "/" + System.mapLibraryName("awsgi");
        URL library = LifecycleTest.class.getClassLoader().getResource(name);
        // The library is read whole, which takes its size twice.
        long loading = library == null ? 0 : library.openConnection().getContentLengthLong() >> 19;
        for (int members : new int[] {1, 8}) {
            for (int megabytes : new int[] {26, 34, 42}) {
                java().with("-Xmx" + (loading + megabytes) + "m")
                        .run("memory", "" + members)
                        .has("without memory: ");
            }
        }
    }
}
