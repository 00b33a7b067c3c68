package io.awsgi.core;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * A question that was asked, until it has its last answer. Made by {@link Reactor#start}.
 *
 * <p><b>Threads:</b> all of it belongs to the reactor's thread; elsewhere the answer is an {@link
 * AwsgiException} of {@link Status#THREAD}.
 */
public final class Wait {
    private static final int READY = Outcome.READY.number();

    private final ReactorBridge bridge;
    private final Question question;
    private final Sink sink;

    /** 0 once it is over. */
    private long name;

    /** Its name, also once it is over. */
    private long last;

    /** The second half of its last completion; 0 if that has nothing to tell. */
    private long said;

    Wait(ReactorBridge bridge, Question question, Sink sink) {
        this.bridge = bridge;
        this.question = question;
        this.sink = sink;
    }

    void begin(long name) {
        this.name = name;
        this.last = name;
    }

    /**
     * Whether it has not been delivered its last completion, nor been forgotten.
     *
     * @return whether it can still complete
     */
    public boolean isPending() {
        bridge.checkOwner();
        return name != 0 && bridge.isAlive();
    }

    /**
     * Asks it to end. It still completes, with what happened first.
     *
     * @return whether it was pending; if not, nothing was done
     */
    public boolean cancel() {
        return ask(Layout.CANCEL);
    }

    /**
     * Removes it: nothing more comes of it, nor what is queued.
     *
     * @return whether it was pending; if not, nothing was done
     */
    public boolean forget() {
        if (!ask(Layout.FORGET)) {
            return false;
        }
        bridge.released(name);
        name = 0;
        return true;
    }

    /**
     * Has a multishot wait report again if its waitable is still ready, for who has not drained it.
     *
     * @return whether it was pending; if not, nothing was done
     * @throws AwsgiException {@link Status#STATE} for one that is pending and not multishot: start
     *     another
     */
    public boolean rearm() {
        bridge.checkOwner();
        if (isPending() && !question.multishot) {
            throw AwsgiException.of(
                    Status.STATE.number(),
                    0,
                    "only a multishot wait is armed again: start another wait");
        }
        if (!ask(Layout.REARM)) {
            return false;
        }
        bridge.lookAgain(question.waitables[0]);
        return true;
    }

    private boolean ask(int kind) {
        if (!isPending()) {
            return false;
        }
        bridge.ask(name, kind);
        return true;
    }

    /**
     * The members of its set that were ready at its last completion, in the order of the set: also
     * if they were not enough, and it timed out.
     *
     * @return them; of a wait that {@link Outcome#FAILED} none
     * @throws AwsgiException {@link Status#STALE} after the turn that delivered the completion
     */
    public List<Member> members() {
        bridge.checkOwner();
        int ready = Layout.second(said);
        int arg = Layout.third(said);
        int count = arg >>> 16;
        if (ready == 0) {
            return List.of();
        }
        if (count <= 1) {
            int index = arg & 0xffff;
            return List.of(new Member(question.waitables[index], index, Readiness.of(ready)));
        }
        bridge.submit(Layout.MEMBERS, last);
        ByteBuffer records = ByteBuffer.wrap(bridge.result()).order(ByteOrder.nativeOrder());
        List<Member> members = new ArrayList<>(records.remaining() / Layout.RECORD);
        while (records.hasRemaining()) {
            records.getLong();
            int index = records.getInt();
            members.add(
                    new Member(question.waitables[index], index, Readiness.of(records.getInt())));
        }
        return members;
    }

    /**
     * Why it failed.
     *
     * @return the exception that says so, if its last completion was {@link Outcome#FAILED}
     * @throws IllegalStateException if it was not
     */
    public Exception failure() {
        bridge.checkOwner();
        if (failed == null) {
            throw new IllegalStateException(
                    "the wait has not failed: ask in the sink that is told FAILED");
        }
        return failed;
    }

    private @org.jspecify.annotations.Nullable Exception failed;

    void completed(long half) {
        int kind = Layout.kind(half);
        boolean more = (kind & Layout.MORE) != 0;
        if (!more) {
            name = 0;
        }
        said = half;
        if ((kind & Layout.OUTCOME) == READY) {
            sink.completed(this, Outcome.READY, Readiness.known(Layout.second(half)), more);
            return;
        }
        Outcome outcome = Outcome.of(kind & Layout.OUTCOME);
        if (outcome == Outcome.FAILED) {
            said = 0;
            failed = Pending.failure(kind, Layout.third(half));
        }
        sink.completed(this, outcome, Readiness.NONE, more);
    }

    /** The only one that a multishot wait has. */
    Waitable waitable() {
        return question.waitables[0];
    }

    void failed(Throwable cause) {
        name = 0;
        said = 0;
        failed =
                cause instanceof Exception exception ? exception : new IllegalStateException(cause);
        sink.completed(this, Outcome.FAILED, Readiness.NONE, false);
    }
}
