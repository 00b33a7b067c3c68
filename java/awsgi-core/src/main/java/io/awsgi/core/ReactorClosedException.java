package io.awsgi.core;

/** The reactor, or the waitable, is closed or being closed: make another. */
public final class ReactorClosedException extends AwsgiException {
    private static final long serialVersionUID = 1L;

    ReactorClosedException(String message) {
        super(Status.CLOSED, 0, message);
    }
}
