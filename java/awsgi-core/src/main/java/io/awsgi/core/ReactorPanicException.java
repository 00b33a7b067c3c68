package io.awsgi.core;

/**
 * The native library found a defect of its own while it worked for a reactor. That reactor does
 * nothing more; others, and the JVM, go on. The message is that of the panic.
 */
public final class ReactorPanicException extends RuntimeException {
    private static final long serialVersionUID = 1;

    ReactorPanicException(String message) {
        super(message);
    }
}
