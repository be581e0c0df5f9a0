//! The host side of MetaOS: from sources and rules to an image, from an image to a running machine,
//! and from a running machine to answers. `main.rs` is the command line over this; `tests/` uses it too.

pub mod accel;
pub mod bench;
pub mod discover;
pub mod doctor;
pub mod emulator;
pub mod explain;
pub mod image;
pub mod machines;
pub mod pack;
pub mod packed;
pub mod prompt;
pub mod prove;
pub mod prove_data;
pub mod rule_new;
pub mod rules;
pub mod run;
pub mod see;
pub mod sources;
pub mod stick;
pub mod suite;
pub mod terminal;
pub mod workspace;
