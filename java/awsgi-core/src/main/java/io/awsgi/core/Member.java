package io.awsgi.core;

/**
 * A ready member of a set that was waited for.
 *
 * @param waitable the waitable
 * @param index its position in the set, from 0
 * @param ready what it was ready for
 */
public record Member(Waitable waitable, int index, Readiness ready) {}
