//! What an operating system calls before it asks for anything: what firmware sets up for itself (ACPI 6.5, 6.5.1, 6.5.4), and
//! which interrupt controllers are in use (5.8.1).

use super::namespace::status;
use crate::{
    aml::{Aml, NodeId, Value, World, ROOT},
    Notes,
};
use alloc::format;

/// The space of PCI's configuration (5.5.2.4): the only one for which `_REG` says that it can be asked. Memory and ports
/// always can.
const CONFIGURATION: u64 = 2;

/// Runs `_INI` of the root and of what holds the devices, then `_REG`, then `_INI` of every device that is there, then `_PIC`.
/// False if this failed: what tables say of wires may then be meant for the other kind of controller. `_INI` only if
/// `initialise`.
pub fn prepare(aml: &mut Aml, world: &mut World, initialise: bool, notes: &mut Notes) -> bool {
    let bus = aml.member(ROOT, b"_SB_");
    for scope in [Some(ROOT), bus].into_iter().flatten() {
        if initialise {
            call(aml, world, scope, b"_INI", &[], notes);
        }
    }
    for (device, space) in aml.connected() {
        // A dump answers for every space.
        if space as u64 == CONFIGURATION || world.hardware.copied() {
            let arguments = [space as u64, 1].map(Value::Integer);
            call(aml, world, device, b"_REG", &arguments, notes);
        }
    }
    if initialise && aml.any_named(b"_INI") {
        devices(aml, world, notes);
    }
    call(aml, world, ROOT, b"_PIC", &[Value::Integer(1)], notes)
}

/// `_INI` of the devices that are there, those above first; not of those below one that is absent.
fn devices(aml: &mut Aml, world: &mut World, notes: &mut Notes) {
    let mut rest = alloc::vec![ROOT];
    while let Some(at) = rest.pop() {
        if aml.is_device(at) {
            match status(aml, world, at) {
                Ok(flags) if flags & 9 != 0 => {}
                _ => continue,
            }
            call(aml, world, at, b"_INI", &[], notes);
        }
        let from = rest.len();
        rest.extend(aml.holders(at));
        rest[from..].reverse();
    }
}

/// Calls a member, if there is one. False, with a note, when it fails.
fn call(
    aml: &mut Aml,
    world: &mut World,
    of: NodeId,
    name: &[u8; 4],
    arguments: &[Value],
    notes: &mut Notes,
) -> bool {
    let Some(node) = aml.member(of, name) else {
        return true;
    };
    match aml.evaluate(world, node, arguments) {
        Ok(_) => true,
        Err(why) => {
            let path = aml.path(node);
            notes.say(format!("acpi: {path} failed: {}", why.told()));
            false
        }
    }
}
