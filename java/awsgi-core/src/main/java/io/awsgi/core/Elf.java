package io.awsgi.core;

import java.io.EOFException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a library file of Linux says about itself. It is read before the file is loaded, because the
 * system does not check: a file that was cut short, or one made for another C library, does not
 * fail to load but kills the process.
 */
final class Elf {
    private static final int HEADER = 64;
    private static final int SEGMENT = 56;
    private static final int LOAD = 1;
    private static final int DYNAMIC = 2;
    private static final int NEEDED = 1;
    private static final int NAMES = 5;
    private static final int NAMES_SIZE = 10;
    private static final int LARGEST_TABLE = 1 << 20;

    private final RandomAccessFile file;
    private final long length;
    private ByteOrder order = ByteOrder.LITTLE_ENDIAN;
    private int bits;
    private int machine;
    private List<String> needed = List.of();

    private Elf(RandomAccessFile file) throws IOException {
        this.file = file;
        this.length = file.length();
    }

    /**
     * Reads a file.
     *
     * @throws IOException if it cannot be read, is not a library, or not a whole one
     */
    static Elf read(Path path) throws IOException {
        // Not a channel: it would be closed under a thread that is interrupted.
        try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "r")) {
            Elf elf = new Elf(file);
            try {
                elf.parse();
            } catch (EOFException | ArithmeticException | IndexOutOfBoundsException e) {
                throw damaged("its tables lead out of its " + elf.length + " bytes");
            }
            return elf;
        }
    }

    /** What keeps this library from a process of this architecture and C library; null: nothing. */
    @Nullable String misfit(String arch, Platform.Libc libc) {
        if (!architecture().equals(arch) && !architecture().isEmpty()) {
            return "it is made for " + architecture() + ", and this JVM is " + arch;
        }
        Platform.Libc theirs = libc();
        if (theirs != Platform.Libc.OTHER && libc != Platform.Libc.OTHER && theirs != libc) {
            return "it is made for the C library "
                    + theirs.words
                    + ", and this JVM uses "
                    + libc.words;
        }
        return null;
    }

    /** As os-maven-plugin names it; empty if these classes know no name for it. */
    String architecture() {
        return switch (machine) {
            case 3 -> "x86_32";
            case 21 -> order == ByteOrder.LITTLE_ENDIAN ? "ppcle_64" : "";
            case 40 -> "arm_32";
            case 62 -> bits == 64 ? "x86_64" : "";
            case 183 -> "aarch_64";
            default -> "";
        };
    }

    /** The C library that it was linked with; {@code OTHER} if it does not say. */
    Platform.Libc libc() {
        for (String name : needed) {
            if (name.startsWith("libc.so.")) {
                return Platform.Libc.GLIBC;
            }
            if (name.equals("libc.so") || name.startsWith("libc.musl-")) {
                return Platform.Libc.MUSL;
            }
        }
        return Platform.Libc.OTHER;
    }

    private void parse() throws IOException {
        ByteBuffer header = part(0, Math.min(length, HEADER));
        if (header.limit() < 20
                || header.get(0) != 0x7f
                || header.get(1) != 'E'
                || header.get(2) != 'L'
                || header.get(3) != 'F') {
            throw damaged(
                    length == 0 ? "it is empty" : "it does not begin as a library does (no ELF)");
        }
        bits = header.get(4) == 1 ? 32 : 64;
        order = header.get(5) == 2 ? ByteOrder.BIG_ENDIAN : ByteOrder.LITTLE_ENDIAN;
        machine = header.order(order).getShort(18) & 0xffff;
        if (bits == 64) {
            if (header.getShort(54) != SEGMENT) {
                throw damaged("its segments have no table");
            }
            segments(header.getLong(32), header.getShort(56) & 0xffff);
        }
    }

    private void segments(long offset, int count) throws IOException {
        ByteBuffer table = part(offset, (long) count * SEGMENT);
        for (int i = 0; i < count; i++) {
            int at = i * SEGMENT;
            long start = table.getLong(at + 8);
            long size = table.getLong(at + 32);
            if (table.getInt(at) == LOAD && (start < 0 || size < 0 || start > length - size)) {
                throw damaged(
                        "it was cut short: its "
                                + length
                                + " bytes end before "
                                + Math.addExact(start, size));
            }
        }
        for (int i = 0; i < count; i++) {
            int at = i * SEGMENT;
            if (table.getInt(at) == DYNAMIC) {
                dynamic(table, part(table.getLong(at + 8), table.getLong(at + 32)));
            }
        }
    }

    private void dynamic(ByteBuffer table, ByteBuffer entries) throws IOException {
        long names = -1;
        long size = 0;
        for (int at = 0; at + 16 <= entries.limit(); at += 16) {
            long value = entries.getLong(at + 8);
            switch ((int) entries.getLong(at)) {
                case NAMES -> names = fileOffset(table, value);
                case NAMES_SIZE -> size = value;
                default -> {}
            }
        }
        if (names < 0) {
            return;
        }
        ByteBuffer text = part(names, size);
        List<String> found = new ArrayList<>();
        for (int at = 0; at + 16 <= entries.limit() && entries.getLong(at) != 0; at += 16) {
            if (entries.getLong(at) == NEEDED) {
                found.add(name(text, Math.toIntExact(entries.getLong(at + 8))));
            }
        }
        needed = List.copyOf(found);
    }

    private static String name(ByteBuffer text, int start) {
        int end = start;
        while (text.get(end) != 0) {
            end++;
        }
        byte[] bytes = new byte[end - start];
        text.get(start, bytes);
        return new String(bytes, StandardCharsets.UTF_8);
    }

    private static long fileOffset(ByteBuffer table, long address) {
        for (int at = 0; at < table.limit(); at += SEGMENT) {
            long start = table.getLong(at + 16);
            if (table.getInt(at) == LOAD
                    && address >= start
                    && address - start < table.getLong(at + 32)) {
                return address - start + table.getLong(at + 8);
            }
        }
        return -1;
    }

    private ByteBuffer part(long offset, long size) throws IOException {
        if (offset < 0 || size < 0 || size > LARGEST_TABLE || offset > length - size) {
            throw new EOFException();
        }
        byte[] bytes = new byte[(int) size];
        file.seek(offset);
        file.readFully(bytes);
        return ByteBuffer.wrap(bytes).order(order);
    }

    private static IOException damaged(String how) {
        return new IOException("the file is damaged: " + how);
    }
}
