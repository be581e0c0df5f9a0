//! What the manager answers, on its callers' threads (`abi::program::manager`).

use crate::ward::{self, Ward};
use abi::program::manager;
use abi::system::{root, Error};
use runtime::portal::Serve;
use runtime::sys;

pub const STACK: usize = 0x4000;

pub struct Portal;

impl Serve for Portal {
    fn serve(_badge: u64, words: &mut [u64; 8]) {
        let [request, argument, ..] = *words;
        *words = ward::with(|ward| answer(ward, request, argument))
            .unwrap_or_else(|| refused(Error::Denied));
    }
}

fn refused(error: Error) -> [u64; 8] {
    [error as i64 as u64, 0, 0, 0, 0, 0, 0, 0]
}

fn answer(ward: &mut Ward, request: u64, argument: u64) -> [u64; 8] {
    match request {
        manager::TASK => task(ward, argument),
        manager::RESTART => match ward.restart(argument) {
            Ok(()) => [0; 8],
            Err(error) => refused(error),
        },
        manager::CHILD => child(ward, argument),
        manager::OFF => power(sys::power_off(root::PLATFORM)),
        manager::RESET => power(sys::power_reset(root::PLATFORM)),
        manager::MEMORY => ward.memory(),
        _ => refused(Error::NoCall),
    }
}

/// Only comes back when it did not work.
fn power(result: Result<(), Error>) -> [u64; 8] {
    refused(result.err().unwrap_or(Error::NoCall))
}

fn child(ward: &Ward, index: u64) -> [u64; 8] {
    let Some((device, child)) = ward.child(index) else {
        return [0; 8];
    };
    let (id, kind, variant) = child
        .facts
        .map_or((0, 0, 0), |facts| (facts.id, facts.kind, facts.variant));
    [
        child.state,
        device as u64,
        child.place.into(),
        id.into(),
        kind.into(),
        variant.into(),
        0,
        0,
    ]
}

fn task(ward: &Ward, index: u64) -> [u64; 8] {
    let Some(found) = ward.describe(index) else {
        return [0; 8];
    };
    let mut name = [0; 16];
    for (to, byte) in name.iter_mut().zip(found.name.bytes()) {
        *to = byte;
    }
    let name = u128::from_le_bytes(name);
    let info = found.info;
    [
        found.state,
        found.restarts,
        info.donated,
        info.mapped,
        info.time,
        found.device,
        name as u64,
        (name >> 64) as u64,
    ]
}
