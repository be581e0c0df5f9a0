//! PCI configuration space through firmware's protocols, and nothing is ever written: what discovery writes is kept aside
//! and read back, and how large a range is says firmware, which sized it.

use alloc::{collections::BTreeMap, vec::Vec};
use core::ffi::c_void;
use core::mem::size_of;
use uefi::boot::{self, OpenProtocolAttributes, OpenProtocolParams, ScopedProtocol};
use uefi::proto::pci::root_bridge::PciRootBridgeIo;
use uefi::proto::pci::PciIoAddress;
use uefi::proto::{unsafe_protocol, ProtocolPointer};
use uefi::{Handle, Status};

/// EFI_PCI_IO_PROTOCOL (UEFI 2.10, 14.4): its functions in order, as far as they are called here.
#[repr(C)]
#[unsafe_protocol("4cf5b200-68b8-4ca5-9eec-b23e3f50029a")]
struct PciIo {
    access: [usize; 14],
    location: unsafe extern "efiapi" fn(
        this: *const PciIo,
        segment: *mut usize,
        bus: *mut usize,
        device: *mut usize,
        function: *mut usize,
    ) -> Status,
    attributes: usize,
    ranges: unsafe extern "efiapi" fn(
        this: *const PciIo,
        index: u8,
        supports: *mut u64,
        resources: *mut *mut c_void,
    ) -> Status,
}

/// A QWORD address space descriptor (ACPI 6.5, 6.4.3.5.1): tag, base, length.
const QWORD: u8 = 0x8a;
const DESCRIPTOR: usize = 46;

/// A register of a function: segment, bus << 8 | device << 3 | function, offset.
type Place = (u16, u16, u16);

pub struct Pci {
    bridges: Vec<(u16, ScopedProtocol<PciRootBridgeIo>)>,
    /// Base and length of the ranges of each function.
    ranges: BTreeMap<(u16, u16), Vec<(u64, u64)>>,
    /// What discovery believes it wrote.
    written: BTreeMap<Place, u32>,
}

fn opened<P: ProtocolPointer + ?Sized>(handle: Handle) -> Option<ScopedProtocol<P>> {
    let parameters = OpenProtocolParams {
        handle,
        agent: boot::image_handle(),
        controller: None,
    };
    // SAFETY: only read from, and closed before boot services end; firmware's own drivers stay where they are.
    unsafe { boot::open_protocol::<P>(parameters, OpenProtocolAttributes::GetProtocol) }.ok()
}

impl Pci {
    pub fn new() -> Pci {
        let handles = boot::find_handles::<PciRootBridgeIo>().unwrap_or_default();
        let bridges = handles.into_iter().filter_map(|handle| {
            let bridge = opened::<PciRootBridgeIo>(handle)?;
            Some((bridge.segment_nr() as u16, bridge))
        });
        let mut ranges = BTreeMap::new();
        for handle in boot::find_handles::<PciIo>().unwrap_or_default() {
            let Some(function) = opened::<PciIo>(handle) else {
                continue;
            };
            if let Some(at) = location(&function) {
                ranges.insert(at, (0..6).filter_map(|n| range(&function, n)).collect());
            }
        }
        Pci {
            bridges: bridges.collect(),
            ranges,
            written: BTreeMap::new(),
        }
    }

    fn real(&mut self, (segment, function, at): Place) -> Option<u32> {
        let address = PciIoAddress {
            reg: if at < 256 { at as u8 } else { 0 },
            fun: (function & 7) as u8,
            dev: (function >> 3 & 31) as u8,
            bus: (function >> 8) as u8,
            ext_reg: if at < 256 { 0 } else { at.into() },
        };
        let (_, bridge) = self.bridges.iter_mut().find(|(s, _)| *s == segment)?;
        bridge.pci().read_one::<u32>(address).ok()
    }

