package io.awsgi.core;

import java.io.IOException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;

/**
 * A copy of the library in a folder of its own, which only this user can enter and whose name
 * nobody can foresee. Each class loader has its own copy, because the JVM gives a file to one only.
 */
final class Extraction implements AutoCloseable {
    /** Where the folders are made, if not in {@code java.io.tmpdir}. */
    static final String WORKDIR = "awsgi.native.workdir";

    private final Path folder;

    /** The copy; its path has no symbolic links, so it is the one under which it is loaded. */
    final Path file;

    private Extraction(Path folder, String name) throws IOException {
        this.folder = folder;
        this.file = folder.toRealPath().resolve(name);
    }

    /** Where copies are made. */
    static Path workdir() {
        String given = System.getProperty(WORKDIR, "");
        return Path.of(given.isEmpty() ? System.getProperty("java.io.tmpdir", ".") : given)
                .toAbsolutePath();
    }

    /**
     * Makes a copy.
     *
     * @param workdir in a new folder in this one, which is made too if need be
     * @param name the name of the file
     * @param library what is in it
     */
    static Extraction of(Path workdir, String name, byte[] library) throws IOException {
        // Not always: it refuses a link to a folder.
        if (!Files.isDirectory(workdir)) {
            Files.createDirectories(workdir);
        }
        FileAttribute<?>[] ours =
                FileSystems.getDefault().supportedFileAttributeViews().contains("posix")
                        ? new FileAttribute<?>[] {
                            PosixFilePermissions.asFileAttribute(
                                    PosixFilePermissions.fromString("rwx------"))
                        }
                        : new FileAttribute<?>[0];
        Path folder = Files.createTempDirectory(workdir, "awsgi-", ours);
        Extraction extraction = null;
        try {
            extraction = new Extraction(folder, name);
            Files.write(extraction.file, library, StandardOpenOption.CREATE_NEW);
            return extraction;
        } catch (IOException | RuntimeException e) {
            if (extraction == null) {
                Files.deleteIfExists(folder);
            } else {
                extraction.close();
            }
            throw e;
        }
    }

    /** Deletes the copy; what is loaded stays so. Where that cannot be yet, when the JVM ends. */
    @Override
    public void close() {
        try {
            Files.deleteIfExists(file);
            Files.deleteIfExists(folder);
        } catch (IOException | RuntimeException inUse) {
            // In the order in which they are not to be deleted.
            folder.toFile().deleteOnExit();
            file.toFile().deleteOnExit();
        }
    }
}
