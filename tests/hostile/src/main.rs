//! Calls every system call with arguments that must be refused.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]
extern crate alloc;

struct Adder;
impl runtime::portal::Serve for Adder {
    fn serve(badge: u64, words: &mut [u64; 8]) {
        words[0] += badge;
    }
}

runtime::program!(main);
fn main(argument: u64) {
    let p = runtime::portal::open::<Adder>(7, 16 * 1024);
    let v = alloc::vec![1, 2, 3];
    let w = runtime::sys::portal_call(p.unwrap(), [argument; 8]);
    runtime::println!("hello {p:?} {v:?} {w:?}");
}
