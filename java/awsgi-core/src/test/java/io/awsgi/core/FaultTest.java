package io.awsgi.core;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** A bug of the library's is an exception with its words, and nobody else's trouble. */
@ExtendWith(NothingLeft.class)
class FaultTest {
    @TempDir Path temporary;

    private static final Path LIBRARY = Path.of(System.getProperty("awsgi.test.faults", ""));

    /** Breaks it, in a library that can be broken. */
    private void breaks(String how) throws Exception {
        assumeTrue(
                Files.isRegularFile(LIBRARY),
                () ->
                        "there is no library with planted faults: give one with -Dawsgi.faults, or"
                                + " leave out -Dawsgi.library, and cargo builds it");
        java().run(how).has("told: ");
    }

    private ChildJvm java() {
        return new ChildJvm(temporary)
                .program(BreakOnce.class)
                .with("-Dawsgi.library.path=" + LIBRARY);
    }

    @Test
    @EnabledIfEnvironmentVariable(
            named = "LD_PRELOAD",
            matches = ".*libasan.*",
            disabledReason = "these tests run under no sanitizer")
    void theSanitizerThatTheseTestsRunUnderSeesAPlantedFault() throws Exception {
        java().runToAnyEnd("read what was freed")
                .has("AddressSanitizer: heap-use-after-free", "src/jni/cold.rs")
                .hasNot("told: ");
    }

    @Test
    void aPanicInATurnIsThrownWithItsMessageAndWaitsEndWithIt() throws Exception {
        breaks("turn");
    }

    @Test
    void aSinkThatFailsWhenItIsToldOfAPanicKeepsNobodyFromIt() throws Exception {
        breaks("sink");
    }

    @Test
    void aHostThatBreaksEndsAndOthersGoOn() throws Exception {
        breaks("host");
    }

    @Test
    void aPanicInAnOperationIsThrownAndTheReactorGoesOn() throws Exception {
        breaks("submit");
    }

    @Test
    void aPanicInWhatCrossesBetweenTurnsEndsTheReactorOnce() throws Exception {
        breaks("flush");
    }

    @Test
    void aReactorThatBreaksEachTimeIsLeftAndKeepsNobody() throws Exception {
        breaks("for ever");
    }

    @Test
    void aReactorThatBreaksWhileItIsClosedIsClosed() throws Exception {
        breaks("close");
    }
}
