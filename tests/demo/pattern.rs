//! What the demo sends and answers, computed once more: the pattern of /stream and CRC-32.

const LINE: usize = 64;
const TEMPLATE: &[u8; LINE] = b"000000000000000 abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRST\n";

/// The `length` bytes of the pattern that begin at `offset`.
pub fn pattern(offset: u64, length: usize) -> Vec<u8> {
    let skip = (offset % LINE as u64) as usize;
    let mut number = offset - skip as u64;
    let mut bytes = Vec::with_capacity(skip + length + LINE);
    while bytes.len() < skip + length {
        let mut line = *TEMPLATE;
        let mut rest = number;
        let mut at = 15;
        while rest > 0 {
            at -= 1;
            line[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        bytes.extend_from_slice(&line);
        number += LINE as u64;
    }
    bytes.truncate(skip + length);
    bytes.drain(..skip);
    bytes
}

/// The CRC-32 of zlib and gzip, a piece at a time.
pub struct Crc32 {
    table: [u32; 256],
    state: u32,
}

impl Crc32 {
    pub fn new() -> Crc32 {
        let mut table = [0; 256];
        for (index, entry) in table.iter_mut().enumerate() {
            *entry = (0..8).fold(index as u32, |crc, _| {
                if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 }
            });
        }
        Crc32 { table, state: !0 }
    }

    pub fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let index = (self.state ^ u32::from(*byte)) & 0xff;
            self.state = self.state >> 8 ^ self.table[index as usize];
        }
    }

    pub fn value(&self) -> u32 {
        !self.state
    }
}

/// What /upload answers to this body.
pub fn receipt(body: &[u8]) -> String {
    let mut crc = Crc32::new();
    crc.add(body);
    format!("{} {:08x}\n", body.len(), crc.value())
}

#[test]
fn the_crc_is_that_of_zlib() {
    assert_eq!(receipt(b"123456789"), "9 cbf43926\n");
    assert_eq!(receipt(b""), "0 00000000\n");
}

#[test]
fn the_pattern_has_its_offset_in_each_line() {
    assert_eq!(pattern(0, 64), TEMPLATE);
    assert_eq!(pattern(60, 20), b"RST\n000000000000064 ");
    assert_eq!(pattern(64 * 1000 + 15, 1), b" ");
}
