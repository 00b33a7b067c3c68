package io.awsgi.core;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Libraries that take the place of libawsgi while it is loaded, compiled by the C compiler of the
 * machine: one that belongs to these classes, and others that do not.
 */
final class StandIn {
    private StandIn() {}

    /** Given to {@link Native#count}: 1 if {@code dlopen} finds the library by its path. */
    static final int FINDS_ITSELF = 100;

    /** The version of these classes, as the library tells it: three numbers. */
    static final String VERSION = Awsgi.VERSION.replaceFirst("-.*", "");

    // The functions of JNI by their places in its tables, so that no header is needed.
    private static final String BRIDGE =
            """
            #define _GNU_SOURCE
            #include <dlfcn.h>

            typedef struct { const char *name; const char *signature; void *function; } method;

            static int layout(void *env, void *type, int item) {
                static const int items[] = { LAYOUT };
                (void)env; (void)type;
                return item >= 0 && item < (int)(sizeof items / sizeof *items) ? items[item] : -1;
            }

            static long long count(void *env, void *type, int what) {
                Dl_info self;
                void *found;
                (void)env; (void)type;
                if (what != 100 || !dladdr((void *)layout, &self)) return 0;
                found = dlopen(self.dli_fname, RTLD_NOW | RTLD_NOLOAD);
                return found != 0 && dlclose(found) == 0;
            }

            static const method methods[] = {
                { "layout", "(I)I", (void *)layout },
                { "count", "(I)J", (void *)count },
            };

            int JNI_OnLoad(void *vm, void *reserved) {
                void *env = 0, *type;
                void **table = *(void ***)vm;
                (void)reserved;
                ((int (*)(void *, void **, int))table[6])(vm, &env, 0x00010008);
                table = *(void ***)env;
                type = ((void *(*)(void *, const char *))table[6])(env, "io/awsgi/core/Native");
                if (type) ((int (*)(void *, void *, const method *, int))table[215])(env, type, methods, METHODS);
                else ((void (*)(void *))table[17])(env);
                return 0x00010008;
            }
            """;

    /** A library that belongs to these classes. */
    static Path fitting(Path file) throws IOException {
        return bridge(file, 2, Layout.ABI, VERSION.replace('.', ','));
    }

    /** One of version 9.8.7, whose bridge is another. */
    static Path mismatched(Path file) throws IOException {
        return bridge(file, 2, Layout.ABI + 98, "9,8,7");
    }

    /** One that passes the handshake and has nothing behind it. */
    static Path hollow(Path file) throws IOException {
        return bridge(file, 1, Layout.ABI, VERSION.replace('.', ','));
    }

    /** One without a bridge, as a build for C has it. */
    static Path withoutBridge(Path file) throws IOException {
        return CLibrary.compile(file, "int awsgi_version(void) { return 1; }", List.of());
    }

    /** One that needs the C library musl. */
    static Path ofMusl(Path file) throws IOException {
        Path libc = file.resolveSibling("libc-stand-in.so");
        CLibrary.compile(libc, "", List.of("-nostdlib", "-Wl,-soname,libc.musl-x86_64.so.1"));
        CLibrary.compile(
                file,
                "int awsgi_version(void) { return 1; }",
                List.of("-nostdlib", "-Wl,--no-as-needed", libc.toString()));
        Files.delete(libc);
        return file;
    }

    private static Path bridge(Path file, int methods, int abi, String version) throws IOException {
        List<Integer> layout =
                List.of(
                        abi,
                        Layout.SIZE,
                        Layout.ARGUMENTS,
                        Layout.ARGUMENTS_LENGTH,
                        Layout.INPUT,
                        Layout.COMPLETIONS,
                        Layout.CHANGES,
                        Layout.RECORD,
                        Layout.RING,
                        Layout.SHUT,
                        Layout.FLUSH);
        String numbers = layout.toString().replaceAll("[\\[\\] ]", "") + "," + version;
        return CLibrary.compile(
                file, BRIDGE, List.of("-DLAYOUT=" + numbers, "-DMETHODS=" + methods));
    }
}