    /// Reads the low `bits` at any place.
    pub fn read(&mut self, (segment, function, at): Place, bits: u32) -> Option<u64> {
        let place = (segment, function, at & !3);
        let word = match self.written.get(&place) {
            Some(word) => *word,
            None => self.real(place)?,
        };
        let mask = u64::MAX >> (64 - bits.clamp(1, 32));
        Some(u64::from(word) >> (8 * (at & 3)) & mask)
    }

    /// What a write would leave to be read. Address registers answer all ones with their size, as far as firmware says it.
    pub fn write(&mut self, (segment, function, at): Place, bits: u32, value: u64) {
        let place = (segment, function, at & !3);
        let Some(real) = self.real(place) else {
            return;
        };
        let old = self.written.get(&place).copied().unwrap_or(real);
        let shift = 8 * (at & 3);
        let mask = ((u64::MAX >> (64 - bits.clamp(1, 32))) << shift) as u32;
        let mut new = old & !mask | (value << shift) as u32 & mask;
        let sizes = value as u32 >= 0xffff_f800 && bits == 32;
        if sizes && (0x10..0x3c).contains(&place.2) {
            new = self.size(place, real);
        }
        if new == real {
            self.written.remove(&place);
        } else {
            self.written.insert(place, new);
        }
    }

    /// What an address register would read after all ones: the bits that can change, and those that say what it is. 0
    /// when firmware gave it no range.
    fn size(&mut self, (segment, function, at): Place, real: u32) -> u32 {
        let port = real & 1 == 1;
        let ranges = self.ranges.get(&(segment, function)).cloned();
        let ranges = ranges.unwrap_or_default();
        let low = u64::from(real & if port { !3 } else { !15 });
        let wide = !port && real >> 1 & 3 == 2;
        let high = match wide {
            true => self.real((segment, function, at + 4)).unwrap_or(0),
            false => 0,
        };
        let base = low | u64::from(high) << 32;
        let length = |base: u64| {
            ranges
                .iter()
                .find(|(b, l)| *b == base && l.is_power_of_two())
        };
        if let Some((_, length)) = length(base).filter(|_| base != 0) {
            return !(length - 1) as u32 | real & if port { 3 } else { 15 };
        }
        // The upper half of the register before.
        let before = match at > 0x10 {
            true => self.real((segment, function, at - 4)).unwrap_or(0),
            false => 0,
        };
        let base = u64::from(real) << 32 | u64::from(before & !15);
        match length(base).filter(|_| before & 7 == 4) {
            Some((_, length)) => (!(length - 1) >> 32) as u32,
            None => 0,
        }
    }
}

fn location(function: &PciIo) -> Option<(u16, u16)> {
    let (mut segment, mut bus, mut device, mut number) = (0, 0, 0, 0);
    // SAFETY: the protocol is open, and the four places are ours.
    let status =
        unsafe { (function.location)(function, &mut segment, &mut bus, &mut device, &mut number) };
    (status == Status::SUCCESS)
        .then_some((segment as u16, (bus << 8 | device << 3 | number) as u16))
}

fn range(function: &PciIo, index: u8) -> Option<(u64, u64)> {
    let (mut supports, mut resources) = (0, core::ptr::null_mut());
    // SAFETY: the protocol is open, and the two places are ours.
    let status = unsafe { (function.ranges)(function, index, &mut supports, &mut resources) };
    let resources = core::ptr::NonNull::new(resources.cast::<u8>())?;
    if status != Status::SUCCESS {
        return None;
    }
    let mut bytes = [0; DESCRIPTOR];
    // SAFETY: firmware allocated at least one descriptor and an end tag of two bytes there, and gave it to us; a list that
    // is only the end tag is not read further.
    unsafe {
        if resources.read() == QWORD {
            core::ptr::copy_nonoverlapping(resources.as_ptr(), bytes.as_mut_ptr(), DESCRIPTOR);
        }
        let _ = boot::free_pool(resources);
    }
    let word = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    let (base, length) = (word(14)?, word(38)?);
    (bytes[0] == QWORD && length != 0).then_some((base, length))
}

const _: () = assert!(size_of::<PciIoAddress>() == 8);
