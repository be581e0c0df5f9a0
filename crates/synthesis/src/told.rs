//! Numbers for what a driver tells by name: upcalls of its class, and failures.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

#[derive(Default)]
pub struct Told {
    upcalls: Vec<String>,
    failures: Vec<String>,
}

impl Told {
    /// The number of an upcall: the next, if it was not told before. None where there are too many.
    pub fn upcall(&mut self, name: &str) -> Option<u8> {
        u8::try_from(number(&mut self.upcalls, name)).ok()
    }

    /// The number of a failure.
    pub fn failure(&mut self, name: &str) -> u64 {
        number(&mut self.failures, name) as u64
    }

    /// The failure with this number.
    pub fn failed(&self, number: u64) -> Option<&str> {
        let at = usize::try_from(number).ok()?;
        self.failures.get(at).map(|name| name.as_str())
    }

    /// Whether anything fails like this.
    pub fn fails(&self, name: &str) -> bool {
        self.failures.iter().any(|known| known == name)
    }

    /// The names of upcalls and of failures, by number.
    pub fn into_lists(self) -> (Vec<String>, Vec<String>) {
        (self.upcalls, self.failures)
    }
}

fn number(list: &mut Vec<String>, name: &str) -> usize {
    match list.iter().position(|known| known == name) {
        Some(at) => at,
        None => {
            list.push(name.to_string());
            list.len() - 1
        }
    }
}
