//! The only way to the machine: genesis implements it with loads, stores and instructions, tests with bytes.

/// Accesses that discovery makes. Widths are in bits: 8, 16, 32 or 64. Nothing is written but PCI configuration space.
pub trait Hardware {
    /// Physical memory or registers; `None` when nothing answers.
    fn read(&mut self, physical: u64, bits: u32) -> Option<u64>;
    /// Configuration space that is mapped into memory.
    fn write(&mut self, physical: u64, bits: u32, value: u64);
    /// Fills `to` from physical memory; false when some of it is not there.
    fn copy(&mut self, physical: u64, to: &mut [u8]) -> bool;
    /// I/O ports; all ones where there are none.
    fn port_read(&mut self, port: u16, bits: u32) -> u64;
    fn port_write(&mut self, port: u16, bits: u32, value: u64);
    /// x86: EAX, EBX, ECX, EDX of a CPUID leaf; zeros elsewhere.
    fn cpuid(&mut self, leaf: u32, sub: u32) -> [u32; 4];
    /// x86: a model-specific register. arm64: a system register, numbered op0<<14 | op1<<11 | CRn<<7 | CRm<<3 | op2.
    fn register(&mut self, number: u32) -> Option<u64>;
}
