//! Code graph to machine code: every entry of a residual as a function of the C calling convention, in one blob of
//! position-independent bytes (see `abi::context`).
//!
//! The compiler is Cranelift. What it cannot write (ports, system registers, barriers, firmware calls) stands behind
//! the functions as short byte sequences that they call. The blob refers to nothing outside itself: windows, arena,
//! upcalls and the clock come through the context. The same residual gives the same bytes wherever it is emitted.
#![no_std]
extern crate alloc;

#[cfg(any(feature = "x86", feature = "arm64"))]
mod access;
#[cfg(any(feature = "x86", feature = "arm64"))]
mod blob;
mod choose;
#[cfg(any(feature = "x86", feature = "arm64"))]
mod function;
#[cfg(any(feature = "x86", feature = "arm64"))]
mod isa;
#[cfg(any(feature = "x86", feature = "arm64"))]
mod stubs;
#[cfg(any(feature = "x86", feature = "arm64"))]
mod value;

use alloc::{string::String, vec::Vec};
use core::fmt;

pub use choose::{choose, Supplier};
pub use graph::code::{Code, Target};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The residual is not well formed.
    Invalid(String),
    /// The target has no such instructions, or this build cannot write for the target.
    Unsupported(String),
    /// The compiler refused the function of an entry.
    Compile(String),
    /// The code would refer to something outside itself.
    Relocation(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Error::Invalid(why) => write!(f, "the code graph is not well formed: {why}"),
            Error::Unsupported(what) => write!(f, "no code for this: {what}"),
            Error::Compile(why) => write!(f, "the compiler refused the code graph: {why}"),
            Error::Relocation(what) => write!(f, "the code refers to something outside: {what}"),
        }
    }
}

impl core::error::Error for Error {}

/// Writes the machine code of every entry.
#[cfg(any(feature = "x86", feature = "arm64"))]
pub fn emit(residual: &graph::Residual, target: Target) -> Result<Code, Error> {
    written(residual, target, false).map(|(code, _)| code)
}

/// Instructions that come from one step of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Offset in [`Code::bytes`].
    pub at: u32,
    /// Bytes.
    pub size: u32,
    pub step: graph::Id,
}

/// The same bytes, and which step of the graph they come from: in the order of the bytes.
#[cfg(any(feature = "x86", feature = "arm64"))]
pub fn emit_placed(
    residual: &graph::Residual,
    target: Target,
) -> Result<(Code, Vec<Placed>), Error> {
    written(residual, target, true)
}

#[cfg(any(feature = "x86", feature = "arm64"))]
fn written(
    residual: &graph::Residual,
    target: Target,
    wanted: bool,
) -> Result<(Code, Vec<Placed>), Error> {
    residual.validate().map_err(Error::Invalid)?;
    if residual.windows.len() > abi::context::WINDOWS {
        return Err(Error::Invalid(alloc::format!(
            "{} windows, of which a context has {}",
            residual.windows.len(),
            abi::context::WINDOWS
        )));
    }
    let (hot, cold) = (isa::of(target, false)?, isa::of(target, true)?);
    let mut compiler = function::Compiler::new(residual, target, &*hot, &*cold, wanted);
    let mut blob = blob::Blob::new(target);
    let mut placed = Vec::new();
    for (n, entry) in residual.entries.iter().enumerate() {
        let before = &residual.entries[..n];
        // Most recoveries do the same.
        match before
            .iter()
            .position(|other| graph::same::same(&residual.graph, other, entry))
        {
            Some(other) => blob.again(other),
            None => match status(residual, entry) {
                Some(status) => blob.status(status)?,
                None => {
                    let compiled = compiler.entry(entry)?;
                    let base = blob.function(&compiled)?;
                    if wanted {
                        placed.extend(places(&compiled, base));
                    }
                }
            },
        }
    }
    Ok((blob.finish(compiler.stubs())?, placed))
}

/// Which step each run of instructions comes from.
#[cfg(any(feature = "x86", feature = "arm64"))]
fn places(compiled: &blob::Compiled, base: u32) -> impl Iterator<Item = Placed> + '_ {
    let places = compiled.code.buffer.get_srclocs_sorted().iter();
    let places = places.filter(|place| !place.loc.is_default());
    places.map(move |place| Placed {
        at: base + place.start,
        size: place.end - place.start,
        step: place.loc.bits(),
    })
}

/// The status of an entry that does nothing but say so: that needs no compiler.
#[cfg(any(feature = "x86", feature = "arm64"))]
fn status(residual: &graph::Residual, entry: &graph::Entry) -> Option<u16> {
    let graph = &residual.graph;
    let status = match graph.regions.get(entry.body as usize)?.steps.as_slice() {
        [] => abi::status::OK,
        [step] => match *graph.nodes.get(*step as usize)? {
            graph::Op::Return(status) => match *graph.nodes.get(status as usize)? {
                graph::Op::Const(status) => status,
                _ => return None,
            },
            _ => return None,
        },
        _ => return None,
    };
    u16::try_from(status).ok()
}
