package io.awsgi.core;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A bug of the library's is an exception with its words, and nobody else's trouble. */
class FaultTest {
    @TempDir Path temporary;

    /** Breaks it, in a library that can be broken. */
    private void breaks(String how) throws Exception {
        Path library = Path.of(System.getProperty("awsgi.test.faults", ""));
        assumeTrue(
                Files.isRegularFile(library),
                () ->
                        "there is no library with planted faults: give one with -Dawsgi.faults, or"
                                + " leave out -Dawsgi.library, and cargo builds it");
        new ChildJvm(temporary)
                .program(BreakOnce.class)
                .with("-Dawsgi.library.path=" + library)
                .run(how)
                .has("told: ");
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
    void aReactorThatBreaksEachTimeIsLeftAndKeepsNobody() throws Exception {
        breaks("for ever");
    }

    @Test
    void aReactorThatBreaksWhileItIsClosedIsClosed() throws Exception {
        breaks("close");
    }
}
