//! One machine instruction back to text. On the host both architectures are known; a program on the machine itself carries that
//! machine's decoder alone.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

use alloc::string::String;

/// Appends the instruction that `bytes` begin with and gives its length; `None`: they are none, or the decoder is not here.
#[cfg(any(not(target_os = "none"), target_arch = "x86_64"))]
pub fn x86_64(bytes: &[u8], text: &mut String) -> Option<usize> {
    use yaxpeax_arch::{Decoder, LengthedInstruction, U8Reader};
    let decoder = yaxpeax_x86::long_mode::InstDecoder::default();
    let instruction = decoder.decode(&mut U8Reader::new(bytes)).ok()?;
    // `Display` would bring the writers of two other notations into the program.
    let _ = instruction.write_to(text);
    Some(instruction.len().to_const() as usize)
}

#[cfg(not(any(not(target_os = "none"), target_arch = "x86_64")))]
pub fn x86_64(_bytes: &[u8], _text: &mut String) -> Option<usize> {
    None
}

/// The same for arm64, whose instructions are four bytes.
#[cfg(any(not(target_os = "none"), target_arch = "aarch64"))]
pub fn aarch64(bytes: &[u8], text: &mut String) -> Option<usize> {
    use core::fmt::Write;
    use yaxpeax_arch::{Decoder, U8Reader};
    let decoder = yaxpeax_arm::armv8::a64::InstDecoder::default();
    let instruction = decoder.decode(&mut U8Reader::new(bytes)).ok()?;
    let _ = write!(text, "{instruction}");
    Some(4)
}

#[cfg(not(any(not(target_os = "none"), target_arch = "aarch64")))]
pub fn aarch64(_bytes: &[u8], _text: &mut String) -> Option<usize> {
    None
}
