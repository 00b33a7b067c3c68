package io.awsgi.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(NothingLeft.class)
final class MountsTest {
    private static final String MOUNTS =
            """
            22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
            23 22 0:21 / /tmp rw,nosuid,nodev,noexec shared:2 - tmpfs tmpfs rw,size=1024k
            24 23 0:22 / /tmp/fine rw,relatime - tmpfs tmpfs rw
            25 22 0:23 / /with\\040space rw,noexec - tmpfs tmpfs rw
            26 22 0:24 / /twice rw,noexec - tmpfs tmpfs rw
            27 26 0:25 / /twice rw - tmpfs tmpfs rw
            short line
            """;

    @Test
    void aFileIsOnTheInnermostMount() {
        assertEquals("/tmp", Mounts.noexec(MOUNTS, Path.of("/tmp/awsgi-1/libawsgi.so")));
        assertNull(Mounts.noexec(MOUNTS, Path.of("/tmp/fine/libawsgi.so")));
        assertNull(Mounts.noexec(MOUNTS, Path.of("/tmpfoo/libawsgi.so")));
        assertNull(Mounts.noexec(MOUNTS, Path.of("/usr/lib/libawsgi.so")));
    }

    @Test
    void aMountPointMayHaveASpace() {
        assertEquals("/with space", Mounts.noexec(MOUNTS, Path.of("/with space/libawsgi.so")));
    }

    @Test
    void theLastOfSeveralMountsCounts() {
        assertNull(Mounts.noexec(MOUNTS, Path.of("/twice/libawsgi.so")));
    }
}
