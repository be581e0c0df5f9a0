//! Notes: what discovery found and could not understand, for a person to read.

use alloc::{string::String, vec::Vec};

/// A broken table could give any number of notes.
const MOST: usize = 64;

#[derive(Default)]
pub struct Notes {
    list: Vec<String>,
    left_out: usize,
}

impl Notes {
    pub fn say(&mut self, note: String) {
        match self.list.len() < MOST {
            true => self.list.push(note),
            false => self.left_out += 1,
        }
    }

    pub fn list(mut self) -> Vec<String> {
        if self.left_out > 0 {
            self.list
                .push(alloc::format!("{} further notes", self.left_out));
        }
        self.list
    }
}
