"""The limit of descriptors, which belongs to the process, and so to whoever serves with all of it."""

import resource

# What a worker needs beside its connections, and the process beside its workers.
PER_WORKER, PER_PROCESS = 16, 32


def raise_limit(max_exchanges, workers, say):
    """Raises the soft limit to the hard one, and warns if that is too low: each exchange has a connection."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (OSError, ValueError) as error:
            say("warn", "the limit of descriptors could not be raised: %s" % error)
    needed = max_exchanges + workers * PER_WORKER + PER_PROCESS
    if soft != resource.RLIM_INFINITY and soft < needed:
        say(
            "warn",
            "this process may open %d files, and %d exchanges need %d and those that the application opens: raise the "
            "limit (ulimit -n) or lower --max-exchanges" % (soft, max_exchanges, needed),
        )
