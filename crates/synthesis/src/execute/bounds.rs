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
            ExprKind::In(a, set) => {
                if let ExprKind::Range(_, hi) = &set.kind {
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
        let base = match &e.kind {
            ExprKind::Name(n) => *n,
            ExprKind::Dot(of, _) => match &of.kind {
                ExprKind::Name(n) => *n,
                _ => return,
            },
            _ => return,
        };
        let from = self.frames.last().map_or(0, |f| f.scope);
        if !self.scopes[from..].iter().any(|(n, b)| {
            *n == base && matches!(b, Binding::Value(Value::Num(_) | Value::Copy(..)))
        }) {
            return;
        }
        if let Ok(Value::Num(n)) = self.value(e) {
            self.narrowed.push((n.id, most));
        }
    }
}
