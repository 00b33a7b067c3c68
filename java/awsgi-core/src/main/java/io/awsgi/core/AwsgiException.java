package io.awsgi.core;

import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A call failed, and the reason is in the state of a reactor, of the process or of the system, not
 * in what was given (that is an {@link IllegalArgumentException}) nor in a channel or descriptor
 * that was waited for (that is an {@link java.io.IOException}, which a wait completes with).
 *
 * <p>It is an {@link IllegalStateException}, as the closed selectors and cancelled keys of {@code
 * java.nio} are: who catches that for "this object cannot do it now" catches a closed reactor and a
 * call on the wrong thread too, and who wants all that this library throws catches this class.
 * Three failures have classes of their own: {@link ReactorClosedException}, {@link
 * WrongOwnerException} and {@link ReactorPanicException}. For others, ask {@link #status()}.
 */
public class AwsgiException extends IllegalStateException {
    private static final long serialVersionUID = 1L;

    /** The kind of failure. */
    private final Status status;

    /** The errno of the system call that was refused, or 0. */
    private final int errno;

    /**
     * For a host of one's own, which refuses as those of the library do.
     *
     * @param status the kind of failure
     * @param message what was asked for, what is wrong and what to do
     */
    public AwsgiException(Status status, String message) {
        this(
                Objects.requireNonNull(status, "status"),
                0,
                Objects.requireNonNull(message, "message"));
    }

    AwsgiException(Status status, int errno, String message) {
        super(message);
        this.status = status;
        this.errno = errno;
    }

    /**
     * The kind of failure.
     *
     * @return the status, with the number and the name that it has in C
     */
    public Status status() {
        return status;
    }

    /**
     * The errno of the system call that was refused.
     *
     * @return the errno; 0 where no system call was refused
     */
    public int errno() {
        return errno;
    }

    /**
     * The exception for a failure that the library told. Called by the library too, by this name
     * and signature.
     *
     * @param status the number of a {@link Status}
     * @param errno the errno of a refused system call, or 0
     * @param message what was being done, what was wrong and what to do; null or empty: the meaning
     *     of the status
     */
    static AwsgiException of(int status, int errno, @Nullable String message) {
        Status kind = Status.of(status);
        String text = message == null || message.isEmpty() ? kind.meaning() : message;
        if (!Status.isKnown(status)) {
            text += " (status " + status + ", which these classes are too old to know)";
        }
        return switch (kind) {
            case CLOSED -> new ReactorClosedException(text);
            case THREAD -> new WrongOwnerException(text);
            case PANIC -> new ReactorPanicException(text);
            default -> new AwsgiException(kind, errno, text);
        };
    }
}
