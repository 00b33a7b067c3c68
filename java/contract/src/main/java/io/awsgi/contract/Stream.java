package io.awsgi.contract;

import io.awsgi.core.Readiness;
import io.awsgi.core.Waitable;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.SocketChannel;
import java.nio.channels.WritableByteChannel;
import org.jspecify.annotations.Nullable;

/** Bytes that come from a channel, which does not block. */
final class Stream implements ContractObject {
    private final Waitable waitable;
    private final ReadableByteChannel channel;
    private final WritableByteChannel put;
    private final @Nullable Closeable other;

    /**
     * Of a channel.
     *
     * @param put where a byte is written to
     * @param other its other side, if that is ours
     */
    Stream(
            Waitable waitable,
            ReadableByteChannel channel,
            WritableByteChannel put,
            @Nullable Closeable other) {
        this.waitable = waitable;
        this.channel = channel;
        this.put = put;
        this.other = other;
    }

    @Override
    public Waitable waitable() {
        return waitable;
    }

    @Override
    public void put() throws IOException {
        ByteBuffer one = ByteBuffer.wrap(new byte[] {'x'});
        if (put.write(one) != 1) {
            throw new IOException("there is no room for a byte");
        }
    }

    @Override
    public long take() throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(4096);
        long taken = 0;
        while (channel.read(bytes.clear()) > 0) {
            taken += bytes.position();
        }
        return taken;
    }

    @Override
    public void hangup() throws IOException {
        if (other == null) {
            throw new UnsupportedOperationException("its other side is not ours");
        }
        other.close();
    }

    /**
     * Before it is finished, nothing can be read of a connection, nor be told of it by a selector.
     */
    @Override
    public void ready(Readiness ready) {
        if (channel instanceof SocketChannel socket
                && socket.isConnectionPending()
                && ready.isWritable()
                && !ready.isError()) {
            try {
                socket.finishConnect();
            } catch (IOException refused) {
                // Who reads or writes will see it.
            }
        }
    }

    @Override
    public void close() throws IOException {
        waitable.close();
        channel.close();
        if (other != null) {
            other.close();
        }
    }
}
