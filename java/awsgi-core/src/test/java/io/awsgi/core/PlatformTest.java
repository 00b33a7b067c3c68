package io.awsgi.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(NothingLeft.class)
final class PlatformTest {
    @Test
    void systemsHaveTheNamesOfOsMavenPlugin() {
        assertEquals("linux", Platform.os("Linux"));
        assertEquals("osx", Platform.os("Mac OS X"));
        assertEquals("windows", Platform.os("Windows 11"));
        assertEquals("freebsd", Platform.os("FreeBSD"));
    }

    @Test
    void architecturesHaveTheNamesOfOsMavenPlugin() {
        assertEquals("x86_64", Platform.arch("amd64"));
        assertEquals("x86_64", Platform.arch("x86_64"));
        assertEquals("aarch_64", Platform.arch("aarch64"));
        assertEquals("x86_32", Platform.arch("i386"));
        assertEquals("arm_32", Platform.arch("arm"));
        assertEquals("ppcle_64", Platform.arch("ppc64le"));
        assertEquals("s390_64", Platform.arch("s390x"));
        assertEquals("riscv64", Platform.arch("riscv64"));
    }

    @Test
    void theCLibraryIsThatWhichTheProcessHasMapped() {
        assertSame(
                Platform.Libc.MUSL,
                Platform.libcOf(
                        """
                        7f00-7f01 r-xp 00000000 08:01 9 /lib/ld-musl-x86_64.so.1
                        7f02-7f03 r-xp 00000000 08:01 8 /usr/lib/jvm/libjvm.so
                        """));
        assertSame(
                Platform.Libc.GLIBC,
                Platform.libcOf(
                        "7f00-7f01 r-xp 00000000 08:01 9 /usr/lib/x86_64-linux-gnu/libc.so.6\n"));
    }
}
