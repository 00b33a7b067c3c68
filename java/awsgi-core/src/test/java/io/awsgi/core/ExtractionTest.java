package io.awsgi.core;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

@ExtendWith(NothingLeft.class)
final class ExtractionTest {
    private static final byte[] LIBRARY = {1, 2, 3};

    @TempDir Path workdir;

    @Test
    void nobodyElseCanEnterTheFolder() throws IOException {
        assumeTrue(
                FileSystems.getDefault().supportedFileAttributeViews().contains("posix"),
                "files have no POSIX permissions here");
        try (Extraction copy = Extraction.of(workdir, "lib", LIBRARY)) {
            Path folder = copy.file.getParent();
            assertEquals(
                    "rwx------",
                    PosixFilePermissions.toString(Files.getPosixFilePermissions(folder)));
            assertArrayEquals(LIBRARY, Files.readAllBytes(copy.file));
        }
    }

    @Test
    void eachCopyHasAPathOfItsOwn() throws IOException {
        try (Extraction one = Extraction.of(workdir, "lib", LIBRARY);
                Extraction other = Extraction.of(workdir, "lib", LIBRARY)) {
            assertNotEquals(one.file, other.file);
        }
    }

    @Test
    void nothingIsLeftAfterIt() throws IOException {
        Path file;
        try (Extraction copy = Extraction.of(workdir, "lib", LIBRARY)) {
            file = copy.file;
        }
        assertFalse(Files.exists(file));
        nothingIsLeft();
    }

    @Test
    void nothingIsLeftOfOneThatFailed() throws IOException {
        assertThrows(
                IOException.class, () -> Extraction.of(workdir, "missing/folder/lib", LIBRARY));
        nothingIsLeft();
    }

    private void nothingIsLeft() throws IOException {
        try (Stream<Path> left = Files.list(workdir)) {
            assertEquals(List.of(), left.toList());
        }
    }
}
