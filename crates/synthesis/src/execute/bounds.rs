//! Conditions, and what follows from them for the bounds of values.

use super::*;

impl<'a> Specialiser<'a, '_> {
    /// A condition: a number, or `back RING`.
    pub fn condition(&mut self, test: &'a Expr) -> Result<Num<'a>> {
        match self.value(test)? {
            Value::Back(i, ring) => self.is_back(i, ring, test.place),
            v => {
                let n = self.number_for(v, None, test.place)?;
                let n = self.exact(n, test.place)?;
                Ok(self.truth(n))
            }
        }
    }

    /// From here to the end of the region a condition holds: values that it compares with known numbers have bounds.
    pub(super) fn believe(&mut self, condition: Num<'a>) {
        for (low, high, equal) in self.entry.proved.comparisons(condition.id) {
            match (self.out.b.known(low), self.out.b.known(high)) {
                (None, Some(limit)) => {
                    let most = match equal {
                        true => limit,
                        false => limit.saturating_sub(1),
                    };
                    self.entry.proved.at_most(low, most);
                }
                (Some(limit), None) => {
                    let least = match equal {
                        true => limit,
                        false => limit.saturating_add(1),
                    };
                    self.entry.proved.at_least(high, least);
                }
                (None, None) => self.entry.proved.not_above(low, high),
                _ => {}
            }
        }
    }

    /// Whether a difference cannot be below 0.
    pub fn not_above(&self, low: Num<'a>, high: Num<'a>) -> bool {
        if self.least(high) >= low.most || low.id == high.id {
            return true;
        }
        // A remainder, a part of the bits, and the lesser of two are not above what they are taken from.
        let part = match self.out.b.op(low.id) {
            Op::Bin(BinOp::Rem, of, _) => *of == high.id,
            Op::Bin(BinOp::And | BinOp::Min, a, b) => *a == high.id || *b == high.id,
            _ => false,
        };
        part || self.entry.proved.is_not_above(low.id, high.id)
    }

    /// The least that a value can be, by what was checked before.
    pub fn least(&self, n: Num<'a>) -> u64 {
        if let Some(known) = self.out.b.known(n.id) {
            return known;
        }
        // No value is less than 0.
        let least = self.entry.proved.least(n.id, 0);
        // A sum that does not wrap is at least what is added.
        match self.out.b.op(n.id) {
            Op::Bin(BinOp::Add, _, by) if n.most != u64::MAX => match self.out.b.known(*by) {
                Some(by) => least.max(by),
                None => least,
            },
            _ => least,
        }
    }
}
