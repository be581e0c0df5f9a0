//! Devicetrees (devicetree.org specification 0.4).

mod boot;
mod tree;

pub use boot::{boot, Boot};
pub use tree::{Node, Tree};
