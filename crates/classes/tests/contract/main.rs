//! The classes' contracts, held by the pump and tried by the self-tests, against residuals written for each test.

mod fake;
mod pump;
mod selftest;
