//! The rules language: syntax, types and static checks. Host and genesis share the tree; only the host parses text.
#![no_std]
extern crate alloc;

pub mod tree;
