//! Names for bits: features as leaf, register (0 EAX to 3 EDX) and bit (Intel SDM volume 2A, CPUID; AMD APM volume 3,
//! appendix E), or as ID register, lowest bit of the field and the least value that means "yes" (Arm ARM, D19.2).

#[rustfmt::skip]
pub const X86: [(&str, u32, usize, u32); 73] = [
    ("fpu", 1, 3, 0), ("tsc", 1, 3, 4), ("msr", 1, 3, 5), ("pae", 1, 3, 6), ("cx8", 1, 3, 8), ("apic", 1, 3, 9),
    ("sysenter", 1, 3, 11), ("mtrr", 1, 3, 12), ("global_pages", 1, 3, 13), ("cmov", 1, 3, 15), ("pat", 1, 3, 16),
    ("clflush", 1, 3, 19), ("mmx", 1, 3, 23), ("fxsr", 1, 3, 24), ("sse", 1, 3, 25), ("sse2", 1, 3, 26), ("htt", 1, 3, 28),
    ("sse3", 1, 2, 0), ("pclmul", 1, 2, 1), ("monitor", 1, 2, 3), ("vmx", 1, 2, 5), ("ssse3", 1, 2, 9), ("fma", 1, 2, 12),
    ("cx16", 1, 2, 13), ("pcid", 1, 2, 17), ("sse4_1", 1, 2, 19), ("sse4_2", 1, 2, 20), ("x2apic", 1, 2, 21),
    ("movbe", 1, 2, 22), ("popcnt", 1, 2, 23), ("tsc_deadline", 1, 2, 24), ("aes", 1, 2, 25), ("xsave", 1, 2, 26),
    ("avx", 1, 2, 28), ("f16c", 1, 2, 29), ("rdrand", 1, 2, 30), ("hypervisor", 1, 2, 31),
    ("always_apic_timer", 6, 0, 2),
    ("fsgsbase", 7, 1, 0), ("tsc_adjust", 7, 1, 1), ("bmi1", 7, 1, 3), ("avx2", 7, 1, 5), ("smep", 7, 1, 7), ("bmi2", 7, 1, 8),
    ("fast_strings", 7, 1, 9), ("invpcid", 7, 1, 10), ("avx512f", 7, 1, 16), ("rdseed", 7, 1, 18), ("adx", 7, 1, 19),
    ("smap", 7, 1, 20), ("clflushopt", 7, 1, 23), ("clwb", 7, 1, 24), ("sha", 7, 1, 29),
    ("umip", 7, 2, 2), ("pku", 7, 2, 3), ("waitpkg", 7, 2, 5), ("shadow_stack", 7, 2, 7), ("la57", 7, 2, 16), ("rdpid", 7, 2, 22),
    ("fast_short_strings", 7, 3, 4), ("hybrid", 7, 3, 15), ("branch_tracking", 7, 3, 20), ("ibrs", 7, 3, 26), ("stibp", 7, 3, 27),
    ("svm", 0x8000_0001, 2, 2), ("syscall", 0x8000_0001, 3, 11), ("no_execute", 0x8000_0001, 3, 20),
    ("large_1g", 0x8000_0001, 3, 26), ("rdtscp", 0x8000_0001, 3, 27), ("long_mode", 0x8000_0001, 3, 29),
    ("topology_extensions", 0x8000_0001, 2, 22), ("tsc_constant", 0x8000_0007, 3, 8), ("ibpb", 0x8000_0008, 1, 12),
];

/// The identification registers, with their names: op0<<14 | op1<<11 | CRn<<7 | CRm<<3 | op2.
pub const REGISTERS: [(&str, u32); 10] = [
    ("midr", 0xc000),
    ("pfr0", 0xc020),
    ("pfr1", 0xc021),
    ("dfr0", 0xc028),
    ("isar0", 0xc030),
    ("isar1", 0xc031),
    ("mmfr0", 0xc038),
    ("mmfr1", 0xc039),
    ("mmfr2", 0xc03a),
    ("ctr", 0xd801),
];

/// A field of 15 means "not there" where the least value is 0.
#[rustfmt::skip]
pub const ARM: [(&str, &str, u32, u64); 40] = [
    ("el2", "pfr0", 8, 1), ("el3", "pfr0", 12, 1), ("fp", "pfr0", 16, 0), ("simd", "pfr0", 20, 0),
    ("gic_registers", "pfr0", 24, 1), ("ras", "pfr0", 28, 1), ("sve", "pfr0", 32, 1), ("amu", "pfr0", 44, 1),
    ("bti", "pfr1", 0, 1), ("ssbs", "pfr1", 4, 1), ("mte", "pfr1", 8, 1),
    ("pmu", "dfr0", 8, 1),
    ("aes", "isar0", 4, 1), ("pmull", "isar0", 4, 2), ("sha1", "isar0", 8, 1), ("sha2", "isar0", 12, 1),
    ("sha512", "isar0", 12, 2), ("crc32", "isar0", 16, 1), ("atomics", "isar0", 20, 2), ("sha3", "isar0", 32, 1),
    ("dot", "isar0", 44, 1), ("fhm", "isar0", 48, 1), ("flags", "isar0", 52, 1), ("tlb_range", "isar0", 56, 2), ("rndr", "isar0", 60, 1),
    ("dc_pop", "isar1", 0, 1), ("pac_qarma5", "isar1", 4, 1), ("pac_own", "isar1", 8, 1), ("rcpc", "isar1", 20, 1),
    ("frint", "isar1", 32, 1), ("sb", "isar1", 36, 1), ("i8mm", "isar1", 52, 1),
    ("pages_4k", "mmfr0", 28, 0), ("pages_16k", "mmfr0", 20, 1), ("pages_64k", "mmfr0", 24, 0),
    ("hardware_af", "mmfr1", 0, 1), ("vhe", "mmfr1", 8, 1), ("pan", "mmfr1", 20, 1), ("cnp", "mmfr2", 0, 1), ("idst", "mmfr2", 36, 1),
];

/// Who made it (Arm ARM, MIDR_EL1, Implementer).
pub const MAKERS: [(u64, &str); 12] = [
    (0x41, "Arm"),
    (0x42, "Broadcom"),
    (0x43, "Cavium"),
    (0x46, "Fujitsu"),
    (0x48, "HiSilicon"),
    (0x4e, "NVIDIA"),
    (0x50, "Ampere (X-Gene)"),
    (0x51, "Qualcomm"),
    (0x53, "Samsung"),
    (0x56, "Marvell"),
    (0x61, "Apple"),
    (0xc0, "Ampere"),
];
