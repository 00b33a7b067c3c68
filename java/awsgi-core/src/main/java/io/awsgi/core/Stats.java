package io.awsgi.core;

/**
 * What a reactor has done since it was made, and what it holds now. The numbers only grow, but for
 * the last two.
 *
 * @param turns turns
 * @param events events that were taken: reports of the host, deadlines and expirations that came
 * @param completions completions that were delivered
 * @param stale completions that nobody saw, because their waits were forgotten first, and reports
 *     of waitables that were gone
 * @param spurious events and reports for which nobody waited
 * @param ghosts events of files that live on although their descriptors were closed before their
 *     waitables
 * @param rebuilds how often the selector of the library was rebuilt to be rid of those
 * @param changes watch changes that were handed to the host
 * @param signals signals to a sleeping owner, and wakes of the host
 * @param waits waits now: those whose last completion was not delivered
 * @param waitables waitables now
 */
public record Stats(
        long turns,
        long events,
        long completions,
        long stale,
        long spurious,
        long ghosts,
        long rebuilds,
        long changes,
        long signals,
        long waits,
        long waitables) {}
