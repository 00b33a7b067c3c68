package io.awsgi.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(NothingLeft.class)
final class AwsgiTest {
    @Test
    void theVersionIsThatOfTheCrate() throws Exception {
        Path manifest = SourceTree.find("Cargo.toml");
        assumeTrue(manifest != null, "only in the source tree, which has Cargo.toml");
        assertTrue(
                Files.readString(manifest).contains("\nversion = \"" + Awsgi.VERSION + "\"\n"),
                "Awsgi.VERSION is " + Awsgi.VERSION + ", and Cargo.toml has another");
    }

    @Test
    void theLibraryOfThisBuildIsAvailable() {
        String name =
                "META-INF/native/"
                        + Platform.CLASSIFIER
                        + "/"
                        + System.mapLibraryName("awsgi")
                        + ".sha256";
        assumeTrue(
                Awsgi.class.getClassLoader().getResource(name) != null,
                "there is no awsgi-native on the class path of this run");
        Awsgi.ensureAvailable();
        assertTrue(Awsgi.isAvailable());
        assertNull(Awsgi.unavailabilityCause());
        assertEquals(Awsgi.VERSION, Awsgi.version().classes());
        assertEquals(StandIn.VERSION, Awsgi.version().library());
        assertTrue(Awsgi.libraryPath().isAbsolute());
    }

    @Test
    void versionsAreWrittenForALog() {
        assertEquals(
                "1.2.3 (native library 1.2.4)", new Awsgi.Version("1.2.3", "1.2.4").toString());
        assertEquals(
                "1.2.3 (native library not available)",
                new Awsgi.Version("1.2.3", null).toString());
    }
}
