package io.awsgi.contract;

/** A command that the driver does not know, or cannot do. */
final class UnknownCommandException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    UnknownCommandException(String why) {
        super(why);
    }
}
