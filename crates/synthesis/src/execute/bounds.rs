//! Conditions, and what follows from them for the bounds of values.

use super::*;

impl<'a> Specialiser<'a, '_> {
    /// A condition: a number, or `back RING`.
    pub fn condition(&mut self, test: &'a Expr) -> Result<Num<'a>> {
        match self.value(test)? {
            Value::Back(i, ring) => self.is_back(i, ring, test.place),
            v => {
                let n = self.number_for(v, None, test.place)?;
                Ok(self.truth(n))
            }
        }
    }

    /// After `check x < 5 else …` the value of x is known to be less: its bound gets tighter, in this region.
    pub(super) fn narrow(&mut self, test: &'a Expr) {
        match &test.kind {
            ExprKind::Binary(BinaryOp::Both, a, b) => {
                self.narrow(a);
                self.narrow(b);
            }
            ExprKind::Binary(op @ (BinaryOp::Lt | BinaryOp::Le), a, b) => {
                let Some(limit) = self.limit(b) else { return };
                self.narrow_expr(
                    a,
                    if *op == BinaryOp::Lt {
                        limit.saturating_sub(1)
                    } else {
                        limit
                    },
                );
            }
            ExprKind::Binary(BinaryOp::Ge, a, b) => {
                if let Some(limit) = self.limit(b) {
                    self.raise_expr(a, limit);
                }
            }
            ExprKind::In(a, set) => {
                if let ExprKind::Range(lo, hi) = &set.kind {
                    if let Some(limit) = self.limit(lo) {
                        self.raise_expr(a, limit);
                    }
                    if let Some(limit) = self.limit(hi) {
                        self.narrow_expr(a, limit.saturating_sub(1));
                    }
                }
            }
            _ => {}
        }
    }

    pub(super) fn limit(&mut self, e: &'a Expr) -> Option<u64> {
        match &e.kind {
            ExprKind::Number(_) | ExprKind::Name(_) | ExprKind::Binary(..) => {
                let n = self.number(e).ok()?;
                self.b.known(n.id)
            }
            _ => None,
        }
    }

    /// Only values that were copied can be narrowed: a second read may say something else.
    pub(super) fn narrow_expr(&mut self, e: &'a Expr, most: u64) {
        if let Some(n) = self.copied(e) {
            self.narrowed.push((n.id, most));
        }
    }

    fn raise_expr(&mut self, e: &'a Expr, least: u64) {
        if let Some(n) = self.copied(e) {
            self.narrowed.push((n.id, u64::MAX));
            self.floors.push((n.id, least, self.narrowed.len()));
        }
    }

    /// The least that a value can be, by what was checked before.
    pub fn least(&self, n: Num<'a>) -> u64 {
        let known = self.b.known(n.id).unwrap_or(0);
        let of = self.floors.iter().filter(|(id, _, _)| *id == n.id);
        let least = of.fold(known, |least, (_, floor, _)| least.max(*floor));
        // A sum that does not wrap is at least what is added.
        match self.b.op(n.id) {
            Op::Bin(BinOp::Add, _, by) if n.most != u64::MAX => {
                least.max(self.b.known(*by).unwrap_or(0))
            }
            _ => least,
        }
    }

    fn copied(&mut self, e: &'a Expr) -> Option<Num<'a>> {
        let base = match &e.kind {
            ExprKind::Name(n) => *n,
            ExprKind::Dot(of, _) => match &of.kind {
                ExprKind::Name(n) => *n,
                _ => return None,
            },
            _ => return None,
        };
        let from = self.frames.last().map_or(0, |f| f.scope);
        if !self.scopes[from..].iter().any(|(n, b)| {
            *n == base
                && matches!(
                    b,
                    Binding::Value(Value::Num(_) | Value::Copy(..) | Value::Buffer(_))
                )
        }) {
            return None;
        }
        match self.value(e) {
            Ok(Value::Num(n)) => Some(n),
            _ => None,
        }
    }
}
