package io.awsgi.core;

import java.io.IOException;

/**
 * A wait failed because the operating system refuses to watch what was waited for, or refused
 * something that was done for it. Waits complete with it; see {@link #errno()} for why.
 */
public final class AwsgiIOException extends IOException {
    private static final long serialVersionUID = 1L;

    /** The errno. */
    private final int errno;

    AwsgiIOException(int errno, String what) {
        super(what + ": " + Errno.describe(errno));
        this.errno = errno;
    }

    /**
     * Why the operating system refused.
     *
     * @return the errno, as this operating system numbers them
     */
    public int errno() {
        return errno;
    }

    /**
     * The name of the errno.
     *
     * @return the name, as {@code EBADF}; {@code errno 4711} for one without a known name
     */
    public String errnoName() {
        return Errno.name(errno);
    }
}
