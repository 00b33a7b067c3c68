package io.awsgi.contract;

import io.awsgi.core.HostAccess;
import io.awsgi.core.Reactor;
import io.awsgi.core.Readiness;
import io.awsgi.core.Waitable;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Consumer;

/** Who is to be told of the watch changes for an object. Of the reactor's thread. */
final class Watches {
    private final Map<Waitable, Consumer<Readiness>> told = new HashMap<>();

    Watches(Reactor reactor) {
        HostAccess.listen(reactor, this::changed);
    }

    void add(Waitable waitable, Consumer<Readiness> listener) {
        told.put(waitable, listener);
    }

    private void changed(Waitable waitable, Readiness interest) {
        Consumer<Readiness> listener = told.get(waitable);
        if (listener != null) {
            listener.accept(interest);
        }
    }
}
