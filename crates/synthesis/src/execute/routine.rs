//! Routines run in place, upcalls, events.

use super::*;

impl<'a> Specialiser<'a, '_> {
    pub fn routine(&mut self, i: InstanceId, name: Name, place: Place) -> Result<&'a Routine> {
        let candidates: Vec<&'a Routine> = self
            .items(i)
            .into_iter()
            .filter_map(|item| match &item.kind {
                ItemKind::Routine(r) if r.name == name && r.body.is_some() => Some(r),
                _ => None,
            })
            .collect();
        for r in candidates {
            if self.guard_holds(i, r.guard.as_ref())? {
                return Ok(r);
            }
        }
        Err(Error::new(
            place,
            format!("no `{}` that these facts allow", self.text(name)),
            "see the `when` of each",
        ))
    }

    /// Runs a routine in place with values for its parameters.
    pub fn call_routine(
        &mut self,
        i: InstanceId,
        name: Name,
        values: Vec<Value<'a>>,
        place: Place,
    ) -> Result<Value<'a>> {
        let routine = self.routine(i, name, place)?;
        if self.entry.frames.len() > 24 {
            return Err(Error::new(
                place,
                "routines call each other too deeply",
                "a routine may not call itself",
            ));
        }
        if values.len() != routine.parameters.len() {
            return Err(Error::new(
                place,
                format!(
                    "`{}` takes {} values, not {}",
                    self.text(name),
                    routine.parameters.len(),
                    values.len()
                ),
                "see its declaration",
            ));
        }
        let mut bound = Vec::new();
        for (k, (parameter, value)) in routine.parameters.iter().zip(values).enumerate() {
            let ty = parameter
                .kind
                .as_ref()
                .or_else(|| self.contract_type(i, name, k));
            let value = match (value, ty.map(|t| t.base)) {
                // A literal gets its meaning here, where its names are known, not inside the routine.
                (Value::Literal(members, at), Some(TypeBase::Named(n)))
                    if self.has_record(i, n) =>
                {
                    let layout = self.record(i, n, at)?;
                    let pieces = self.build_record(&layout, members, at)?;
                    Value::Copy(layout, pieces)
                }
                (v @ Value::Literal(..), Some(TypeBase::Named(n))) => {
                    Value::Num(self.number_for(v, Some(Bits::Named(i, n)), place)?)
                }
                (Value::Literal(_, at), _) => return Err(untyped(at)),
                (v, _) => self.settle(v, place)?,
            };
            bound.push((parameter.name, Binding::Value(value)));
        }
        let body = routine.body.as_deref().unwrap_or(&[]);
        self.run_body(i, bound, body)
    }

    pub fn run_body(
        &mut self,
        i: InstanceId,
        bound: Vec<(Name, Binding<'a>)>,
        body: &'a [Stmt],
    ) -> Result<Value<'a>> {
        let mut assigned = Vec::new();
        assigned_names(body, &mut assigned);
        let wrapped = !self.is_live() && returns_inside(body, false);
        self.enter(i, assigned);
        for (name, binding) in bound {
            match binding {
                Binding::Value(value) => self.bind(name, value),
                local => self.entry.scopes.push((name, local)),
            }
        }
        let mut slot = None;
        let outcome = match wrapped {
            true => {
                let result = self.out.b.new_local();
                slot = Some(result);
                self.in_block(slot, |s, exit| {
                    if let Some(f) = s.entry.frames.last_mut() {
                        f.exit = Some(exit);
                    }
                    s.block(body)
                })
            }
            false => self.block(body),
        };
        let frame = self.entry.frames.last();
        let (most, cut) = frame.map_or((u64::MAX, true), |frame| (frame.most, frame.cut));
        let returned = self.leave();
        let flow = outcome?;
        if flow == Flow::Ended && !wrapped && !self.is_live() {
            self.entry.cut = Some(Flow::Ended);
        }
        // Who comes to the end of the text without a `return` brings no value.
        if let (Some(slot), true, true) = (slot, returns_value(body), flow != Flow::Next) {
            let id = self.out.b.step(Op::Local(slot));
            let n = self.node(id, most);
            return Ok(Value::Num(Num { cut, ..n }));
        }
        Ok(returned.unwrap_or(Value::None))
    }

    pub(super) fn contract_type(
        &self,
        i: InstanceId,
        name: Name,
        k: usize,
    ) -> Option<&'a rulebook::tree::Type> {
        let mut at = i;
        while self.rules.instances[at].class.is_none() && self.rules.instances[at].bank.is_some() {
            at = self.rules.instances[at].lower?;
        }
        let class = self.rules.instances[at].class?;
        class.items.iter().find_map(|item| match &item.kind {
            ItemKind::Routine(r) if r.name == name && r.body.is_none() => {
                r.parameters.get(k)?.kind.as_ref()
            }
            _ => None,
        })
    }

    /// `up name(arguments)`: to the one above, or to the class.
    pub fn up(&mut self, name: Name, arguments: &'a [Expr], place: Place) -> Result<()> {
        let mut values = Vec::new();
        for e in arguments {
            let v = self.value(e)?;
            values.push(self.settle(v, e.place)?);
        }
        let here = self.here();
        if let Some((upper, used_as)) = self.rules.instances[here].upper {
            let event = self.find_event(upper, used_as, name, None)?;
            if let Some(event) = event {
                let bound = event
                    .parameters
                    .iter()
                    .copied()
                    .zip(values.into_iter().map(Binding::Value))
                    .collect();
                self.run_body(upper, bound, &event.body)?;
            }
            // What nobody above asked for is not heard.
            return Ok(());
        }
        let promised = self.promised(here, name)?;
        let mut words = Vec::new();
        for (at, v) in values.into_iter().enumerate() {
            match v {
                // A frame or text is told as place and length.
                Value::Buffer(b) | Value::Bytes(b) => words.extend([b.at.id, b.len.id]),
                // … and one that runs over the end of a ring as two of each.
                Value::Buffers(list) if (1..=2).contains(&list.len()) => {
                    words.extend(list.iter().flat_map(|b| [b.at.id, b.len.id]))
                }
                v => {
                    let n = self.number_for(v, None, place)?;
                    if let Some((what, most)) = promised.get(at).copied().flatten() {
                        self.keeps_promise(n, name, what, most, place)?;
                    }
                    words.push(n.id);
                }
            }
        }
        self.tell(self.text(name), words, place)
    }

    /// For each argument of an upcall the most that the class takes, and its name; none where any number will do.
    fn promised(&mut self, here: InstanceId, name: Name) -> Result<Vec<Option<(Name, u64)>>> {
        let Some(class) = self.class_named(self.rules.instances[here].rule.class) else {
            return Ok(Vec::new());
        };
        let item = class.items.iter().find_map(|item| match &item.kind {
            ItemKind::Upcall {
                name: told,
                parameters,
            } if *told == name => Some(parameters),
            _ => None,
        });
        let mut out = Vec::new();
        for parameter in item.into_iter().flatten() {
            let most = match &parameter.most {
                Some(most) => Some(self.fact_number(here, most)?),
                None => None,
            };
            let book = self.rules.subject.book;
            let bits = match &parameter.kind {
                Some(kind) if kind.word(book).is_none() && kind.dims.is_empty() => {
                    match kind.base {
                        TypeBase::Bits(bits) if bits < 64 => Some(crate::layout::ones(bits)),
                        TypeBase::Bool => Some(1),
                        _ => None,
                    }
                }
                _ => None,
            };
            let most = [most, bits].into_iter().flatten().min();
            out.push(most.map(|most| (parameter.name, most)));
        }
        Ok(out)
    }

    fn keeps_promise(
        &self,
        n: Num<'a>,
        upcall: Name,
        argument: Name,
        most: u64,
        place: Place,
    ) -> Result<()> {
        let n = self.exact(n, place)?;
        if n.most.min(self.out.b.most(n.id)) <= most {
            return Ok(());
        }
        Err(Error::new(
            place,
            format!(
                "`{}` of `{}` can be {}, and the class takes at most {most}",
                self.text(argument),
                self.text(upcall),
                crate::place::bound_text(n.most)
            ),
            "check first what the device says",
        ))
    }

    /// An upcall to the class, with these words.
    pub fn tell(&mut self, text: &str, words: Vec<graph::Id>, place: Place) -> Result<()> {
        if words.len() > 4 {
            return Err(Error::new(
                place,
                "an upcall has at most four words",
                "tell less",
            ));
        }
        let which = self.out.told.upcall(text).ok_or_else(|| {
            Error::new(
                place,
                "a driver has at most 256 different upcalls",
                "tell less",
            )
        })?;
        if self.is_live() {
            let words: Option<Vec<u64>> = words.iter().map(|w| self.known_now(*w)).collect();
            if let (Some(words), Some(device)) = (words, self.mode.device()) {
                device.up(which, &words);
            }
            return self.told_unknown();
        }
        self.out.b.step(Op::Up { which, args: words });
        Ok(())
    }

    /// The event of an instance by the name it is told under, whose guard holds.
    pub fn find_event(
        &mut self,
        i: InstanceId,
        part: Option<Name>,
        name: Name,
        selector: Option<u64>,
    ) -> Result<Option<&'a Event>> {
        let events: Vec<&'a Event> = self
            .items(i)
            .into_iter()
            .filter_map(|item| match &item.kind {
                ItemKind::Event(e) if e.part == part && e.name == name => Some(e),
                _ => None,
            })
            .collect();
        for event in events {
            if let Some(e) = &event.selector {
                if Some(self.fact_number(i, e)?) != selector {
                    continue;
                }
            }
            if self.guard_holds(i, event.guard.as_ref())? {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }
}

