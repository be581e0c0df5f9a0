//! Copies of ACPI's tables, laid out in memory of our own so that discovery reads them as it always does.

/// Where the copies are said to be. Nothing else is read from memory, so that any place will do.
const BASE: u64 = 0x4000_0000;
/// Bytes of a table's header (ACPI 6.5, 5.2.6).
pub const HEADER: usize = 36;

/// A range of memory-mapped configuration space (PCI Firmware 3.3, 4.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapped {
    pub base: u64,
    pub segment: u16,
    pub first: u8,
    pub last: u8,
}

#[derive(Default)]
pub struct Tables {
    bytes: Vec<u8>,
    any: bool,
    mapped: Vec<Mapped>,
}

impl Tables {
    /// What is shorter than a table's header is left out.
    #[must_use]
    pub fn of(mut tables: Vec<Vec<u8>>) -> Tables {
        tables.retain(|table| table.len() >= HEADER);
        let mut all = Tables {
            any: !tables.is_empty(),
            mapped: tables.iter().flat_map(|table| mapped(table)).collect(),
            ..Tables::default()
        };
        all.lay_out(tables);
        all
    }

    /// Root pointer (ACPI 6.5, 5.2.5.3), extended system description table (5.2.8), and then the tables.
    fn lay_out(&mut self, mut tables: Vec<Vec<u8>>) {
        let listed =
            |table: &&mut Vec<u8>| !table.starts_with(b"DSDT") && !table.starts_with(b"XSDT");
        let count = tables.iter_mut().filter(|t| listed(t)).count();
        let root = HEADER + 8 * count;
        let mut at = (BASE as usize + 36 + root).next_multiple_of(8);
        let mut places = Vec::new();
        for table in &tables {
            places.push(at as u64);
            at = (at + table.len()).next_multiple_of(8);
        }
        let dsdt = tables.iter().position(|table| table.starts_with(b"DSDT"));
        let dsdt = dsdt.and_then(|number| places.get(number)).copied();
        let mut list = Vec::new();
        for (table, place) in tables.iter_mut().zip(&places) {
            if table.starts_with(b"FACP") {
                point_to(table, dsdt.unwrap_or(0));
            }
            if listed(&table) {
                list.extend(place.to_le_bytes());
            }
        }
        let mut xsdt = vec![0; HEADER];
        xsdt[..4].copy_from_slice(b"XSDT");
        xsdt[4..8].copy_from_slice(&(root as u32).to_le_bytes());
        xsdt[8] = 1;
        xsdt.extend(list);
        check(&mut xsdt, 9);
        let mut pointer = vec![0; 36];
        pointer[..8].copy_from_slice(b"RSD PTR ");
        pointer[15] = 2;
        pointer[20..24].copy_from_slice(&36u32.to_le_bytes());
        pointer[24..32].copy_from_slice(&(BASE + 36).to_le_bytes());
        check(&mut pointer[..20], 8);
        check(&mut pointer, 32);
        self.bytes = pointer;
        self.bytes.extend(xsdt);
        for (table, place) in tables.iter().zip(places) {
            self.bytes.resize((place - BASE) as usize, 0);
            self.bytes.extend(table);
        }
    }

    pub fn any(&self) -> bool {
        self.any
    }

    pub fn root_pointer(&self) -> u64 {
        BASE
    }

    pub fn mapped(&self) -> Vec<Mapped> {
        self.mapped.clone()
    }

    /// Bytes of the copies.
    pub fn copy(&self, physical: u64, to: &mut [u8]) -> bool {
        let from = physical.checked_sub(BASE).map(|at| at as usize);
        let bytes = from.and_then(|from| self.bytes.get(from..from.checked_add(to.len())?));
        match bytes {
            Some(bytes) => to.copy_from_slice(bytes),
            None => return false,
        }
        true
    }
}

/// The fixed table names where the differentiated one is (5.2.9, offsets 40 and 140): at our copy of it.
fn point_to(table: &mut [u8], dsdt: u64) {
    let narrow = (dsdt as u32).to_le_bytes();
    if let Some(place) = table.get_mut(40..44) {
        place.copy_from_slice(&narrow);
    }
    if let Some(place) = table.get_mut(140..148) {
        place.copy_from_slice(&dsdt.to_le_bytes());
    }
    // What else it points to is out of reach.
    for range in [36..40, 132..140] {
        if let Some(place) = table.get_mut(range) {
            place.fill(0);
        }
    }
    check(table, 9);
}

/// Makes the bytes sum up to 0, by the one at `at`.
fn check(table: &mut [u8], at: usize) {
    table[at] = 0;
    let sum = table.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    table[at] = sum.wrapping_neg();
}

/// The entries of a table of mapped configuration space.
fn mapped(table: &[u8]) -> Vec<Mapped> {
    if !table.starts_with(b"MCFG") {
        return Vec::new();
    }
    let entries = table.get(44..).unwrap_or_default().chunks_exact(16);
    let entry = |e: &[u8]| {
        let base = e.get(..8)?.try_into().ok()?;
        Some(Mapped {
            base: u64::from_le_bytes(base),
            segment: u16::from_le_bytes([e[8], e[9]]),
            first: e[10],
            last: e[11],
        })
    };
    entries.filter_map(entry).collect()
}
