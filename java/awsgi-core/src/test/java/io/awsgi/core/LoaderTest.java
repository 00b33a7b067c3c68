package io.awsgi.core;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.jar.Attributes;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** How the library is found and loaded, and what is said if it cannot be. */
@EnabledOnOs(value = OS.LINUX, disabledReason = "what is tested is how Linux loads libraries")
@ExtendWith(NothingLeft.class)
final class LoaderTest {
    private static final String NAME = "libawsgi.so";
    private static final String FOLDER = "META-INF/native/" + Platform.CLASSIFIER + "/";

    @TempDir static Path built;
    private static Path fitting;
    private static Path mismatched;

    @TempDir Path here;
    private Path temporary;

    @BeforeAll
    static void compile() throws IOException {
        assumeTrue(CLibrary.isPossible(), "there is no C compiler `cc` for libraries to load");
        fitting = StandIn.fitting(built.resolve("fitting.so"));
        mismatched = StandIn.mismatched(built.resolve("mismatched.so"));
    }

    @BeforeEach
    void makeTemporaryFolder() throws IOException {
        temporary = Files.createDirectory(here.resolve("temporary"));
    }

    @AfterEach
    void nothingIsLeft() throws IOException {
        try (Stream<Path> left = Files.list(temporary)) {
            assertEquals(List.of(), left.toList());
        }
    }

    private ChildJvm java() {
        return new ChildJvm(temporary);
    }

    /** A folder for the class path that has this library as awsgi-native has it. */
    private Path natives(String folder, Path library) throws Exception {
        return natives(folder, library, Platform.CLASSIFIER);
    }

