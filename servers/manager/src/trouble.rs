//! Errors of the manager, as texts for the log.

use abi::system::Error;
use core::fmt;

#[derive(Clone, Copy, Debug)]
pub struct Trouble {
    what: &'static str,
    pub error: Option<Error>,
}

impl Trouble {
    pub const fn new(what: &'static str) -> Trouble {
        Trouble { what, error: None }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.error {
            Some(error) => write!(f, "{} ({error:?})", self.what),
            None => f.write_str(self.what),
        }
    }
}

pub trait Context<T> {
    /// Says what was being done.
    fn because(self, what: &'static str) -> Result<T, Trouble>;
}

impl<T> Context<T> for Result<T, Error> {
    fn because(self, what: &'static str) -> Result<T, Trouble> {
        self.map_err(|error| Trouble {
            what,
            error: Some(error),
        })
    }
}
