//! Counts what was as it should be.

use core::fmt::Debug;

#[derive(Default)]
pub struct Report {
    pub passed: u32,
    pub failed: u32,
}

impl Report {
    /// What happened must be what should have.
    pub fn same<T: PartialEq + Debug>(&mut self, what: &str, is: T, should: T) {
        if is == should {
            self.passed += 1;
        } else {
            self.failed += 1;
            runtime::println!("hostile: {what}: {is:?} instead of {should:?}");
        }
    }

    pub fn yes(&mut self, what: &str, holds: bool) {
        self.same(what, holds, true)
    }
}