    private Path natives(String folder, Path library, String classifier) throws Exception {
        Path root = here.resolve(folder);
        Path inside = Files.createDirectories(root.resolve("META-INF/native/" + classifier));
        Files.copy(library, inside.resolve(NAME));
        byte[] digest = MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(library));
        Files.writeString(
                inside.resolve(NAME + ".sha256"), HexFormat.of().formatHex(digest) + "\n");
        return root;
    }

    /** The same as a jar. */
    private Path jar(String name, Path root) throws IOException {
        Manifest manifest = new Manifest();
        manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
        manifest.getMainAttributes().putValue("Automatic-Module-Name", "io.awsgi.natives.test");
        Path jar = here.resolve(name);
        try (OutputStream out = Files.newOutputStream(jar);
                JarOutputStream entries = new JarOutputStream(out, manifest)) {
            for (String file : List.of(NAME, NAME + ".sha256")) {
                entries.putNextEntry(new JarEntry(FOLDER + file));
                Files.copy(root.resolve(FOLDER + file), entries);
                entries.closeEntry();
            }
        }
        return jar;
    }

    private Path folderWith(String folder, Path library) throws IOException {
        Path made = Files.createDirectory(here.resolve(folder));
        Files.copy(library, made.resolve(NAME));
        return made;
    }

    private static String noLibraryPath() {
        return "-Djava.library.path=/nonexistent";
    }

    // ---- Where it is found

    @Test
    void aFileThatIsGivenIsLoadedWhereItIs() throws Exception {
        ChildJvm.Output output = java().with("-Dawsgi.library.path=" + fitting).run();
        output.has(
                "available: true",
                "version: " + Awsgi.VERSION + " (native library " + StandIn.VERSION + ")",
                "file: true");
        assertEquals(fitting.toRealPath().toString(), output.after("path: "));
    }

    @Test
    void aFolderThatIsGivenHasTheLibrary() throws Exception {
        Path folder = folderWith("given", fitting);
        ChildJvm.Output output = java().with("-Dawsgi.library.path=" + folder).run();
        assertEquals(folder.toRealPath().resolve(NAME).toString(), output.after("path: "));
    }

    @Test
    void theFoldersOfTheLibraryPathAreLookedThrough() throws Exception {
        Path folder = folderWith("given", fitting);
        String path = "/nonexistent" + File.pathSeparator + folder;
        ChildJvm.Output output = java().with("-Djava.library.path=" + path).run();
        assertEquals(folder.toRealPath().resolve(NAME).toString(), output.after("path: "));
    }

    @Test
    void anEmptyElementOfTheLibraryPathIsNotTheCurrentFolder() throws Exception {
        Path folder = folderWith("current", fitting);
        java().in(folder).with("-Djava.library.path=::").run().has("available: false");
    }

    @Test
    void aResourceIsCopiedLoadedAndDeleted() throws Exception {
        ChildJvm.Output output =
                java().with(noLibraryPath()).with(natives("natives", fitting)).run();
        output.has("available: true", "mapped: true", "file: false", "finds itself: 1");
        assertTrue(output.after("path: ").startsWith(temporary.toRealPath() + "/awsgi-"));
    }

    @Test
    void aJarIsAsGoodAsAFolder() throws Exception {
        Path jar = jar("natives.jar", natives("natives", fitting));
        java().with(noLibraryPath()).with(jar).run().has("available: true", "mapped: true");
    }

    @Test
    void anotherFolderForTheCopyIsMadeIfNeeded() throws Exception {
        Path workdir = here.resolve("to/be/made");
        ChildJvm.Output output =
                java().with(noLibraryPath())
                        .with("-Dawsgi.native.workdir=" + workdir)
                        .with(natives("natives", fitting))
                        .run();
        assertTrue(output.after("path: ").startsWith(workdir.toRealPath() + "/awsgi-"));
        try (Stream<Path> left = Files.list(workdir)) {
            assertEquals(0, left.count());
        }
    }

    @Test
    void aMismatchedLibraryOfTheSystemIsPassedOver() throws Exception {
        java().with("-Djava.library.path=" + folderWith("system", mismatched))
                .with(natives("natives", fitting))
                .run()
                .has("available: true", "native library " + StandIn.VERSION, "file: false")
                .hasNot("WARNING");
    }

    @Test
    void theSameLibraryTwiceOnTheClassPathIsOne() throws Exception {
        java().with(noLibraryPath())
                .with(natives("one", fitting))
                .with(natives("two", fitting))
                .run()
                .has("available: true")
                .hasNot("WARNING");
    }

    @Test
    void ofDifferentLibrariesOnTheClassPathBothAreNamed() throws Exception {
        Path one = natives("one", mismatched);
        Path two = natives("two", fitting);
        java().with(noLibraryPath())
                .with(one)
                .with(two)
                .run()
                .has("available: true", "native library " + StandIn.VERSION, "WARNING")
                .has(one.resolve(FOLDER).toString(), two.resolve(FOLDER).toString());
    }

    @Test
    void onTheModulePathItIsFoundInAModuleThatIsResolved() throws Exception {
        assumeTrue(ChildJvm.canBeModular(), "these classes are no module");
        Path jar = jar("natives.jar", natives("natives", fitting));
        java().with(noLibraryPath())
                .modular(jar)
                .with("--add-modules=io.awsgi.natives.test")
                .run()
                .has("available: true");
        java().with(noLibraryPath()).modular(jar).run().has("available: false", "--add-modules");
        java().with(noLibraryPath()).modular().with(jar).run().has("available: true");
    }

    // ---- What is said if it is not

    @Test
    void aMissingLibraryIsToldWithTheArtifactThatHasIt() throws Exception {
        java().with(noLibraryPath())
                .run()
                .has(
                        "available: false",
                        "version: " + Awsgi.VERSION + " (native library not available)")
                .has("- java.library.path=/nonexistent: no " + NAME)
                .has("- resource " + FOLDER + NAME + ": not there")
                .has("<artifactId>awsgi-native</artifactId>")
                .has("<classifier>" + Platform.CLASSIFIER + "</classifier>")
                .has(Platform.describe(), "suppressed: 2", "same: true")
                .has("thrown: true with 2")
                .hasNot("thrown: nothing");
    }

    @Test
    void theArtifactOfAnotherPlatformIsNamed() throws Exception {
        String other =
                Platform.CLASSIFIER.equals("linux-x86_64-musl")
                        ? "linux-aarch_64"
                        : "linux-x86_64-musl";
        java().with(noLibraryPath())
                .with(natives("natives", fitting, other))
                .run()
                .has("available: false", "the class path has it for " + other);
    }

    @Test
    void whoNamesALibraryGetsNoOther() throws Exception {
        Path missing = here.resolve("missing.so");
        java().with("-Dawsgi.library.path=" + missing)
                .with("-Djava.library.path=" + folderWith("system", fitting))
                .with(natives("natives", fitting))
                .run()
                .has(
                        "available: false",
                        "-Dawsgi.library.path=" + missing + ": there is no such file")
                .has("nothing else is tried while it is set", "suppressed: 1");
        java().with("-Dawsgi.library.path=" + temporary)
                .run()
                .has("available: false", "the folder has no " + NAME);
    }

    @Test
    void itCanBeSwitchedOff() throws Exception {
        java().with("-Dawsgi.native=false")
                .with("-Dawsgi.library.path=" + fitting)
                .run()
                .has("available: false", "-Dawsgi.native=false: the library is switched off");
        java().with("-Dawsgi.native=off").run().has("available: false", "neither true nor false");
        java().with("-Dawsgi.native=TRUE")
                .with("-Dawsgi.library.path=" + fitting)
                .run()
                .has("available: true");
    }

    @Test
    void damagedFilesAreToldAndDoNotKillTheJvm() throws Exception {
        byte[] whole = Files.readAllBytes(fitting);
        byte[] random = new byte[whole.length];
        new Random(1).nextBytes(random);
        byte[] garbled = random.clone();
        System.arraycopy(whole, 0, garbled, 0, 64);

        Path file = here.resolve("damaged.so");
        Files.write(file, Arrays.copyOf(whole, whole.length / 2));
        java().with("-Dawsgi.library.path=" + file)
                .run()
                .has("available: false", "damaged: it was cut short", file.toString());
        Files.write(file, Arrays.copyOf(whole, 10));
        java().with("-Dawsgi.library.path=" + file).run().has("available: false", "no ELF");
        Files.write(file, new byte[0]);
        java().with("-Dawsgi.library.path=" + file).run().has("available: false", "it is empty");
        Files.write(file, random);
        java().with("-Dawsgi.library.path=" + file).run().has("available: false", "no ELF");
        Files.write(file, garbled);
        java().with("-Dawsgi.library.path=" + file).run().has("available: false", "damaged");
    }

    @Test
    void aDamagedResourceIsNotLoaded() throws Exception {
        Path root = natives("natives", fitting);
        byte[] bytes = Files.readAllBytes(fitting);
        bytes[bytes.length - 1] ^= 1;
        Files.write(root.resolve(FOLDER + NAME), bytes);
        java().with(noLibraryPath())
                .with(root)
                .run()
                .has("available: false", "its SHA-256 is", "the jar is damaged", root.toString());

        Files.delete(root.resolve(FOLDER + NAME + ".sha256"));
        java().with(noLibraryPath())
                .with(root)
                .run()
                .has("available: false", "no " + NAME + ".sha256 beside it");
    }

    @Test
    void aMismatchNamesBothVersionsAndWhatToAlign() throws Exception {
        java().with("-Dawsgi.library.path=" + mismatched)
                .run()
                .has(
                        "available: false",
                        "it is version 9.8.7 and these classes are " + Awsgi.VERSION)
                .has("use awsgi-core and awsgi-native of one version");
    }

    @Test
    void aLibraryWithoutABridgeIsTold() throws Exception {
        Path plain = StandIn.withoutBridge(here.resolve("plain.so"));
        java().with("-Dawsgi.library.path=" + plain)
                .run()
                .has("available: false", "it has no bridge for these classes", "feature jni");
        Path hollow = StandIn.hollow(here.resolve("hollow.so"));
        java().with("-Dawsgi.library.path=" + hollow)
                .run()
                .has("available: false", "it has no bridge for these classes");
    }

    @Test
    void aLibraryOfAnotherMachineIsToldBeforeItIsLoaded() throws Exception {
        byte[] bytes = Files.readAllBytes(fitting);
        boolean arm = Platform.ARCH.equals("aarch_64");
        bytes[18] = (byte) (arm ? 62 : 183);
        bytes[19] = 0;
        Path file = here.resolve("other.so");
        Files.write(file, bytes);
        java().with("-Dawsgi.library.path=" + file)
                .run()
                .has("available: false", "it is made for " + (arm ? "x86_64" : "aarch_64"))
                .has("<classifier>" + Platform.CLASSIFIER + "</classifier>");
    }

    @Test
    void aLibraryOfAnotherCLibraryIsToldBeforeItIsLoaded() throws Exception {
        assumeTrue(Platform.LIBC == Platform.Libc.GLIBC, "this JVM uses musl");
        Path file = StandIn.ofMusl(here.resolve("musl.so"));
        java().with("-Dawsgi.library.path=" + file)
                .run()
                .has("made for the C library musl, and this JVM uses glibc");
    }

    @Test
    void aVolumeWithoutExecutionIsNamedWithTheRemedy() throws Exception {
        Path volume = Files.createDirectory(here.resolve("volume"));
        // A mount of its own, which ends with the process. What is left on it is told by ls.
        String script =
                "mount -t tmpfs -o noexec,size=16m awsgi-test \"$0\" || exit 77; \"$@\"; s=$?;"
                        + " echo \"left: $(ls -A \"$0\")\"; exit $s";
        String[] own = {"unshare", "--mount", "sh", "-c", script, volume.toString()};
        assumeTrue(succeeds(own), "this user cannot mount a volume");
        ChildJvm.Output output =
                java().under(own)
                        .with(noLibraryPath())
                        .with("-Dawsgi.native.workdir=" + volume)
                        .with(natives("natives", fitting))
                        .run();
        output.has("available: false", "the volume " + volume.toRealPath() + " is mounted noexec")
                .has("-Dawsgi.native.workdir=<folder>");
        assertEquals("", output.after("left: "));
    }

    private static boolean succeeds(String... command) throws Exception {
        String[] all = Arrays.copyOf(command, command.length + 1);
        all[command.length] = "true";
        try {
            Process process =
                    new ProcessBuilder(all)
                            .redirectErrorStream(true)
                            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                            .start();
            return process.waitFor() == 0;
        } catch (IOException none) {
            return false;
        }
    }

    @Test
    void aFolderThatCannotBeWrittenIsNamedWithTheRemedy() throws Exception {
        Path file = Files.writeString(here.resolve("file"), "not a folder", UTF_8);
        java().with(noLibraryPath())
                .with("-Dawsgi.native.workdir=" + file)
                .with(natives("natives", fitting))
                .run()
                .has("available: false", "cannot be copied to " + file)
                .has("-Dawsgi.native.workdir=<folder>");
    }

    @Test
    void aJvmThatDeniesNativeAccessIsToldTheOption() throws Exception {
        assumeTrue(Runtime.version().feature() >= 24, "this JVM denies nothing");
        java().with(noLibraryPath())
                .denied()
                .with(natives("natives", fitting))
                .run()
                .has("available: false", "--enable-native-access=ALL-UNNAMED", "suppressed: 2");
        assumeTrue(ChildJvm.canBeModular(), "these classes are no module");
        java().with(noLibraryPath())
                .modular()
                .denied()
                .with(here.resolve("natives"))
                .run()
                .has("available: false", "--enable-native-access=io.awsgi.core");
    }

    // ---- Threads and class loaders

    @Test
    void eightThreadsLoadItOnce() throws Exception {
        java().with(noLibraryPath())
                .with(natives("natives", fitting))
                .run("threads")
                .has("different: 1", "copies: 1", "available: true");
    }

    @Test
    void aThreadThatIsInterruptedLoadsItAndStaysSo() throws Exception {
        java().with(noLibraryPath())
                .with(natives("natives", fitting))
                .run("interrupted")
                .has("available: true", "interrupted: true");
    }

    @Test
    void eachClassLoaderHasItsCopyOfAResource() throws Exception {
        ChildJvm.Output output =
                java().with(noLibraryPath()).with(natives("natives", fitting)).run("loaders");
        output.has("copies: 2").hasNot("available: false", "finds itself: 0");
        assertNotEquals(output.after("path of one: "), output.after("path of other: "));
    }

    @Test
    void eachClassLoaderHasItsCopyOfAFile() throws Exception {
        Path folder = folderWith("given", fitting);
        ChildJvm.Output output = java().with("-Dawsgi.library.path=" + folder).run("loaders");
        output.has("copies: 2").hasNot("available: false", "finds itself: 0");
        assertEquals(folder.toRealPath().resolve(NAME).toString(), output.after("path of one: "));
        assertNotEquals(output.after("path of one: "), output.after("path of other: "));
    }

    @Test
    void aClassLoaderThatIsGoneLeavesNothing() throws Exception {
        java().with(noLibraryPath())
                .with(natives("natives", fitting))
                .run("redeploy")
                .has("alive: 0", "copies: 0");
    }
}
