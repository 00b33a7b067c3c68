package io.awsgi.core;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Code in C that lives in this process beside the library, as a driver or a codec does: it has
 * descriptors, threads, and the C functions of the library.
 */
final class NativeCode {
    private NativeCode() {}

    // The functions of JNI by their places in its table, so that no header is needed.
    private static final String SOURCE =
            """
            #define _GNU_SOURCE
            #include <dlfcn.h>
            #include <errno.h>
            #include <fcntl.h>
            #include <pthread.h>
            #include <stdint.h>
            #include <sys/eventfd.h>
            #include <sys/socket.h>
            #include <unistd.h>

            #define NATIVE(type, name, ...) type Java_io_awsgi_core_NativeCode_##name(void *env, void *class, ##__VA_ARGS__)
            #define UNUSED (void)env, (void)class

            static int errnoed(int answer) { return answer < 0 ? -errno : answer; }

            static long long both(int status, const int *fds) {
                return status < 0 ? -errno : (long long)fds[0] << 32 | fds[1];
            }

            NATIVE(long long, makePipe) {
                int fds[2];
                UNUSED;
                return both(pipe2(fds, O_CLOEXEC | O_NONBLOCK), fds);
            }

            NATIVE(long long, makeSockets) {
                int fds[2];
                UNUSED;
                return both(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), fds);
            }

            NATIVE(int, eventfd) { UNUSED; return errnoed(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }

            NATIVE(int, duplicate, int fd, int from) {
                UNUSED;
                return errnoed(fcntl(fd, F_DUPFD_CLOEXEC, from));
            }

            NATIVE(int, write, int fd) {
                uint64_t one = 1;
                UNUSED;
                return errnoed(write(fd, &one, sizeof one));
            }

            NATIVE(int, read, int fd) {
                uint64_t word;
                UNUSED;
                return errnoed(read(fd, &word, sizeof word));
            }

            NATIVE(int, close, int fd) { UNUSED; return errnoed(close(fd)); }

            NATIVE(int, flags, int fd) { UNUSED; return errnoed(fcntl(fd, F_GETFL)); }

            static int (*awsgi_notify)(uint64_t, uint32_t);
            static int (*awsgi_waitable_event)(void *, uint32_t, uint64_t *);
            static int (*awsgi_waitable_foreign)(void *, uint64_t, uint32_t, uint64_t *);
            static int (*awsgi_waitable_take)(uint64_t, uint64_t *);
            static int (*awsgi_waitable_close)(uint64_t);
            static int (*awsgi_reactor_close)(void *);

            struct watch { uint64_t waitable; uint32_t interest, pad; };
            struct wait_spec {
                size_t size;
                const struct watch *set;
                size_t count;
                uint32_t at_least, flags;
                uint64_t deadline, user_data;
            };
            static int (*awsgi_wait_start)(void *, const struct wait_spec *, uint64_t *);

            /* As Awsgi.libraryPath says. The copy stays where it is for as long as Java has it. */
            NATIVE(int, find, void *path, int length) {
                char name[4096] = {0};
                void *library;
                (void)class;
                if (length >= (int)sizeof name) return 0;
                ((void (*)(void *, void *, int, int, void *))(*(void ***)env)[200])(env, path, 0, length, name);
                library = dlopen(name, RTLD_NOW | RTLD_NOLOAD);
                if (library == 0) return 0;
                *(void **)&awsgi_notify = dlsym(library, "awsgi_notify");
                *(void **)&awsgi_waitable_event = dlsym(library, "awsgi_waitable_event");
                *(void **)&awsgi_waitable_foreign = dlsym(library, "awsgi_waitable_foreign");
                *(void **)&awsgi_wait_start = dlsym(library, "awsgi_wait_start");
                *(void **)&awsgi_reactor_close = dlsym(library, "awsgi_reactor_close");
                *(void **)&awsgi_waitable_take = dlsym(library, "awsgi_waitable_take");
                *(void **)&awsgi_waitable_close = dlsym(library, "awsgi_waitable_close");
                dlclose(library);
                return awsgi_notify && awsgi_waitable_event && awsgi_waitable_take && awsgi_waitable_close
                        && awsgi_waitable_foreign && awsgi_wait_start && awsgi_reactor_close;
            }

            struct call { void *reactor; uint64_t waitable; uint32_t bits; int times, status; };

            static void *notify(void *argument) {
                struct call *call = argument;
                for (int i = 0; i < call->times && call->status == 0; i++)
                    call->status = awsgi_notify(call->waitable, call->bits);
                return 0;
            }

            static void *make(void *argument) {
                struct call *call = argument;
                call->status = awsgi_waitable_event(call->reactor, 0, &call->waitable);
                return 0;
            }

            /* On a thread that no JVM knows. */
            static int elsewhere(void *(*work)(void *), struct call *call) {
                pthread_t thread;
                int failed = pthread_create(&thread, 0, work, call);
                if (failed) return failed;
                pthread_join(thread, 0);
                return call->status;
            }

            NATIVE(int, notifyElsewhere, long long waitable, int bits, int times) {
                struct call call = {0, (uint64_t)waitable, (uint32_t)bits, times, 0};
                UNUSED;
                return elsewhere(notify, &call);
            }

            static uint64_t made;

            NATIVE(int, makeEvent, long long reactor) {
                UNUSED;
                return awsgi_waitable_event((void *)(intptr_t)reactor, 0, &made);
            }

            NATIVE(int, makeEventElsewhere, long long reactor) {
                struct call call = {(void *)(intptr_t)reactor, 0, 0, 0, 0};
                UNUSED;
                return elsewhere(make, &call);
            }

            NATIVE(long long, made) { UNUSED; return (long long)made; }

            NATIVE(int, take, long long waitable) {
                uint64_t held = 99;
                int status = awsgi_waitable_take((uint64_t)waitable, &held);
                UNUSED;
                return status ? status : (int)held;
            }

            NATIVE(int, waitForForeign, long long reactor, long long handle) {
                struct watch watch = {0, 1, 0};
                struct wait_spec spec = {sizeof spec, &watch, 1, 0, 0, UINT64_MAX, 7};
                int status = awsgi_waitable_foreign((void *)(intptr_t)reactor, (uint64_t)handle, 0, &watch.waitable);
                UNUSED;
                return status ? status : awsgi_wait_start((void *)(intptr_t)reactor, &spec, 0);
            }

            NATIVE(int, shut, long long reactor) { UNUSED; return awsgi_reactor_close((void *)(intptr_t)reactor); }

            NATIVE(int, end, long long waitable) { UNUSED; return awsgi_waitable_close((uint64_t)waitable); }
            """;

