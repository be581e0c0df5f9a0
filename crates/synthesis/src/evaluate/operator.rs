//! Operators and choices.

use super::*;
use crate::proved::Relation;

impl<'a> Specialiser<'a, '_> {
    pub(super) fn invert(&mut self, n: Num<'a>) -> Num<'a> {
        let all = self.out.b.constant(u64::MAX);
        let id = self.out.b.bin(BinOp::Xor, n.id, all);
        Num {
            open: true,
            cut: true,
            bits: n.bits,
            ..self.node(id, u64::MAX)
        }
    }

    pub(super) fn unary(&mut self, op: UnaryOp, a: &'a Expr) -> Result<Value<'a>> {
        let n = self.number(a)?;
        let zero = self.out.b.constant(0);
        Ok(Value::Num(match op {
            UnaryOp::Not => {
                self.exact(n, a.place)?;
                let id = self.out.b.bin(BinOp::Eq, n.id, zero);
                self.node(id, 1)
            }
            UnaryOp::Invert => self.invert(n),
            UnaryOp::Negate => {
                let id = self.out.b.bin(BinOp::Sub, zero, n.id);
                Num {
                    open: true,
                    cut: true,
                    ..self.node(id, u64::MAX)
                }
            }
        }))
    }

    pub(super) fn binary(
        &mut self,
        op: BinaryOp,
        a: &'a Expr,
        b: &'a Expr,
        place: Place,
    ) -> Result<Value<'a>> {
        match op {
            BinaryOp::Both | BinaryOp::Either => return self.logical(op, a, b),
            BinaryOp::Join => {
                let mut list = self.buffers(a)?;
                list.extend(self.buffers(b)?);
                return Ok(Value::Buffers(list));
            }
            _ => {}
        }
        let left = match (self.value(a)?, op) {
            (Value::Space(i, space, index), BinaryOp::Add) => {
                self.space_region(i, space, index, a.place)?
            }
            (left, _) => left,
        };
        match (&left, op) {
            (Value::None, BinaryOp::Add) => return Ok(Value::None),
            (Value::Region(_), BinaryOp::Add) => {
                let Value::Region(mut region) = left else {
                    return Ok(Value::None);
                };
                let n = self.exact_number(b)?;
                // One window, whatever part of it: several instances do not need several windows.
                region.offset = Some(match region.offset {
                    None => n,
                    Some(before) => self.sum(before, n),
                });
                return Ok(Value::Region(region));
            }
            (
                Value::Text(_) | Value::Texts(_) | Value::None | Value::Region(_),
                BinaryOp::Eq | BinaryOp::Ne,
            ) => {
                let right = self.value(b)?;
                let same = match (&left, &right) {
                    (Value::Text(x), Value::Text(y)) => x == y,
                    (Value::Texts(list), Value::Text(y)) => list.iter().any(|x| x == y),
                    (Value::None, Value::None) => true,
                    _ => false,
                };
                return Ok(Value::Num(
                    self.constant((same == (op == BinaryOp::Eq)) as u64),
                ));
            }
            _ => {}
        }
        // A literal takes its meaning from the other side.
        let (x, y) = if matches!(left, Value::Literal(..)) {
            let y = self.number(b)?;
            (self.number_for(left, y.bits, a.place)?, y)
        } else {
            let x = self.number_for(left, None, a.place)?;
            (x, self.number_as(b, x.bits)?)
        };
        Ok(Value::Num(self.arithmetic(op, x, y, place)?))
    }

    pub fn arithmetic(
        &mut self,
        op: BinaryOp,
        x: Num<'a>,
        y: Num<'a>,
        place: Place,
    ) -> Result<Num<'a>> {
        let cut = self.is_cut(op, x, y);
        // What does not follow from the lowest bits alone needs all of them.
        let lowest = match op {
            BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul => true,
            BinaryOp::And | BinaryOp::Or | BinaryOp::Xor => true,
            BinaryOp::Rem => self.out.b.known(y.id).is_some_and(u64::is_power_of_two) && !y.cut,
            BinaryOp::Shl => !y.cut,
            _ => false,
        };
        if !lowest {
            self.exact(x, place)?;
            self.exact(y, place)?;
        }
        let (node, most, swap) = match op {
            BinaryOp::Add => (BinOp::Add, x.most.saturating_add(y.most), false),
            // What was checked to be large enough does not wrap.
            BinaryOp::Sub if !cut => {
                let least = self.least(y);
                (BinOp::Sub, x.most.saturating_sub(least), false)
            }
            BinaryOp::Sub => (BinOp::Sub, u64::MAX, false),
            BinaryOp::Mul => (BinOp::Mul, x.most.saturating_mul(y.most), false),
            BinaryOp::Div | BinaryOp::Rem => {
                let Some(by) = self.out.b.known(y.id).filter(|n| *n != 0) else {
                    return Err(Error::new(
                        place,
                        "the divisor must be a known number that is not 0",
                        "learn it first, or check it",
                    ));
                };
                if op == BinaryOp::Div {
                    (BinOp::Div, x.most / by, false)
                } else {
                    (BinOp::Rem, x.most.min(by - 1), false)
                }
            }
            BinaryOp::And => (BinOp::And, x.most.min(y.most), false),
            BinaryOp::Or | BinaryOp::Xor => {
                let top = x.most | y.most;
                let most = if top == 0 {
                    0
                } else {
                    u64::MAX >> top.leading_zeros()
                };
                (
                    if op == BinaryOp::Or {
                        BinOp::Or
                    } else {
                        BinOp::Xor
                    },
                    most,
                    false,
                )
            }
            BinaryOp::Shl => {
                let by = y.most;
                let most = if by < 64 && x.most.leading_zeros() as u64 >= by {
                    x.most << by
                } else {
                    u64::MAX
                };
                (BinOp::Shl, most, false)
            }
            BinaryOp::Shr => (
                BinOp::Shr,
                self.out
                    .b
                    .known(y.id)
                    .map_or(x.most, |by| if by < 64 { x.most >> by } else { 0 }),
                false,
            ),
            BinaryOp::Eq => (BinOp::Eq, 1, false),
            BinaryOp::Ne => (BinOp::Ne, 1, false),
            BinaryOp::Lt => (BinOp::Lt, 1, false),
            BinaryOp::Le => (BinOp::Le, 1, false),
            BinaryOp::Gt => (BinOp::Lt, 1, true),
            BinaryOp::Ge => (BinOp::Le, 1, true),
            BinaryOp::Both | BinaryOp::Either | BinaryOp::Join => {
                return Err(Error::new(
                    place,
                    "not an arithmetic operator",
                    "use numbers",
                ))
            }
        };
        // No number that is not cut is below 0.
        let low = if swap { y } else { x };
        if node == BinOp::Le && self.out.b.known(low.id) == Some(0) {
            return Ok(self.constant(1));
        }
        let (a, b): (Id, Id) = if swap { (y.id, x.id) } else { (x.id, y.id) };
        let id = self.out.b.bin(node, a, b);
        if matches!(node, BinOp::Lt | BinOp::Le) {
            let equal = node == BinOp::Le;
            let (low, high) = (a, b);
            self.note(id, Relation::Less { low, high, equal });
        }
        let mut n = self.node(id, most);
        if self.out.b.known(id).is_none() {
            n.most = n.most.min(self.out.b.most(id));
        }
        if cut {
            n.most = u64::MAX;
        }
        n.cut = cut;
        n.open = (x.open || y.open)
            && matches!(op, BinaryOp::And | BinaryOp::Or | BinaryOp::Xor)
            && n.most == u64::MAX;
        if matches!(op, BinaryOp::And | BinaryOp::Or | BinaryOp::Xor) {
            n.bits = x.bits.or(y.bits);
        }
        Ok(n)
    }

    /// Whether a result may be below 0 or beyond 64 bits, so that its node has only the lowest of it.
    fn is_cut(&self, op: BinaryOp, x: Num<'a>, y: Num<'a>) -> bool {
        match op {
            BinaryOp::Add => x.cut || y.cut || x.most.checked_add(y.most).is_none(),
            BinaryOp::Sub => x.cut || y.cut || !self.not_above(y, x),
            BinaryOp::Mul => x.cut || y.cut || x.most.checked_mul(y.most).is_none(),
            // What is not cut is not below 0, and has no bits beyond.
            BinaryOp::And => x.cut && y.cut,
            BinaryOp::Or | BinaryOp::Xor => x.cut || y.cut,
            BinaryOp::Shl => x.cut || u64::from(x.most.leading_zeros()) < y.most && x.most != 0,
            _ => false,
        }
    }

    pub fn truth(&mut self, n: Num<'a>) -> Num<'a> {
        if n.most <= 1 || self.out.b.most(n.id) <= 1 {
            return n;
        }
        let zero = self.out.b.constant(0);
        let id = self.out.b.bin(BinOp::Ne, n.id, zero);
        self.node(id, 1)
    }

    /// `and`, `or`: the right side runs only if the left does not decide.
    pub(super) fn logical(&mut self, op: BinaryOp, a: &'a Expr, b: &'a Expr) -> Result<Value<'a>> {
        let left = match (self.value(a)?, op) {
            (Value::Space(i, space, index), BinaryOp::Either) => {
                self.space_region(i, space, index, a.place)?
            }
            (left, _) => left,
        };
        // `bar(1) or bar(0)`: the first that is there.
        if op == BinaryOp::Either {
            match left {
                Value::Region(_) => return Ok(left),
                Value::None => return self.value(b),
                _ => {}
            }
        }
        let x = self.number_for(left, None, a.place)?;
        let x = self.exact(x, a.place)?;
        let x = self.truth(x);
        let both = op == BinaryOp::Both;
        if let Some(v) = self.out.b.known(x.id) {
            if (v != 0) != both {
                return Ok(Value::Num(self.constant(v)));
            }
            let y = self.exact_number(b)?;
            return Ok(Value::Num(self.truth(y)));
        }
        // Device reads on the right must not happen when the left decides.
        let slot = self.out.b.new_local();
        let before = self.out.b.step(Op::SetLocal(slot, x.id));
        self.region_open();
        let y = self.exact_number(b)?;
        let y = self.truth(y);
        // Where the right side ends, what the left decided goes on.
        self.entry.cut = None;
        if self.out.b.current_is_empty() {
            // Nothing was touched: both sides may be computed.
            self.region_close();
            self.out.b.take_back(before);
            let id = self
                .out
                .b
                .bin(if both { BinOp::And } else { BinOp::Or }, x.id, y.id);
            if both {
                self.note(id, Relation::Both(x.id, y.id));
            }
            return Ok(Value::Num(self.node(id, 1)));
        }
        self.out.b.step(Op::SetLocal(slot, y.id));
        let inner = self.region_close();
        self.region_open();
        let empty = self.region_close();
        let (yes, no) = if both { (inner, empty) } else { (empty, inner) };
        self.out.b.step(Op::If {
            cond: x.id,
            yes,
            no,
        });
        let id = self.out.b.step(Op::Local(slot));
        if both {
            self.note(id, Relation::Both(x.id, y.id));
        }
        Ok(Value::Num(self.node(id, 1)))
    }

    /// Remembers what a comparison is about, where the run decides it.
    fn note(&mut self, id: Id, relation: Relation) {
        if self.out.b.known(id).is_none() {
            self.entry.proved.note(id, relation);
        }
    }

    /// `[a, b]`: what is read stands in it as it was read here.
    pub(super) fn list(&mut self, list: &'a [Expr]) -> Result<Value<'a>> {
        let mut out = Vec::new();
        for one in list {
            let value = self.value(one)?;
            out.push(match self.settle(value, one.place)? {
                Value::Text(text) => Value::Text(text),
                value => {
                    let n = self.number_for(value, None, one.place)?;
                    Value::Num(self.exact(n, one.place)?)
                }
            });
        }
        Ok(Value::List(out))
    }

    pub(super) fn is_in(&mut self, a: &'a Expr, set: &'a Expr) -> Result<Value<'a>> {
        let left = self.value(a)?;
        if matches!(left, Value::Text(_) | Value::Texts(_) | Value::None) {
            let Value::List(list) = self.value(set)? else {
                return Err(Error::new(
                    set.place,
                    "a text is in a list of texts, or in none",
                    "write `x in [\"one\", \"other\"]`",
                ));
            };
            let found = list.iter().any(|one| match (&left, one) {
                (Value::Text(x), Value::Text(y)) => x == y,
                (Value::Texts(x), Value::Text(y)) => x.contains(y),
                _ => false,
            });
            return Ok(Value::Num(self.constant(found.into())));
        }
        let n = self.number_for(left, None, a.place)?;
        let n = self.exact(n, a.place)?;
        if let ExprKind::List(list) = &set.kind {
            return self.is_listed(n, list);
        }
        let members = match self.value(set)? {
            Value::Each(i, each) => {
                let members = self.members(i, each, set.place)?;
                let list = members.iter().map(|m| Value::Num(self.constant(*m)));
                Value::List(list.collect())
            }
            other => other,
        };
        match members {
            Value::Range(lo, hi) => {
                let low = self.out.b.bin(BinOp::Le, lo.id, n.id);
                let high = self.out.b.bin(BinOp::Lt, n.id, hi.id);
                let id = self.out.b.bin(BinOp::And, low, high);
                let less = |low, high, equal| Relation::Less { low, high, equal };
                self.note(low, less(lo.id, n.id, true));
                self.note(high, less(n.id, hi.id, false));
                self.note(id, Relation::Both(low, high));
                Ok(Value::Num(self.node(id, 1)))
            }
            Value::List(list) => {
                let mut all = Vec::new();
                for one in list {
                    if let Value::Text(_) = one {
                        continue;
                    }
                    let one = self.number_for(one, None, set.place)?;
                    all.push(self.exact(one, set.place)?);
                }
                Ok(Value::Num(self.is_one_of(n, &all)))
            }
            _ => Err(Error::new(
                set.place,
                "`in` needs a range or a list",
                "write `x in 1..5`, or `x in [1, 3]`",
            )),
        }
    }

    /// A list that is written where it is asked: what stands in braces there has the number's bits.
    fn is_listed(&mut self, n: Num<'a>, list: &'a [Expr]) -> Result<Value<'a>> {
        let mut all = Vec::new();
        for one in list {
            let value = self.value(one)?;
            if let Value::Text(_) = value {
                continue;
            }
            let value = self.number_for(value, n.bits, one.place)?;
            all.push(self.exact(value, one.place)?);
        }
        Ok(Value::Num(self.is_one_of(n, &all)))
    }

    fn is_one_of(&mut self, n: Num<'a>, all: &[Num<'a>]) -> Num<'a> {
        // Where it is one of these, it is not above the largest and not below the least of them.
        let known = all.iter().map(|one| self.out.b.known(one.id));
        let known: Option<Vec<u64>> = known.collect();
        let ends = known.and_then(|all| Some((*all.iter().min()?, *all.iter().max()?)));
        let within = ends.map(|(least, most)| {
            let (least, most) = (self.out.b.constant(least), self.out.b.constant(most));
            let low = self.out.b.bin(BinOp::Le, least, n.id);
            let high = self.out.b.bin(BinOp::Le, n.id, most);
            let less = |low, high| Relation::Less {
                low,
                high,
                equal: true,
            };
            self.note(low, less(least, n.id));
            self.note(high, less(n.id, most));
            (low, high)
        });
        let mut id = self.out.b.constant(0);
        for one in all {
            let same = self.out.b.bin(BinOp::Eq, n.id, one.id);
            id = self.out.b.bin(BinOp::Or, id, same);
        }
        if let Some((low, high)) = within {
            self.note(id, Relation::Both(low, high));
        }
        self.node(id, 1)
    }

    pub(super) fn choose(
        &mut self,
        stage: Stage,
        test: &'a Expr,
        yes: &'a Expr,
        no: Option<&'a Expr>,
        place: Place,
    ) -> Result<Value<'a>> {
        let t = self.exact_number(test)?;
        if stage == Stage::Fact {
            self.decided(t.id);
        }
        match (self.out.b.known(t.id), no) {
            (Some(0), Some(no)) => self.value(no),
            (Some(0), None) => Ok(Value::Num(self.constant(0))),
            (Some(_), _) => self.value(yes),
            (None, Some(no)) if stage == Stage::Run => {
                let test = (t, test.place);
                Ok(Value::Num(self.choose_number(stage, test, yes, no, None)?))
            }
            _ => Err(Error::new(
                place,
                "this choice is made by facts, and its test is none",
                "use `if … else`, or learn it first",
            )),
        }
    }

    /// The same as a number. The test was evaluated by whoever asks: once.
    pub(super) fn choose_number(
        &mut self,
        stage: Stage,
        (t, at): (Num<'a>, Place),
        yes: &'a Expr,
        no: &'a Expr,
        bits: Option<Bits<'a>>,
    ) -> Result<Num<'a>> {
        if stage == Stage::Fact {
            self.decided(t.id);
        }
        match self.out.b.known(t.id) {
            Some(0) => return self.number_as(no, bits),
            Some(_) => return self.number_as(yes, bits),
            None if stage == Stage::Fact => {
                return Err(Error::new(
                    at,
                    "this choice is made by facts, and its test is none",
                    "use `if … else`, or learn it first",
                ))
            }
            None => {}
        }
        let slot = self.out.b.new_local();
        self.region_open();
        let a = self.number_as(yes, bits)?;
        let first = self.entry.cut.take();
        let pure = self.out.b.current_is_empty();
        self.out.b.step(Op::SetLocal(slot, a.id));
        let yes = self.region_close();
        self.region_open();
        let b = self.number_as(no, bits)?;
        // Where one side ends, the other goes on.
        self.entry.cut = self.entry.cut.take().and(first);
        if pure && self.out.b.current_is_empty() {
            self.region_close();
            let id = self.out.b.select(t.id, a.id, b.id);
            return Ok(self.either(id, a, b));
        }
        self.out.b.step(Op::SetLocal(slot, b.id));
        let no = self.region_close();
        self.out.b.step(Op::If {
            cond: t.id,
            yes,
            no,
        });
        let id = self.out.b.step(Op::Local(slot));
        self.chosen(id, a.id, b.id);
        Ok(self.either(id, a, b))
    }

    /// A node that is one or the other.
    fn either(&self, id: Id, a: Num<'a>, b: Num<'a>) -> Num<'a> {
        Num {
            cut: a.cut || b.cut,
            ..self.node(id, a.most.max(b.most))
        }
    }
}
