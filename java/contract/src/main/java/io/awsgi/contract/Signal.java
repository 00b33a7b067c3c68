package io.awsgi.contract;

import io.awsgi.core.Waitable;

/** An event, a counter or a timer. */
record Signal(Waitable waitable) implements ContractObject {
    @Override
    public long take() {
        return waitable.take();
    }

    @Override
    public void close() {
        waitable.close();
    }
}
