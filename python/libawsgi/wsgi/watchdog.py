"""Names suspending applications that block their loop."""

import os
import signal
import sys
import sysconfig
import threading
import traceback


class Watchdog:
    """A thread that looks now and then whether a worker is still in the step in which it was before.

    While no step runs it sleeps without end: idle is idle.
    """

    def __init__(self, seconds, tell):
        self._seconds = seconds
        self._tell = tell
        self._workers = []
        self._wanted = threading.Event()
        self._ended = threading.Event()
        self.asleep = True      # whether the next step has to wake it
        self._thread = None

    def watch(self, worker):
        """Looks after a worker from now on."""
        self._workers.append(worker)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="libawsgi-watchdog", daemon=True)
            # As all threads of the library. A host may read its signals from a descriptor, and one that came to a thread
            # that blocks none would end the process.
            before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            try:
                self._thread.start()
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def leave(self, worker):
        self._workers.remove(worker)

    def wake(self):
        self.asleep = False
        self._wanted.set()

    def end(self):
        self._ended.set()
        self._wanted.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self):
        while not self._ended.is_set():
            self._wanted.wait()
            self._wanted.clear()
            before = None
            while not self._ended.wait(self._seconds):
                now = [(worker, worker.steps, worker.step) for worker in list(self._workers)]
                for worker, steps, step in now:
                    if step is not None and (worker, steps, step) in (before or ()):
                        self._look(worker, steps, step)
                if before is not None and [steps for _, steps, _ in before] == [steps for _, steps, _ in now]:
                    # Nothing ran in between, or what hangs was told.
                    self.asleep = True
                    # A step that has begun since did not see that; one that begins from here on does.
                    if [worker.steps for worker, _, _ in now] == [steps for _, steps, _ in now]:
                        break
                    self.asleep = False
                before = now

    def _look(self, worker, steps, step):
        frame = sys._current_frames().get(worker.thread)
        if frame is None or worker.steps != steps:
            return
        stack = traceback.extract_stack(frame)
        del frame
        # From the outermost frame of the application on: what is ours is of no interest.
        here = [place for place in stack if not place.filename.startswith(OURS)] or stack
        # A library may block, but who can do something about it is the application that calls it.
        own = [place for place in here if not place.filename.startswith(INSTALLED)] or here
        deeper = "" if own[-1] is here[-1] else " (deeper: %s)" % named(here[-1])
        self._tell(
            "%s has blocked its loop for more than %g s, in %s: %s%s; all other requests of this worker wait: let it wait "
            "with yield, or serve it without --suspending"
            % (step.title(), self._seconds, named(own[-1]), own[-1].line or "?", deeper)
        )


def named(place):
    return "%s, line %d, in %s" % (place.filename, place.lineno, place.name)


OURS = __file__.rpartition("wsgi")[0]
# The standard library, whose frozen modules have names of their own, and what pip puts down.
INSTALLED = ("<frozen ", *(
    os.path.join(path, "") for name, path in sysconfig.get_paths().items() if name.endswith("lib")
))
