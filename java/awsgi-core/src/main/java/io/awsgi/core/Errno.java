package io.awsgi.core;

import org.jspecify.annotations.Nullable;

/** The names of errnos that a wait may fail with, and what each says. */
final class Errno {
    private Errno() {}

    private static final boolean LINUX = Platform.OS.equals("linux");

    /** The name; {@code errno N} for one that has none here. */
    static String name(int errno) {
        String text = describe(errno);
        int colon = text.indexOf(':');
        return colon < 0 ? text : text.substring(0, colon);
    }

    /** The name and what it says, as {@code EBADF: not an open descriptor}. */
    static String describe(int errno) {
        String text = everywhere(errno);
        if (text == null) {
            text = LINUX ? onLinux(errno) : null;
        }
        return text == null ? "errno " + errno : text;
    }

    private static @Nullable String everywhere(int errno) {
        return switch (errno) {
            case 1 ->
                    "EPERM: it cannot be waited for, or this user may not (files and folders are"
                            + " always ready: epoll refuses them)";
            case 2 -> "ENOENT: not there";
            case 3 -> "ESRCH: no such process";
            case 4 -> "EINTR: interrupted";
            case 5 -> "EIO: input or output failed";
            case 6 -> "ENXIO: no such device";
            case 9 -> "EBADF: not an open descriptor";
            case 10 -> "ECHILD: not a child of this process";
            case 12 -> "ENOMEM: the kernel is out of memory";
            case 13 -> "EACCES: this user may not";
            case 14 -> "EFAULT: bad address";
            case 16 -> "EBUSY: in use";
            case 17 -> "EEXIST: it is watched already";
            case 19 -> "ENODEV: no such device";
            case 20 -> "ENOTDIR: not a folder";
            case 21 -> "EISDIR: a folder";
            case 22 -> "EINVAL: invalid argument";
            case 23 -> "ENFILE: the system has no free descriptor";
            case 24 -> "EMFILE: this process has no free descriptor; raise its limit (ulimit -n)";
            case 25 -> "ENOTTY: not a terminal";
            case 27 -> "EFBIG: too large";
            case 28 ->
                    "ENOSPC: no space, or this user may watch no more descriptors"
                            + " (fs.epoll.max_user_watches)";
            case 29 -> "ESPIPE: cannot seek";
            case 30 -> "EROFS: read-only";
            case 32 -> "EPIPE: the reader is gone";
            default -> null;
        };
    }

    private static @Nullable String onLinux(int errno) {
        return switch (errno) {
            case 11 -> "EAGAIN: not ready";
            case 38 -> "ENOSYS: this kernel cannot do it";
            case 40 -> "ELOOP: event loops would watch each other in a circle, or too deeply";
            case 71 -> "EPROTO: protocol error";
            case 88 -> "ENOTSOCK: not a socket";
            case 95 -> "EOPNOTSUPP: not supported";
            case 98 -> "EADDRINUSE: the address is in use";
            case 99 -> "EADDRNOTAVAIL: no interface of this machine has that address";
            case 100 -> "ENETDOWN: the network is down";
            case 101 -> "ENETUNREACH: the network is unreachable";
            case 103 -> "ECONNABORTED: the connection was aborted";
            case 104 -> "ECONNRESET: the peer reset the connection";
            case 105 -> "ENOBUFS: no buffer space";
            case 106 -> "EISCONN: connected already";
            case 107 -> "ENOTCONN: not connected";
            case 110 -> "ETIMEDOUT: the connection timed out";
            case 111 -> "ECONNREFUSED: the peer refused the connection";
            case 112 -> "EHOSTDOWN: the host is down";
            case 113 -> "EHOSTUNREACH: no route to the host";
            case 114 -> "EALREADY: under way already";
            case 115 -> "EINPROGRESS: under way";
            case 125 -> "ECANCELED: cancelled";
            default -> null;
        };
    }
}