/// Names that are assigned to as a whole.
fn assigned_names(body: &[Stmt], names: &mut Vec<Name>) {
    for s in body {
        if let StmtKind::Assign { target, .. } = &s.kind {
            if let ExprKind::Name(n) = &target.kind {
                names.push(*n);
            }
        }
        for (body, _) in inside(s) {
            assigned_names(body, names);
        }
    }
}

/// The statements inside one, and whether the run decides whether they are reached.
fn inside(s: &Stmt) -> [(&[Stmt], bool); 2] {
    let one = core::slice::from_ref::<Stmt>;
    let none: (&[Stmt], bool) = (&[], false);
    match &s.kind {
        StmtKind::If { yes, no, .. } => [(yes, true), (no, true)],
        StmtKind::When { yes, no, .. } => [(yes, false), (no, false)],
        StmtKind::Quirk { body, .. } | StmtKind::Then(body) => [(body, false), none],
        StmtKind::For { body, .. } | StmtKind::While { body, .. } => [(body, true), none],
        StmtKind::Check { otherwise, .. } => [(one(otherwise), true), none],
        StmtKind::Await {
            otherwise: Some(o), ..
        }
        | StmtKind::Let {
            otherwise: Some(o), ..
        }
        | StmtKind::Assign {
            otherwise: Some(o), ..
        }
        | StmtKind::Lend {
            otherwise: Some(o), ..
        }
        | StmtKind::Do {
            otherwise: Some(o), ..
        } => [(one(o), true), none],
        _ => [none, none],
    }
}

/// Whether a `return` stands where run time may decide whether it is reached.
fn returns_inside(body: &[Stmt], decided: bool) -> bool {
    body.iter().any(|s| match &s.kind {
        StmtKind::Return(_) => decided,
        _ => inside(s)
            .iter()
            .any(|(body, run)| returns_inside(body, decided || *run)),
    })
}

fn returns_value(body: &[Stmt]) -> bool {
    body.iter().any(|s| match &s.kind {
        StmtKind::Return(v) => v.is_some(),
        _ => inside(s).iter().any(|(body, _)| returns_value(body)),
    })
}
