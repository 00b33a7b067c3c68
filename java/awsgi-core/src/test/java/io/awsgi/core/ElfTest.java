package io.awsgi.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

@EnabledOnOs(value = OS.LINUX, disabledReason = "only Linux has ELF files to look at")
@ExtendWith(NothingLeft.class)
final class ElfTest {
    @TempDir Path here;

    /** A whole library that is surely there: one of the JVM's. */
    private byte[] whole;

    @BeforeEach
    void read() throws IOException {
        whole = Files.readAllBytes(Path.of(System.getProperty("java.home"), "lib/libjava.so"));
    }

    private Path file(byte[] bytes) throws IOException {
        return Files.write(here.resolve("library.so"), bytes);
    }

    @Test
    void aLibraryOfTheJvmFitsTheJvm() throws IOException {
        Elf elf = Elf.read(file(whole));
        assertEquals(Platform.ARCH, elf.architecture());
        assertSame(Platform.LIBC, elf.libc());
        assertNull(elf.misfit(Platform.ARCH, Platform.LIBC));
        assertNotNull(elf.misfit("sparc", Platform.LIBC));
    }

    @Test
    void aFileThatWasCutShortIsNoLibrary() throws IOException {
        // What comes last in it is not loaded, and may be missing.
        for (int parts = 1; parts <= 5; parts++) {
            Path file = file(Arrays.copyOf(whole, whole.length / 10 * parts));
            IOException damaged = assertThrows(IOException.class, () -> Elf.read(file));
            assertTrue(damaged.getMessage().contains("damaged"), damaged.getMessage());
        }
    }

    @Test
    void whateverIsInAFileItIsReadOrRefused() throws IOException {
        Random random = new Random(42);
        for (int round = 0; round < 500; round++) {
            byte[] bytes = whole.clone();
            for (int change = 0; change < 4; change++) {
                // Header and segments.
                bytes[random.nextInt(64 + 12 * 56)] = (byte) random.nextInt();
            }
            Path file = file(bytes);
            try {
                Elf.read(file).misfit(Platform.ARCH, Platform.LIBC);
            } catch (IOException refused) {
                assertTrue(refused.getMessage().contains("damaged"), refused.getMessage());
            }
        }
    }
}
