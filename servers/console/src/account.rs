//! Where every byte of RAM is: what the nucleus counts, and what the manager says of what it gives out.

use crate::report::Grouped;
use abi::system::info;
use alloc::string::String;
use core::fmt::{Result, Write};

/// What RAM is used for: a word for programs, words for people, bytes. Each is counted by itself, so that all of them make RAM
/// only if none is forgotten or counted twice.
pub fn kinds(told: &info::Memory, manager: &[u64; 8]) -> [(&'static str, &'static str, u64); 15] {
    let [free, _, donated, private, rings, arenas, grant, _] = *manager;
    [
        (
            "nucleus_code",
            "nucleus code, with the room for generated code",
            told.nucleus_text,
        ),
        (
            "nucleus_read_only",
            "nucleus read-only data",
            told.nucleus_rodata,
        ),
        ("nucleus_data", "nucleus data", told.nucleus_data),
        ("kernel_tables", "kernel page tables", told.kernel_tables),
        ("boot_information", "boot information", told.kept),
        (
            "modules",
            "modules: programs, drivers' code, graphs, inventory",
            told.modules,
        ),
        ("frame_table", "table of page frames", told.frame_table),
        ("first_task", "the manager", told.first_task),
        ("donated", "tasks: donated to the nucleus", donated),
        ("private", "tasks: private memory", private),
        ("rings", "rings and pools of drivers", rings),
        ("arenas", "memory shared with devices", arenas),
        ("grant", "given to a program for its own tasks", grant),
        (
            "small_ranges",
            "free ranges too small to use",
            told.small_ranges,
        ),
        ("free", "free", free),
    ]
}

/// A task: name, bytes donated to the nucleus for it, bytes that it has mapped.
pub type TaskMemory = (String, u64, u64);

/// For a person.
pub fn table(out: &mut dyn Write, told: &info::Memory, manager: &[u64; 8]) -> Result {
    writeln!(out, "{:>15}  RAM, of which", Grouped(told.total))?;
    for (_, what, bytes) in kinds(told, manager) {
        writeln!(out, "{:>15}  {what}", Grouped(bytes))?;
    }
    writeln!(
        out,
        "{:>15}  of all this can be executed, each page counted once",
        Grouped(told.executable)
    )?;
    writeln!(
        out,
        "{:>15}  of all this genesis used and gave back",
        Grouped(told.genesis_returned)
    )
}

/// For a program: one line of JSON.
pub fn json(
    out: &mut dyn Write,
    told: &info::Memory,
    manager: &[u64; 8],
    tasks: &[TaskMemory],
) -> Result {
    let (ram, executable, genesis) = (told.total, told.executable, told.genesis_returned);
    write!(out, "{{\"ram\":{ram},\"kinds\":{{")?;
    for (n, (name, _, bytes)) in kinds(told, manager).iter().enumerate() {
        let comma = if n == 0 { "" } else { "," };
        write!(out, "{comma}\"{name}\":{bytes}")?;
    }
    write!(
        out,
        "}},\"given_out\":{},\"executable\":{executable}",
        manager[1]
    )?;
    write!(out, ",\"genesis\":{genesis},\"tasks\":[")?;
    for (n, (name, donated, mapped)) in tasks.iter().enumerate() {
        let comma = if n == 0 { "" } else { "," };
        // As Rust writes it, which JSON understands of the characters that names are made of.
        write!(
            out,
            "{comma}{{\"name\":{name:?},\"donated\":{donated},\"mapped\":{mapped}}}"
        )?;
    }
    writeln!(out, "]}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told() -> info::Memory {
        info::Memory {
            total: 1_234_567,
            nucleus_text: 1,
            free_at_start: 1000,
            small_ranges: 7,
            executable: 41,
            genesis_returned: 300,
            ..Default::default()
        }
    }

    #[test]
    fn a_person_and_a_program_are_told_the_same() {
        let manager = [600, 1000, 100, 120, 80, 60, 40, 0];
        let (mut table_text, mut json_text) = (String::new(), String::new());
        table(&mut table_text, &told(), &manager).expect("writes");
        let tasks = [("console".into(), 100, 50)];
        json(&mut json_text, &told(), &manager, &tasks).expect("writes");
        let read: serde_json::Value = serde_json::from_str(&json_text).expect("JSON");
        for (name, what, bytes) in kinds(&told(), &manager) {
            assert_eq!(read["kinds"][name], bytes, "{name}");
            let line = alloc::format!("{:>15}  {what}\n", Grouped(bytes));
            assert!(table_text.contains(&line), "{what}: {table_text}");
        }
        assert_eq!(
            (&read["ram"], &read["executable"]),
            (&1_234_567.into(), &41.into())
        );
        assert_eq!(read["tasks"][0]["name"], "console");
        // The manager's part: what it gave out and what is free.
        let given: u64 = ["free", "donated", "private", "rings", "arenas", "grant"]
            .map(|name| read["kinds"][name].as_u64().expect("a number"))
            .iter()
            .sum();
        assert_eq!(read["given_out"], given);
        assert!(table_text.starts_with("      1,234,567  RAM, of which\n"));
        assert!(table_text.contains("             41  of all this can be executed"));
    }
}
