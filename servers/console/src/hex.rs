//! Hex dumps.

use core::fmt::{Result, Write};

/// Lines of `OFFSET: sixteen bytes  text`; `offset` is that of the first byte.
pub fn dump(out: &mut dyn Write, offset: u64, bytes: &[u8]) -> Result {
    for (n, row) in bytes.chunks(16).enumerate() {
        write!(out, "{:08x}:", offset + 16 * n as u64)?;
        for byte in row {
            write!(out, " {byte:02x}")?;
        }
        for _ in row.len()..16 {
            out.write_str("   ")?;
        }
        out.write_str("  ")?;
        for byte in row {
            let shown = match byte {
                b' '..=b'~' => char::from(*byte),
                _ => '.',
            };
            out.write_char(shown)?;
        }
        out.write_str("\n")?;
    }
    Ok(())
}

/// The first `digits` / 2 bytes in hexadecimal.
pub struct Short<'a>(pub &'a [u8], pub usize);

impl core::fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter) -> Result {
        for byte in self.0.iter().take(self.1 / 2) {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_show_place_bytes_and_text() {
        let mut text = String::new();
        dump(&mut text, 0x1f0, b"0123456789abcde\x00~\x7f").expect("writes");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "000001f0: 30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 00  0123456789abcde.",
                "00000200: 7e 7f                                            ~."
            ]
        );
        assert_eq!(Short(&[0xab, 0x01, 0x02], 4).to_string(), "ab01");
    }
}
