package io.awsgi.core;

/**
 * The native library found a defect of its own while it worked for a reactor, and stopped that work
 * before anything else was touched. That reactor can only be closed from now on; others, and the
 * JVM, go on. The message is that of the panic: please report it.
 */
public final class ReactorPanicException extends AwsgiException {
    private static final long serialVersionUID = 1L;

    ReactorPanicException(String message) {
        super(Status.PANIC, 0, message);
    }
}
