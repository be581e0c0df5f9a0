//! The command line: firmware's load options, then the file `metaos.txt` at the root of the file system that the door was
//! started from.

use crate::files;
use alloc::string::String;
use uefi::boot;
use uefi::proto::loaded_image::LoadedImage;

/// The words, with a space between.
pub fn line() -> String {
    let mut line = String::new();
    if let Ok(image) = boot::open_protocol_exclusive::<LoadedImage>(boot::image_handle()) {
        if let Ok(options) = image.load_options_as_cstr16() {
            // A shell begins with the name of the program.
            for word in String::from(options).split_whitespace() {
                if !word.to_ascii_lowercase().ends_with(".efi") {
                    push(&mut line, word);
                }
            }
        }
    }
    if let Ok(text) = files::read("metaos.txt") {
        for word in abi::options::words(&text) {
            push(&mut line, word);
        }
    }
    line
}

fn push(line: &mut String, word: &str) {
    if word.is_ascii() && line.len() + 1 + word.len() < abi::options::LONGEST {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
}
