//! Columns as wide as what stands in them.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{Result, Write};

pub struct Table<const N: usize> {
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    pub fn new(heads: [&str; N]) -> Table<N> {
        Table {
            rows: alloc::vec![heads.map(String::from)],
        }
    }

    pub fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells);
    }

    /// Two spaces between columns, numbers to the right, nothing at the end of a line.
    pub fn write(&self, out: &mut dyn Write) -> Result {
        let body = self.rows.get(1..).unwrap_or(&[]);
        let widths: [usize; N] = core::array::from_fn(|n| {
            let cells = self.rows.iter().map(|row| row[n].chars().count());
            cells.max().unwrap_or(0)
        });
        let numbers: [bool; N] = core::array::from_fn(|n| {
            !body.is_empty()
                && body
                    .iter()
                    .all(|row| row[n].bytes().all(|b| b.is_ascii_digit()))
        });
        for row in &self.rows {
            let mut line = String::new();
            for (n, cell) in row.iter().enumerate() {
                let width = widths[n];
                match numbers[n] {
                    true => write!(line, "{cell:>width$}  ")?,
                    false => write!(line, "{cell:<width$}  ")?,
                }
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_numbers_stand_to_the_right() {
        let mut table = Table::new(["name", "bytes", "why"]);
        table.row(["a".into(), "7".into(), String::new()]);
        table.row(["longer".into(), "123456".into(), "x".into()]);
        let mut text = String::new();
        table.write(&mut text).expect("writes");
        assert_eq!(
            text,
            "name     bytes  why\na            7\nlonger  123456  x\n"
        );
    }
}
