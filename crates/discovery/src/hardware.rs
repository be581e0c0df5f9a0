//! The only way to the machine: genesis implements it with loads, stores and instructions, tests with bytes.

use alloc::string::String;

/// Accesses that discovery makes. Widths are in bits: 8, 16, 32 or 64. The policy (`policy.rs`) decides which are made at
/// all. The methods with a body need not be implemented: without them less is found out, and the model says so.
pub trait Hardware {
    /// Physical memory or registers; `None` when nothing answers.
    fn read(&mut self, physical: u64, bits: u32) -> Option<u64>;
    /// Registers, or configuration space that is mapped into memory. Never memory with contents.
    fn write(&mut self, physical: u64, bits: u32, value: u64);
    /// Fills `to` from physical memory; false when some of it is not there.
    fn copy(&mut self, physical: u64, to: &mut [u8]) -> bool;
    /// I/O ports; all ones where there are none.
    fn port_read(&mut self, port: u16, bits: u32) -> u64;
    fn port_write(&mut self, port: u16, bits: u32, value: u64);
    /// A write to a port that firmware's AML asks for. True if it was made: the policy allows few, the rest are kept in a
    /// shadow by the evaluator.
    fn port_tell(&mut self, port: u16, bits: u32, value: u64) -> bool {
        let _ = (port, bits, value);
        false
    }
    /// Nothing real is behind this (a dump of a machine), so that no write can do harm, and what AML writes is taken for
    /// written.
    fn copied(&self) -> bool {
        false
    }
    /// x86: EAX, EBX, ECX, EDX of a CPUID leaf; zeros elsewhere.
    fn cpuid(&mut self, leaf: u32, sub: u32) -> [u32; 4];
    /// x86: a model-specific register. arm64: a system register, numbered op0<<14 | op1<<11 | CRn<<7 | CRm<<3 | op2.
    fn register(&mut self, number: u32) -> Option<u64>;
    /// arm64: size and geometry of a cache as CCSIDR_EL1 has them, for a value of CSSELR_EL1.
    fn cache(&mut self, selector: u64) -> Option<u64> {
        let _ = selector;
        None
    }
    /// Stores `value` to RAM past any cache, and says whether it could: for tests of RAM, which put back what was there.
    fn ram_write(&mut self, physical: u64, bits: u32, value: u64) -> bool {
        let _ = (physical, bits, value);
        false
    }
    /// Loads from RAM past any cache, after [`Hardware::ram_write`].
    fn ram_read(&mut self, physical: u64, bits: u32) -> Option<u64> {
        self.read(physical, bits)
    }
    /// What the processor said about the last access that did not succeed, for a person (`exception 14 at 0x…`).
    fn what_failed(&mut self) -> Option<String> {
        None
    }
}
