package io.awsgi.core;

import java.nio.file.FileSystemException;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** What was tried in order to load the library, what went wrong, and what can be done about it. */
final class LoadReport {
    private final List<String> attempts = new ArrayList<>();
    private final List<Throwable> causes = new ArrayList<>();
    private final Set<String> remedies = new LinkedHashSet<>();

    /** This place was looked at in vain. */
    void tried(String where, Throwable cause) {
        attempts.add(where + ": " + words(cause));
        causes.add(cause);
    }

    /** This place has nothing; there is no more to that than what is said here. */
    void missing(String where, String why) {
        attempts.add(where + ": " + why);
        Throwable cause = new UnsatisfiedLinkError(where + ": " + why);
        cause.setStackTrace(new StackTraceElement[0]);
        causes.add(cause);
    }

    /** What may help; each is said once. */
    void remedy(String what) {
        remedies.add(what);
    }

    boolean hasRemedy() {
        return !remedies.isEmpty();
    }

    /** The attempts so far, a line each. */
    List<String> attempts() {
        return attempts;
    }

    /** All of it as one error. */
    AwsgiLinkageError error() {
        StringBuilder text = new StringBuilder("libawsgi cannot be used here (");
        text.append(Platform.describe()).append(", classes ").append(Awsgi.VERSION).append(")");
        lines(text, "tried", attempts);
        lines(text, "what helps", remedies);
        AwsgiLinkageError error = new AwsgiLinkageError(text.toString());
        causes.forEach(error::addSuppressed);
        return error;
    }

    private static void lines(StringBuilder text, String title, Iterable<String> lines) {
        text.append("\n  ").append(title).append(":");
        for (String line : lines) {
            text.append("\n  - ").append(line.replace("\n", "\n    "));
        }
    }

    /** The message, if it says anything without the name of its class. */
    private static String words(Throwable cause) {
        String message = cause.getMessage();
        if (message == null || message.isEmpty()) {
            return cause.getClass().getSimpleName();
        }
        // Their message is often a path and nothing else.
        return cause instanceof FileSystemException
                ? cause.getClass().getSimpleName() + ": " + message
                : message;
    }
}
