package io.awsgi.core;

/**
 * The call belongs to the thread that owns the reactor, and came from another: hand it to the loop
 * of the reactor, or use one of the calls that are for any thread.
 */
public final class WrongOwnerException extends AwsgiException {
    private static final long serialVersionUID = 1L;

    WrongOwnerException(String message) {
        super(Status.THREAD, 0, message);
    }
}
