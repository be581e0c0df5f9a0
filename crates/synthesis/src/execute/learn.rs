//! `learn`: a run-time value becomes a fact, and later runs must find it again.

use super::*;

impl<'a> Specialiser<'a, '_> {
    pub(super) fn learn(&mut self, target: &'a Expr, value: &'a Expr) -> Result<Flow> {
        let (name, index) = match &target.kind {
            ExprKind::Name(n) => (*n, None),
            ExprKind::Index(base, k) => match &base.kind {
                ExprKind::Name(n) => {
                    let k = self.exact_number(k)?;
                    let k = self.out.b.known(k.id).ok_or_else(|| {
                        Error::new(
                            target.place,
                            "the index of a learned fact must be known",
                            "use a fact",
                        )
                    })?;
                    (*n, Some(k))
                }
                _ => {
                    return Err(Error::new(
                        target.place,
                        "only facts are learned",
                        "write `learn name = value`",
                    ))
                }
            },
            _ => {
                return Err(Error::new(
                    target.place,
                    "only facts are learned",
                    "write `learn name = value`",
                ))
            }
        };
        let here = self.here();
        if let (
            ExprKind::Those {
                name: of,
                set,
                test,
            },
            false,
        ) = (&value.kind, self.is_live())
        {
            return self.those_again(here, name, (*of, set, test), value.place);
        }
        let v = self.value(value)?;
        let random = matches!(v, Value::Random);
        let v = match v {
            Value::Spot(spot) => self.load(&spot, value.place)?,
            v => self.settle(v, value.place)?,
        };
        let v = match v {
            // A fact has 64 bits, and takes the lowest of any.
            Value::Num(n) => Value::Num(Num { cut: false, ..n }),
            Value::List(l) => Value::List(l),
            Value::Text(t) => Value::Text(t),
            Value::Copy(layout, pieces) => Value::Copy(layout, pieces),
            other => Value::Num(self.number_for(other, None, value.place)?),
        };
        if self.is_live() {
            return self.learn_now(here, name, index, v, value.place);
        }
        if random || self.measured_now() {
            return Ok(Flow::Next);
        }
        self.learn_again(here, name, index, v, value.place)
    }

    /// A later run of `learn a = those …`: each of the set is in or out as it was found.
    fn those_again(
        &mut self,
        here: InstanceId,
        name: Name,
        (of, set, test): (Name, &'a Expr, &'a Expr),
        place: Place,
    ) -> Result<Flow> {
        let known = self.rules.instances[here].facts.iter().rev();
        let Some((_, Value::List(list))) = known.clone().find(|(n, _)| *n == name) else {
            return Err(Error::new(
                place,
                format!("`{}` was not learned in the first run", self.text(name)),
                "run `init` on the device first",
            ));
        };
        let known: Vec<Option<u64>> = list
            .iter()
            .map(|v| match v {
                Value::Num(n) => self.out.b.known(n.id),
                _ => None,
            })
            .collect();
        let mut differs = self.out.b.constant(0);
        for (k, holds) in self.those_tests(of, set, test)? {
            let was = self.out.b.constant(known.contains(&Some(k)) as u64);
            let d = self.out.b.bin(BinOp::Xor, holds.id, was);
            differs = self.out.b.bin(BinOp::Or, differs, d);
        }
        let zero = self.out.b.constant(0);
        let same = self.out.b.bin(BinOp::Eq, differs, zero);
        let same = self.node(same, 1);
        self.branch(same, |_| Ok(Flow::Next), |s| s.finish(status::CHANGED))
    }

    pub(super) fn learn_now(
        &mut self,
        here: InstanceId,
        name: Name,
        index: Option<u64>,
        v: Value<'a>,
        place: Place,
    ) -> Result<Flow> {
        let Some(fact) = self.as_fact(&v) else {
            return Err(Error::new(
                place,
                "this cannot be learned",
                "learn numbers or lists of numbers",
            ));
        };
        let mut label = format!("{}{}", self.prefix(here), self.text(name));
        if let Some(k) = index {
            label = format!("{label}.{k}");
        }
        self.mode.learn(machine::Fact {
            name: label,
            value: fact,
            source: machine::Source::Learned,
        });
        match (index, v) {
            (Some(k), Value::Num(n)) => self.rules.instances[here].indexed.push((name, k, n)),
            (Some(_), _) => {
                return Err(Error::new(
                    place,
                    "an indexed fact is a number",
                    "learn numbers",
                ))
            }
            (None, v) => {
                let v = self.typed_fact(here, name, v);
                self.rules.instances[here].facts.push((name, v));
            }
        }
        Ok(Flow::Next)
    }

    /// A later run: the value must be what the code was written for.
    pub(super) fn learn_again(
        &mut self,
        here: InstanceId,
        name: Name,
        index: Option<u64>,
        v: Value<'a>,
        place: Place,
    ) -> Result<Flow> {
        let known = match index {
            Some(k) => self.rules.instances[here]
                .indexed
                .iter()
                .find(|(n, at, _)| *n == name && *at == k)
                .map(|(_, _, n)| Value::Num(*n)),
            None => self.rules.instances[here]
                .facts
                .iter()
                .rev()
                .find(|(n, _)| *n == name)
                .map(|(_, v)| v.clone())
                .or_else(|| self.recorded(here, name).map(Value::Num)),
        };
        let Some(known) = known else {
            return Err(Error::new(
                place,
                format!("`{}` was not learned in the first run", self.text(name)),
                "run `init` on the device first",
            ));
        };
        let pairs: Vec<(Num<'a>, Num<'a>)> = match (known, v) {
            (Value::Num(a), Value::Num(b)) => alloc::vec![(a, b)],
            (Value::List(a), Value::List(b)) if a.len() == b.len() => a
                .into_iter()
                .zip(b)
                .filter_map(|(a, b)| match (a, b) {
                    (Value::Num(a), Value::Num(b)) => Some((a, b)),
                    _ => None,
                })
                .collect(),
            _ => return Ok(Flow::Next),
        };
        let mut differs = self.out.b.constant(0);
        for (a, b) in pairs {
            let d = self.out.b.bin(BinOp::Xor, a.id, b.id);
            differs = self.out.b.bin(BinOp::Or, differs, d);
        }
        let zero = self.out.b.constant(0);
        let same = self.out.b.bin(BinOp::Eq, differs, zero);
        let same = self.node(same, 1);
        self.branch(same, |_| Ok(Flow::Next), |s| s.finish(status::CHANGED))
    }
}
