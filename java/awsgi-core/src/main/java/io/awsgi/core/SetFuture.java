package io.awsgi.core;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** A wait for a set, as a future of its ready members. */
final class SetFuture extends Ending<List<Member>> implements Sink {
    private final Question question;
    private final long deadline;

    /** Of the reactor's thread; null until it has begun. */
    private @Nullable Wait wait;

    SetFuture(ReactorBridge bridge, Question question, long deadline) {
        super(bridge);
        this.question = question;
        this.deadline = deadline;
    }

    @Override
    void begin() {
        wait = bridge.reactor().start(question, this, deadline);
    }

    @Override
    void end() {
        if (wait != null) {
            wait.cancel();
        }
    }

    @Override
    public void completed(Wait wait, Outcome outcome, Readiness ready, boolean more) {
        switch (outcome) {
            case READY -> answer(wait.members());
            case TIMED_OUT -> answer(List.of());
            case CANCELLED -> wasCancelled();
            case CLOSED -> fail(closing());
            case FAILED -> fail(wait.failure());
        }
    }

    private Exception closing() {
        for (Waitable waitable : question.waitables) {
            if (!waitable.isOpen()) {
                return waitable.closing();
            }
        }
        return bridge.closedException();
    }
}
