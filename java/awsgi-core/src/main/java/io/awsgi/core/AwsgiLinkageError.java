package io.awsgi.core;

/**
 * The native library cannot be used: it was not found, it is damaged, made for another platform,
 * does not belong to these classes, or was switched off. The message has a line for each attempt
 * and says what to do; what went wrong in an attempt is also among {@link #getSuppressed()}.
 */
public final class AwsgiLinkageError extends LinkageError {
    private static final long serialVersionUID = 1L;

    AwsgiLinkageError(String message) {
        super(message);
    }
}
