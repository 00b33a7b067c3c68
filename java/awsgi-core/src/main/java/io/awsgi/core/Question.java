package io.awsgi.core;

import java.time.Duration;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What a wait asks: wake me when any, all or so many of these waitables are ready, or after this
 * time. Immutable: each method answers another question, and one may be asked any number of times.
 *
 * <pre>{@code
 * Question.of(channel, Readiness.READABLE).and(stop, Readiness.READABLE).within(Duration.ofSeconds(5))
 * }</pre>
 */
public final class Question {
    final Waitable[] waitables;
    final Readiness[] interests;
    final int atLeast;
    final boolean multishot;
    final boolean offLoop;
    final @Nullable Duration timeout;

    private Question(
            Waitable[] waitables,
            Readiness[] interests,
            int atLeast,
            boolean multishot,
            boolean offLoop,
            @Nullable Duration timeout) {
        this.waitables = waitables;
        this.interests = interests;
        this.atLeast = atLeast;
        this.multishot = multishot;
        this.offLoop = offLoop;
        this.timeout = timeout;
    }

    /**
     * Is this waitable ready?
     *
     * @param waitable what to wait for
     * @param interest for what: at least one bit; {@link Readiness#HANGUP} and {@link
     *     Readiness#ERROR} complete every wait, and may be asked alone
     * @return the question
     * @throws IllegalArgumentException if {@code interest} is empty
     */
    public static Question of(Waitable waitable, Readiness interest) {
        return new Question(new Waitable[0], new Readiness[0], 1, false, false, null)
                .and(waitable, interest);
    }

    /**
     * Nothing but the time.
     *
     * @param timeout how long
     * @return the question
     */
    public static Question sleep(Duration timeout) {
        Objects.requireNonNull(timeout, "timeout");
        return new Question(new Waitable[0], new Readiness[0], 1, false, false, timeout);
    }

    /**
     * The same with one more waitable; any of them answers it, unless {@link #all} or {@link
     * #atLeast} follows.
     *
     * @param waitable what to wait for, too; not one that is asked for already
     * @param interest for what: at least one bit
     * @return the question
     * @throws IllegalArgumentException if {@code interest} is empty, or the set holds the waitable
     *     already
     */
    public Question and(Waitable waitable, Readiness interest) {
        Objects.requireNonNull(waitable, "waitable");
        Reactor.checkInterest(interest);
        for (Waitable other : waitables) {
            if (other == waitable) {
                throw new IllegalArgumentException(
                        "the set names a waitable twice: name it once, with both interests");
            }
        }
        int count = waitables.length;
        Waitable[] more = Arrays.copyOf(waitables, count + 1);
        Readiness[] asked = Arrays.copyOf(interests, count + 1);
        more[count] = waitable;
        asked[count] = interest;
        return new Question(more, asked, atLeast, multishot, offLoop, timeout);
    }

    /**
     * The same for a whole set, which is cheaper than one after the other.
     *
     * @param set the waitables, each once
     * @param interest for what, each of them
     * @return the question, which any of them answers
     * @throws IllegalArgumentException if {@code interest} or the set is empty, or the set names a
     *     waitable twice
     */
    public static Question of(Iterable<Waitable> set, Readiness interest) {
        Reactor.checkInterest(interest);
        var distinct = new java.util.LinkedHashSet<Waitable>();
        for (Waitable waitable : set) {
            if (!distinct.add(Objects.requireNonNull(waitable, "waitable"))) {
                throw new IllegalArgumentException(
                        "the set names a waitable twice: name it once, with both interests");
            }
        }
        if (distinct.isEmpty()) {
            throw new IllegalArgumentException(
                    "the set is empty: give a waitable, or use Question.sleep");
        }
        Readiness[] interests = new Readiness[distinct.size()];
        Arrays.fill(interests, interest);
        return new Question(distinct.toArray(new Waitable[0]), interests, 1, false, false, null);
    }

    /**
     * The same, answered when all are ready. Each counts from the first time it was.
     *
     * @return the question
     */
    public Question all() {
        return new Question(
                waitables, interests, Math.max(1, waitables.length), multishot, offLoop, timeout);
    }

    /**
     * The same, answered when so many are ready. Each counts from the first time it was.
     *
     * @param members how many, from 1 to all of them
     * @return the question
     * @throws IllegalArgumentException if there are not so many
     */
    public Question atLeast(int members) {
        if (members < 1 || members > Math.max(1, waitables.length)) {
            throw new IllegalArgumentException(
                    "the set has "
                            + waitables.length
                            + " waitables, of which "
                            + members
                            + " never will be ready");
        }
        return new Question(waitables, interests, members, multishot, offLoop, timeout);
    }

    /**
     * The same, completing at each readiness of its one waitable until it is ended. After each
     * completion drain what it waits for, or {@linkplain Wait#rearm arm it again}. What cannot be
     * drained, as a channel at its end, is reported in each round of a {@code Selector}: end the
     * wait.
     *
     * @return the question
     * @throws IllegalArgumentException if it has not exactly one waitable
     */
    public Question multishot() {
        if (waitables.length != 1) {
            throw new IllegalArgumentException(
                    "a multishot wait has one waitable, this set has "
                            + waitables.length
                            + ": start one for each");
        }
        return new Question(waitables, interests, atLeast, true, offLoop, timeout);
    }

    /**
     * The same for what is dealt with on another thread than the reactor's: its host stops watching
     * as soon as the wait has ended, and so does not see again and again what that thread has not
     * taken yet.
     *
     * @return the question
     */
    public Question offLoop() {
        return new Question(waitables, interests, atLeast, multishot, true, timeout);
    }

    /**
     * The same, ending as {@link Outcome#TIMED_OUT} after this time, which counts from the start of
     * the wait.
     *
     * @param timeout how long; nothing or less asks once
     * @return the question
     */
    public Question within(Duration timeout) {
        Objects.requireNonNull(timeout, "timeout");
        return new Question(waitables, interests, atLeast, multishot, offLoop, timeout);
    }
}