    private static boolean loaded;

    /** Compiles and loads it, the first time. */
    static synchronized void load() throws IOException {
        if (loaded) {
            return;
        }
        Path folder = Files.createTempDirectory("awsgi-test");
        Path file = folder.resolve("native_code.so");
        try {
            CLibrary.compile(file, SOURCE, List.of("-Wall", "-Wextra", "-Werror", "-pthread"));
            System.load(file.toString());
        } finally {
            Files.deleteIfExists(file);
            Files.delete(folder);
        }
        byte[] path = Awsgi.libraryPath().toString().getBytes(StandardCharsets.UTF_8);
        assertTrue(find(path, path.length) != 0, "C code does not find the library by its path");
        loaded = true;
    }

    /** The two ends of a pipe or of a connection. */
    record Ends(int reading, int writing) {
        private static Ends of(long both) {
            assertTrue(both >= 0, () -> "errno " + -both);
            return new Ends((int) (both >>> 32), (int) both);
        }

        void close() {
            NativeCode.close(reading);
            NativeCode.close(writing);
        }
    }

    static Ends pipe() {
        return Ends.of(makePipe());
    }

    static Ends sockets() {
        return Ends.of(makeSockets());
    }

    private static native long makePipe();

    private static native long makeSockets();

    /** A descriptor, or the errno below 0; so all that follows. */
    static native int eventfd();

    /** The same file under another number, from this one on. */
    static native int duplicate(int descriptor, int from);

    /** Writes eight bytes. */
    static native int write(int descriptor);

    /** Reads eight bytes. */
    static native int read(int descriptor);

    static native int close(int descriptor);

    /** As {@code open} takes them. */
    static native int flags(int descriptor);

    private static native int find(byte[] path, int length);

    // What follows answers a status of C, see Status.

    /** {@code awsgi_notify}, so many times, on a thread of C's. */
    static native int notifyElsewhere(long waitable, int bits, int times);

    /** {@code awsgi_waitable_event}, here. */
    static native int makeEvent(long reactor);

    /** The same on a thread of C's. */
    static native int makeEventElsewhere(long reactor);

    /** What {@link #makeEvent} has made. */
    static native long made();

    /** {@code awsgi_waitable_take}: a status, or what it held. */
    static native int take(long waitable);

    /** {@code awsgi_waitable_foreign}, and {@code awsgi_wait_start} for it. */
    static native int waitForForeign(long reactor, long handle);

    /** {@code awsgi_reactor_close}. */
    static native int shut(long reactor);

    /** {@code awsgi_waitable_close}. */
    static native int end(long waitable);
}
