//! Statements, and where control goes.

use crate::expression::plain;
use crate::value::{Id, Kind, Locals, Num, Value};
use crate::{wrong, Exit, Meaning, Outside, Run};
use abi::status;
use graph::Fence;
use machine::{Fact, Source};
use rulebook::tree::{
    BinaryOp, Event, Expr, ExprKind, ItemKind, Member, Name, Place, Stmt, StmtKind, Type, TypeBase,
};

/// Where control is after a statement.
#[derive(Debug)]
pub enum Flow<'a> {
    Next,
    /// The innermost loop ends.
    Stop,
    /// The routine ends, with this value.
    Return(Value<'a>),
}

/// What is assigned to.
#[derive(Clone)]
enum Target<'a> {
    /// A name that `let` or a parameter bound.
    Local(Name),
    /// A part of it, by the names that lead there.
    Member(Value<'a>, Vec<Name>),
    /// A place as a whole, and whether it is a state that wraps.
    Whole(Value<'a>, bool),
}

impl<'a> Meaning<'a> {
    pub(crate) fn block(&mut self, io: &mut dyn Outside, body: &'a [Stmt]) -> Run<Flow<'a>> {
        self.scoped(|m| {
            for statement in body {
                match m.statement(io, statement)? {
                    Flow::Next => {}
                    flow => return Ok(flow),
                }
            }
            Ok(Flow::Next)
        })
    }

    /// Runs a body in an instance with names bound; what it returns.
    pub(crate) fn body(
        &mut self,
        io: &mut dyn Outside,
        i: Id,
        locals: Locals<'a>,
        body: &'a [Stmt],
    ) -> Run<Value<'a>> {
        let otherwise = self.otherwise.take();
        let flow = self.within(i, Vec::new(), |m| {
            if let Some(frame) = m.frames.last_mut() {
                assigned_in(body, &mut frame.variables);
            }
            for (name, value) in locals {
                m.bind(name, value);
            }
            m.block(io, body)
        });
        self.otherwise = otherwise;
        match flow? {
            Flow::Return(value) => Ok(value),
            _ => Ok(Value::None),
        }
    }

    pub(crate) fn statement(&mut self, io: &mut dyn Outside, s: &'a Stmt) -> Run<Flow<'a>> {
        self.tick()?;
        match &s.kind {
            StmtKind::Let {
                bindings,
                otherwise,
            } => self.or_else(otherwise.as_deref(), |m| {
                for (name, e) in bindings {
                    let value = m.value(io, e)?;
                    let value = m.settle(io, value, e.place)?;
                    m.bind(*name, value);
                }
                Ok(())
            }),
            StmtKind::Assign {
                target,
                operator,
                value,
                otherwise,
            } => self.or_else(otherwise.as_deref(), |m| {
                m.assign(io, target, *operator, value)
            }),
            StmtKind::Learn(list) => {
                for (target, value) in list {
                    self.learn_one(io, target, value)?;
                }
                Ok(Flow::Next)
            }
            StmtKind::If { test, yes, no } | StmtKind::When { test, yes, no } => {
                match self.condition(io, test)? {
                    true => self.block(io, yes),
                    false => self.block(io, no),
                }
            }
            StmtKind::Quirk { test, body, .. } => match self.condition(io, test)? {
                true => self.block(io, body),
                false => Ok(Flow::Next),
            },
            StmtKind::For {
                names,
                set,
                most,
                body,
            } => self.for_loop(io, names, set, most.as_ref(), body, s.place),
            StmtKind::While { test, most, body } => self.while_loop(io, test, most, body),
            StmtKind::Await {
                test,
                within,
                otherwise,
            } => match (self.wait(io, test, within)?, otherwise) {
                (false, Some(statement)) => self.statement(io, statement),
                _ => Ok(Flow::Next),
            },
            StmtKind::Pause(time) => {
                let ns = self.number(io, time)?;
                let ns = self.small(ns, time.place)?;
                io.pause(ns);
                Ok(Flow::Next)
            }
            StmtKind::Check { test, otherwise } => match self.condition(io, test)? {
                true => Ok(Flow::Next),
                false => match self.statement(io, otherwise)? {
                    Flow::Next => wrong(otherwise.place, "an `else` that goes on"),
                    flow => Ok(flow),
                },
            },
            StmtKind::Fail(name) => {
                let n = self.failure(*name);
                self.failed = Some(self.here());
                self.finish(io, status::FAIL + n)
            }
            StmtKind::Return(value) => Ok(Flow::Return(match value {
                Some(e) => {
                    let value = self.value(io, e)?;
                    self.settle(io, value, e.place)?
                }
                None => Value::None,
            })),
            StmtKind::Stop => {
                let loops = self.frames.last().map_or(0, |f| f.loops);
                match (loops, self.claimed) {
                    (0, None) => self.finish(io, status::OK),
                    (0, Some(_)) => Err(Exit::Event),
                    _ => Ok(Flow::Stop),
                }
            }
            StmtKind::Busy => self.finish(io, status::BUSY),
            StmtKind::Reset => self.finish(io, status::RESET),
            StmtKind::Start(call) => {
                self.value(io, call)?;
                Ok(Flow::Next)
            }
            StmtKind::Up { name, arguments } => {
                self.up(io, *name, arguments, s.place)?;
                Ok(Flow::Next)
            }
            StmtKind::Publish(what) => {
                if let Value::Ring(i, ring) = self.value(io, what)? {
                    self.show(io, i, ring, s.place)?;
                }
                io.fence(Fence::Publish);
                Ok(Flow::Next)
            }
            StmtKind::Acquire(_) => {
                io.fence(Fence::Acquire);
                Ok(Flow::Next)
            }
            // What it says is about safety, not about what happens: it is only looked at.
            StmtKind::Tell { bytes, of } => {
                self.number(io, bytes)?;
                self.value(io, of)?;
                Ok(Flow::Next)
            }
            StmtKind::Fence => {
                io.fence(Fence::Full);
                Ok(Flow::Next)
            }
            StmtKind::Claim(test) => {
                let mine = self.condition(io, test)?;
                match (mine, &mut self.claimed) {
                    (true, Some(claimed)) => *claimed = true,
                    (true, None) => {}
                    (false, Some(_)) => return Err(Exit::Event),
                    (false, None) => return self.finish(io, status::NOT_MINE),
                }
                Ok(Flow::Next)
            }
            StmtKind::Gone(test) => match self.condition(io, test)? {
                true => self.finish(io, status::GONE),
                false => Ok(Flow::Next),
            },
            // In an operation it is left for the batch's end.
            StmtKind::Then(body) => match self.batch {
                true => Ok(Flow::Next),
                false => self.block(io, body),
            },
            StmtKind::Lend {
                ring,
                cell,
                keep,
                otherwise,
            } => self.or_else(otherwise.as_deref(), |m| {
                m.lend(io, ring, cell.as_ref(), keep.as_ref(), ring.place)?;
                Ok(())
            }),
            StmtKind::Attach { child, facts } => {
                self.attach(io, child, facts, s.place)?;
                Ok(Flow::Next)
            }
            StmtKind::Detach(child) => {
                let n = self.number(io, child)?;
                let n = self.fit(n, 8, child.place)?;
                self.tell(io, "detach", &[n], s.place)?;
                Ok(Flow::Next)
            }
            StmtKind::Do { call, otherwise } => self.or_else(otherwise.as_deref(), |m| {
                m.value(io, call)?;
                Ok(())
            }),
        }
    }

    /// What to do when something inside cannot be had.
    fn or_else(
        &mut self,
        otherwise: Option<&'a Stmt>,
        work: impl FnOnce(&mut Self) -> Run<()>,
    ) -> Run<Flow<'a>> {
        let before = std::mem::replace(&mut self.otherwise, otherwise);
        let done = work(self);
        self.otherwise = before;
        match done {
            Ok(()) => Ok(Flow::Next),
            Err(Exit::Jump) => match self.jump.take() {
                None | Some(Flow::Next) => {
                    let place = otherwise.map_or(Place::default(), |s| s.place);
                    wrong(place, "an `else` that goes on")
                }
                Some(flow) => Ok(flow),
            },
            Err(exit) => Err(exit),
        }
    }

    /// Ends the entry. An operation that is not accepted keeps no slot.
    pub(crate) fn finish<T>(&mut self, io: &mut dyn Outside, how: u64) -> Run<T> {
        if how == status::BUSY {
            for (i, slots, k) in std::mem::take(&mut self.taken) {
                self.free(io, i, slots, k, Place::default())?;
            }
        }
        let again = how == status::OK && self.again;
        Err(Exit::End(if again { status::AGAIN } else { how }))
    }

    pub(crate) fn failure(&mut self, name: Name) -> u64 {
        let text = self.text(name);
        let known = self.given.failures.iter().position(|f| f == text);
        known.unwrap_or_else(|| {
            self.given.failures.push(text.to_owned());
            self.given.failures.len() - 1
        }) as u64
    }

    // ---- loops

    fn turn(&mut self, io: &mut dyn Outside, body: &'a [Stmt], bound: Locals<'a>) -> Run<Flow<'a>> {
        self.tick()?;
        if let Some(frame) = self.frames.last_mut() {
            frame.loops += 1;
        }
        let taken = self.taken.len();
        let flow = self.scoped(|m| {
            for (name, value) in bound {
                m.bind(name, value);
            }
            m.block(io, body)
        });
        if let Some(frame) = self.frames.last_mut() {
            frame.loops -= 1;
        }
        // A turn that is over keeps what it took.
        self.taken.truncate(taken);
        flow
    }

    fn for_loop(
        &mut self,
        io: &mut dyn Outside,
        names: &'a [Name],
        set: &'a Expr,
        most: Option<&'a Expr>,
        body: &'a [Stmt],
        place: Place,
    ) -> Run<Flow<'a>> {
        let values: Vec<Value<'a>> = match self.value(io, set)? {
            Value::Range(lo, hi) => {
                let mut count = (hi - lo).max(0);
                if let Some(most) = most {
                    count = count.min(self.number(io, most)?.v);
                }
                let number = |v| Num {
                    v,
                    bits: None,
                    open: false,
                };
                if count > 1 << 20 {
                    return Err(Exit::Fault(crate::Fault::Budget));
                }
                (lo..lo + count).map(|k| Value::Num(number(k))).collect()
            }
            Value::Set(mask) => {
                let set = (0..64).filter(|k| mask >> k & 1 == 1);
                set.map(Value::number).collect()
            }
            Value::List(list) => list,
            Value::Buffers(mut list) => {
                let end = list.len();
                for (k, b) in list.iter_mut().enumerate() {
                    b.last = k + 1 == end;
                }
                list.into_iter().map(Value::Piece).collect()
            }
            Value::Each(i, each) => {
                let members = self.members(io, i, each, place)?;
                members
                    .into_iter()
                    .map(|(_, m)| Value::Instance(m))
                    .collect()
            }
            Value::Back(i, ring) => return self.for_back(io, names, i, ring, body, place),
            _ => return wrong(set.place, "a loop over no set"),
        };
        for (k, value) in values.into_iter().enumerate() {
            let numbered = names.get(1).map(|n| (*n, Value::number(k as u64)));
            let mut bound = vec![(names[0], value)];
            bound.extend(numbered);
            match self.turn(io, body, bound)? {
                Flow::Next => {}
                Flow::Stop => break,
                flow => return Ok(flow),
            }
        }
        Ok(Flow::Next)
    }

    fn for_back(
        &mut self,
        io: &mut dyn Outside,
        names: &'a [Name],
        i: Id,
        ring: Name,
        body: &'a [Stmt],
        place: Place,
    ) -> Run<Flow<'a>> {
        let (most, memory) = self.ring_bound(io, i, ring, place)?;
        for _ in 0..most {
            let Some(cell) = self.is_back(io, i, ring, place)? else {
                break;
            };
            // What else is in the cell was stored before the mark that says it is back.
            if memory {
                io.fence(Fence::Acquire);
            }
            let (index, kept) = self.advance(io, i, ring, place)?;
            let values = [Value::number(index), Value::number(kept), cell];
            let bound = names.iter().copied().zip(values).collect();
            match self.turn(io, body, bound)? {
                Flow::Next => {}
                Flow::Stop => break,
                flow => return Ok(flow),
            }
        }
        Ok(Flow::Next)
    }

    fn while_loop(
        &mut self,
        io: &mut dyn Outside,
        test: &'a Expr,
        most: &'a Expr,
        body: &'a [Stmt],
    ) -> Run<Flow<'a>> {
        let most_n = self.number(io, most)?;
        for _ in 0..self.small(most_n, most.place)? {
            if !self.condition(io, test)? {
                return Ok(Flow::Next);
            }
            match self.turn(io, body, Vec::new())? {
                Flow::Next => {}
                Flow::Stop => return Ok(Flow::Next),
                flow => return Ok(flow),
            }
        }
        // Inside an event it comes again.
        self.again |= self.hears;
        Ok(Flow::Next)
    }

    /// Whether the test came true in time: when the time is over, it is made once more. A driver reads the clock first when
    /// the test has failed once. The first run reads it before each look, and looks once a microsecond.
    fn wait(&mut self, io: &mut dyn Outside, test: &'a Expr, within: &'a Expr) -> Run<bool> {
        let ns = self.number(io, within)?;
        let ns = self.small(ns, within.place)?;
        io.waits(true);
        let mut began = self.first.then(|| io.clock());
        let mut over = false;
        loop {
            self.tick()?;
            if let (true, Some(began)) = (self.first, began) {
                over = io.clock().saturating_sub(began) > ns;
            }
            let holds = self.condition(io, test)?;
            if holds || over {
                io.waits(false);
                return Ok(holds);
            }
            match self.first {
                true => io.pause(ns.min(1000)),
                false => {
                    let now = io.clock();
                    over = now.wrapping_sub(*began.get_or_insert(now)) >= ns;
                }
            }
        }
    }

    // ---- assignment

    fn assign(
        &mut self,
        io: &mut dyn Outside,
        target: &'a Expr,
        operator: Option<BinaryOp>,
        value: &'a Expr,
    ) -> Run<()> {
        let Some(op) = operator else {
            let new = self.value(io, value)?;
            let new = self.settle(io, new, value.place)?;
            return self.assign_to(io, target, new, value.place);
        };
        // The place is found once: what its index reads, it reads once.
        let target = self.assigned(io, target)?;
        let old = match target.clone() {
            Target::Local(name) => self.name(io, name, value.place)?,
            Target::Member(mut base, names) => {
                for name in names {
                    base = self.dot_value(io, base, name, value.place)?;
                }
                base
            }
            Target::Whole(place, _) => place,
        };
        let old = self.number_of(io, old, None, value.place)?;
        let by = self.number_as(io, value, old.bits)?;
        let new = Value::Num(self.arithmetic(op, old, by, value.place)?);
        self.put_into(io, target, new, value.place)
    }

    pub(crate) fn assign_to(
        &mut self,
        io: &mut dyn Outside,
        target: &'a Expr,
        value: Value<'a>,
        place: Place,
    ) -> Run<()> {
        let target = self.assigned(io, target)?;
        self.put_into(io, target, value, place)
    }

    fn assigned(&mut self, io: &mut dyn Outside, e: &'a Expr) -> Run<Target<'a>> {
        match &e.kind {
            ExprKind::Name(name) => {
                let frame = self.frames.last();
                let bound = frame.is_some_and(|f| f.locals.iter().any(|(n, _)| n == name));
                if bound {
                    return Ok(Target::Local(*name));
                }
                let wraps = self.wraps(io, *name);
                Ok(Target::Whole(self.value(io, e)?, wraps))
            }
            ExprKind::Dot(..) => {
                let (mut names, mut root) = (Vec::new(), e);
                while let ExprKind::Dot(base, name) = &root.kind {
                    names.insert(0, *name);
                    root = base;
                }
                let mut value = self.value(io, root)?;
                // From a register, or a number in memory, on the names are of its bits: nothing is read yet.
                while names.len() > 1 {
                    value = match value {
                        Value::Register(_) => break,
                        Value::Spot(spot) if matches!(spot.kind, Kind::Number { .. }) => {
                            return Ok(Target::Member(Value::Spot(spot), names));
                        }
                        value => self.dot_value(io, value, names.remove(0), e.place)?,
                    };
                }
                match value {
                    value @ (Value::Register(_)
                    | Value::Ring(..)
                    | Value::Slot(..)
                    | Value::Spot(_)) => Ok(Target::Member(value, names)),
                    value => {
                        let whole = self.dot_value(io, value, names[0], e.place)?;
                        Ok(Target::Whole(whole, false))
                    }
                }
            }
            _ => Ok(Target::Whole(self.value(io, e)?, false)),
        }
    }

    fn put_into(
        &mut self,
        io: &mut dyn Outside,
        target: Target<'a>,
        value: Value<'a>,
        place: Place,
    ) -> Run<()> {
        match target {
            Target::Local(name) => {
                let frame = self.frames.last_mut();
                let bound = frame.and_then(|frame| {
                    let mut locals = frame.locals.iter_mut().rev();
                    locals.find(|(n, _)| *n == name)
                });
                if let Some((_, bound)) = bound {
                    *bound = crate::variable(value);
                }
                Ok(())
            }
            Target::Member(base, names) => self.put_member(io, base, &names, value, place),
            Target::Whole(whole, wraps) => {
                let value = match value {
                    Value::Num(n) => Value::Num(Num {
                        open: n.open || wraps,
                        ..n
                    }),
                    value => value,
                };
                self.put_whole(io, whole, value, place)
            }
        }
    }

    fn put_member(
        &mut self,
        io: &mut dyn Outside,
        base: Value<'a>,
        names: &[Name],
        value: Value<'a>,
        place: Place,
    ) -> Run<()> {
        let field = names[0];
        match base {
            Value::Register(r) => self.write_field(io, &r, names, value, place),
            Value::Ring(i, ring) => {
                let n = self.number_of(io, value, None, place)?;
                self.set_ring_member(io, i, ring, field, n, place)
            }
            Value::Slot(i, slots, k) => {
                let spot = self.slot_spot(io, i, slots, k, place)?;
                let spot = self.part_of(&spot, field, place)?;
                self.store(io, &spot, value, place)
            }
            Value::Spot(spot) => {
                let Kind::Number {
                    fields: Some(fields),
                    bits,
                    ..
                } = spot.kind
                else {
                    let spot = self.part_of(&spot, field, place)?;
                    return self.store(io, &spot, value, place);
                };
                let Some(f) = self.deep_field(fields, names) else {
                    return wrong(place, "no such field");
                };
                let n = self.number_of(io, value, f.bits, place)?;
                let n = self.fit(n, f.width, place)?;
                let own = crate::value::ones(f.width) << f.lo;
                let old = self.load_number(io, &spot).v as u64;
                let whole = (old & !own | n << f.lo) & crate::value::ones(bits);
                self.store(io, &spot, Value::Num(plain(whole)), place)
            }
            _ => wrong(place, "this cannot be assigned to"),
        }
    }

    fn put_whole(
        &mut self,
        io: &mut dyn Outside,
        whole: Value<'a>,
        value: Value<'a>,
        place: Place,
    ) -> Run<()> {
        match whole {
            Value::Register(r) => self.write(io, &r, value, place),
            Value::Spot(spot) => self.store(io, &spot, value, place),
            Value::Buffer(b) => {
                let width = self.word_width(&b, place)?;
                let n = self.number_of(io, value, None, place)?;
                let n = self.fit(n, width.bits(), place)?;
                io.store(b.space, b.at, width, n);
                Ok(())
            }
            // All of them alike.
            Value::Bytes(b) => {
                let n = self.number_of(io, value, None, place)?;
                let byte = self.fit(n, 8, place)? as u8;
                self.store_bytes(io, b.space, b.at, &vec![byte; b.len as usize]);
                Ok(())
            }
            _ => wrong(place, "this cannot be assigned to"),
        }
    }

    /// Whether a name is a state that wraps, of the instance or of what it stands in or on.
    fn wraps(&mut self, io: &mut dyn Outside, name: Name) -> bool {
        let mut at = Some(self.here());
        while let Some(i) = at {
            let state = self.find(
                io,
                i,
                |k| matches!(k, ItemKind::State { name: n, .. } if *n == name),
            );
            if let Some(item) = state {
                return matches!(item.kind, ItemKind::State { wraps: true, .. });
            }
            at = self.instances[i].lower;
        }
        false
    }

    // ---- calls and upcalls

    pub(crate) fn call_routine(
        &mut self,
        io: &mut dyn Outside,
        i: Id,
        name: Name,
        values: Vec<Value<'a>>,
        place: Place,
    ) -> Run<Value<'a>> {
        let Some(routine) = self.routine(io, i, name)? else {
            return wrong(
                place,
                format!("no `{}` that these facts allow", self.text(name)),
            );
        };
        if routine.parameters.len() != values.len() {
            return wrong(place, "another number of values");
        }
        let mut locals = Vec::new();
        for (k, (parameter, value)) in routine.parameters.iter().zip(values).enumerate() {
            let own = parameter.kind.as_ref();
            let kind = own.or_else(|| self.contract_type(i, name, k));
            let value = match (value, kind.map(|t| t.base)) {
                // Braces mean what the parameter is.
                (value @ Value::Literal(_), Some(TypeBase::Named(n))) => {
                    if self.has_record(io, i, n) {
                        let layout = self.record(io, i, n, place)?;
                        let bytes = self.record_bytes(io, &layout, value, place)?;
                        Value::Copy(layout, bytes)
                    } else {
                        let bits = crate::value::Bits::Named(i, n);
                        Value::Num(self.number_of(io, value, Some(bits), place)?)
                    }
                }
                (value, _) => self.settle(io, value, place)?,
            };
            locals.push((parameter.name, value));
        }
        self.body(io, i, locals, routine.body.as_deref().unwrap_or(&[]))
    }

    fn contract_type(&self, i: Id, name: Name, k: usize) -> Option<&'a Type> {
        let mut at = i;
        while self.instances[at].class.is_none() && self.instances[at].each.is_some() {
            at = self.instances[at].lower?;
        }
        let class = self.instances[at].class?;
        class.items.iter().find_map(|item| match &item.kind {
            ItemKind::Routine(r) if r.name == name && r.body.is_none() => {
                r.parameters.get(k)?.kind.as_ref()
            }
            _ => None,
        })
    }

    /// `up name(…)`: to whoever uses or stands on this, else to the class.
    fn up(
        &mut self,
        io: &mut dyn Outside,
        name: Name,
        arguments: &'a [Expr],
        place: Place,
    ) -> Run<()> {
        let mut values = Vec::new();
        for e in arguments {
            let value = self.value(io, e)?;
            values.push(self.settle(io, value, e.place)?);
        }
        if let Some((upper, used)) = self.instances[self.here()].upper {
            if let Some(event) = self.heard_above(io, upper, used, name)? {
                let locals = event.parameters.iter().copied().zip(values).collect();
                self.body(io, upper, locals, &event.body)?;
            }
            return Ok(());
        }
        let mut words = Vec::new();
        for value in values {
            match value {
                Value::Buffer(b) | Value::Bytes(b) => words.extend([b.at, b.len]),
                Value::Buffers(list) if list.len() == 1 => words.extend([list[0].at, list[0].len]),
                value => {
                    let n = self.number_of(io, value, None, place)?;
                    words.push(self.fit(n, 64, place)?);
                }
            }
        }
        self.tell(io, self.text(name), &words, place)
    }

    pub(crate) fn heard_above(
        &mut self,
        io: &mut dyn Outside,
        upper: Id,
        used: Option<Name>,
        name: Name,
    ) -> Run<Option<&'a Event>> {
        let events = self.events(io, upper, used, name)?;
        Ok(events.into_iter().find(|e| e.selector.is_none()))
    }

    fn tell(&mut self, io: &mut dyn Outside, text: &str, words: &[u64], place: Place) -> Run<()> {
        if words.len() > 4 {
            return wrong(place, "an upcall of more than four words");
        }
        let known = self.given.upcalls.iter().position(|u| u == text);
        let which = known.unwrap_or_else(|| {
            self.given.upcalls.push(text.to_owned());
            self.given.upcalls.len() - 1
        });
        io.up(which as u8, words);
        Ok(())
    }

    /// `attach k { fact: x }`: the place, then each fact that the class asks for of a child, in its order.
    fn attach(
        &mut self,
        io: &mut dyn Outside,
        child: &'a Expr,
        facts: &'a [Member],
        place: Place,
    ) -> Run<()> {
        let n = self.number(io, child)?;
        let mut words = vec![self.fit(n, 8, child.place)?];
        let class = self.instances[self.here()].rule.class;
        let class = self.subject.book.classes.iter().find(|c| c.name == class);
        for (name, kind) in class.into_iter().flat_map(|c| c.of_child()) {
            let given = facts.iter().find(|member| member.path == [name]);
            let Some(e) = given.and_then(|member| member.value.as_ref()) else {
                return wrong(
                    place,
                    format!("`attach` does not say `{}`", self.text(name)),
                );
            };
            let n = self.number(io, e)?;
            words.push(self.fit(n, kind.and_then(Type::bits).unwrap_or(64), e.place)?);
        }
        self.tell(io, "attach", &words, place)
    }

    // ---- learning

    /// `learn a = X`: found in the first run; a later one ends where it finds something else.
    fn learn_one(&mut self, io: &mut dyn Outside, target: &'a Expr, e: &'a Expr) -> Run<()> {
        let (name, index) = match &target.kind {
            ExprKind::Name(n) => (*n, None),
            ExprKind::Index(base, k) => match &base.kind {
                ExprKind::Name(n) => {
                    let k = self.number(io, k)?;
                    (*n, Some(self.small(k, target.place)?))
                }
                _ => return wrong(target.place, "only facts are learned"),
            },
            _ => return wrong(target.place, "only facts are learned"),
        };
        let here = self.here();
        self.measured = false;
        let value = self.value(io, e)?;
        let skipped = std::mem::take(&mut self.measured) || matches!(value, Value::Random);
        let value = match value {
            Value::Spot(spot) => self.load(io, &spot, e.place)?,
            value => self.settle(io, value, e.place)?,
        };
        let value = match value {
            // A fact has 64 bits, and takes the lowest of any.
            value @ Value::Num(_) => crate::variable(value),
            value @ (Value::List(_) | Value::Text(_)) => value,
            value => crate::variable(Value::Num(self.number_of(io, value, None, e.place)?)),
        };
        if !self.first {
            if skipped {
                return Ok(());
            }
            let i = &self.instances[here];
            let mut facts = i.facts.iter().rev();
            let mut indexed = i.indexed.iter().rev();
            let known = match index {
                None => facts.find(|(n, _)| *n == name).map(|(_, v)| v.clone()),
                Some(k) => indexed
                    .find(|(n, at, _)| *n == name && *at == k)
                    .map(|(.., v)| v.clone()),
            };
            let Some(known) = known else {
                return wrong(e.place, format!("`{}` was not learned", self.text(name)));
            };
            return match self.same(&known, &value) {
                true => Ok(()),
                false => self.finish(io, status::CHANGED),
            };
        }
        let Some(fact) = self.as_fact(&value) else {
            return wrong(e.place, "numbers and lists of numbers are learned");
        };
        let mut label = format!("{}{}", self.prefix(here), self.text(name));
        match index {
            Some(k) => {
                label = format!("{label}.{k}");
                self.instances[here].indexed.push((name, k, value));
            }
            None => {
                let value = self.typed(here, name, value);
                self.instances[here].facts.push((name, value));
            }
        }
        self.learned.push(Fact {
            name: label,
            value: fact,
            source: Source::Learned,
        });
        Ok(())
    }

    fn same(&self, a: &Value<'a>, b: &Value<'a>) -> bool {
        match (a, b) {
            (Value::Num(a), Value::Num(b)) => a.v == b.v,
            (Value::Text(a), Value::Text(b)) => a == b,
            (Value::List(a), Value::List(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| self.same(a, b))
            }
            _ => false,
        }
    }

    fn as_fact(&self, value: &Value<'a>) -> Option<machine::Value> {
        let word = |v: &Value<'a>| match v {
            Value::Num(n) => u64::try_from(n.v).ok(),
            _ => None,
        };
        Some(match value {
            Value::Num(_) => machine::Value::Number(word(value)?),
            Value::Text(text) => machine::Value::Text(text.clone()),
            Value::List(list) => {
                let numbers: Vec<u64> = list.iter().map(word).collect::<Option<_>>()?;
                let bytes = numbers.iter().map(|n| u8::try_from(*n));
                match bytes.collect::<Result<Vec<u8>, _>>() {
                    Ok(bytes) => machine::Value::Bytes(bytes),
                    Err(_) => machine::Value::Numbers(numbers),
                }
            }
            _ => return None,
        })
    }
}

/// Names that are assigned as a whole.
fn assigned_in(body: &[Stmt], names: &mut Vec<Name>) {
    for s in body {
        match &s.kind {
            StmtKind::Assign { target, .. } => {
                if let ExprKind::Name(name) = target.kind {
                    names.push(name);
                }
            }
            StmtKind::If { yes, no, .. } | StmtKind::When { yes, no, .. } => {
                assigned_in(yes, names);
                assigned_in(no, names);
            }
            StmtKind::Quirk { body, .. }
            | StmtKind::Then(body)
            | StmtKind::For { body, .. }
            | StmtKind::While { body, .. } => assigned_in(body, names),
            StmtKind::Check { otherwise, .. } => {
                assigned_in(std::slice::from_ref(&**otherwise), names);
            }
            _ => {}
        }
    }
}
