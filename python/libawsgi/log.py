"""What is said to whoever looks after the process."""

import sys


def say(sentence):
    """A line for whoever looks after the process."""
    try:
        sys.stderr.write("libawsgi: %s\n" % sentence)
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        # Nobody reads it.
        pass
