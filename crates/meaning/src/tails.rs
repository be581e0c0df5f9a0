//! `OPERATION.then`: what an operation leaves for the end of a batch. It runs once, for every instance that the operation
//! may have been about: the batch does not say which those were.

use crate::value::{Id, Value};
use crate::{Meaning, Outside, Run};
use rulebook::tree::{Expr, ExprKind, Name, Place, Stmt, StmtKind};

/// Instances that a name stands for where a body is looked through.
type Known = Vec<(Name, Vec<Id>)>;

struct Tails<'a> {
    found: Vec<(Id, &'a [Stmt])>,
    depth: u32,
}

impl<'a> Meaning<'a> {
    pub(crate) fn tails(&mut self, io: &mut dyn Outside, operation: &str) -> Run<()> {
        let Some(name) = self.named(operation) else {
            return Ok(());
        };
        let owners = match self.units(io)? {
            Some(units) => units,
            None => vec![self.home_of(io, name)?],
        };
        let mut tails = Tails {
            found: Vec::new(),
            depth: 0,
        };
        for owner in owners {
            self.tails_of(io, owner, name, &mut tails)?;
        }
        // One text after the other, each for all.
        let mut order: Vec<&'a [Stmt]> = Vec::new();
        for (_, body) in &tails.found {
            if order.iter().all(|known| !std::ptr::eq(*known, *body)) {
                order.push(body);
            }
        }
        for text in order {
            for (id, body) in &tails.found {
                if std::ptr::eq(*body, text) {
                    self.body(io, *id, Vec::new(), body)?;
                }
            }
        }
        Ok(())
    }

    fn tails_of(
        &mut self,
        io: &mut dyn Outside,
        id: Id,
        name: Name,
        tails: &mut Tails<'a>,
    ) -> Run<()> {
        if tails.depth > 24 {
            return Ok(());
        }
        tails.depth += 1;
        if let Some(routine) = self.routine(io, id, name)? {
            let body = routine.body.as_deref().unwrap_or(&[]);
            self.look(io, id, body, &mut Vec::new(), tails)?;
        }
        tails.depth -= 1;
        Ok(())
    }

    /// A test of facts, if this is one.
    fn decided(&mut self, io: &mut dyn Outside, id: Id, test: &'a Expr) -> Option<bool> {
        self.within(id, Vec::new(), |m| m.condition(io, test)).ok()
    }

    fn look(
        &mut self,
        io: &mut dyn Outside,
        id: Id,
        body: &'a [Stmt],
        known: &mut Known,
        tails: &mut Tails<'a>,
    ) -> Run<()> {
        for s in body {
            for e in expressions(s) {
                self.look_in(io, id, e, known, tails)?;
            }
            match &s.kind {
                StmtKind::Then(body) => {
                    let is = |(i, b): &(Id, &'a [Stmt])| *i == id && std::ptr::eq(*b, &**body);
                    if !tails.found.iter().any(is) {
                        tails.found.push((id, body));
                    }
                }
                StmtKind::If { yes, no, .. } => {
                    self.look(io, id, yes, known, tails)?;
                    self.look(io, id, no, known, tails)?;
                }
                StmtKind::When { test, yes, no } => {
                    let holds = self.decided(io, id, test);
                    if holds != Some(false) {
                        self.look(io, id, yes, known, tails)?;
                    }
                    if holds != Some(true) {
                        self.look(io, id, no, known, tails)?;
                    }
                }
                StmtKind::Quirk { test, body, .. } => {
                    if self.decided(io, id, test) != Some(false) {
                        self.look(io, id, body, known, tails)?;
                    }
                }
                StmtKind::For {
                    names, set, body, ..
                } => {
                    let members = self.instances_of(io, id, set, known)?;
                    known.push((names[0], members));
                    self.look(io, id, body, known, tails)?;
                    known.pop();
                }
                StmtKind::While { body, .. } => self.look(io, id, body, known, tails)?,
                StmtKind::Check { otherwise, .. } => {
                    self.look(io, id, std::slice::from_ref(&**otherwise), known, tails)?;
                }
                StmtKind::Up { name, .. } => {
                    if let Some((upper, used)) = self.instances[id].upper {
                        if let Some(event) = self.heard_above(io, upper, used, *name)? {
                            tails.depth += 1;
                            if tails.depth < 24 {
                                self.look(io, upper, &event.body, &mut Vec::new(), tails)?;
                            }
                            tails.depth -= 1;
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Calls inside an expression.
    fn look_in(
        &mut self,
        io: &mut dyn Outside,
        id: Id,
        e: &'a Expr,
        known: &mut Known,
        tails: &mut Tails<'a>,
    ) -> Run<()> {
        match &e.kind {
            ExprKind::Call(callee, arguments) => {
                for argument in arguments {
                    self.look_in(io, id, &argument.value, known, tails)?;
                }
                match &callee.kind {
                    ExprKind::Name(name) => {
                        if let Ok(Value::Callable(owner, _)) =
                            self.resolve(io, id, *name, Place::default())
                        {
                            self.tails_of(io, owner, *name, tails)?;
                        }
                    }
                    ExprKind::Dot(base, name) => {
                        for owner in self.instances_of(io, id, base, known)? {
                            self.tails_of(io, owner, *name, tails)?;
                        }
                    }
                    _ => {}
                }
            }
            ExprKind::Unary(_, a) => self.look_in(io, id, a, known, tails)?,
            ExprKind::Binary(_, a, b) => {
                self.look_in(io, id, a, known, tails)?;
                self.look_in(io, id, b, known, tails)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// The instances that an expression may stand for.
    fn instances_of(
        &mut self,
        io: &mut dyn Outside,
        id: Id,
        e: &'a Expr,
        known: &Known,
    ) -> Run<Vec<Id>> {
        Ok(match &e.kind {
            ExprKind::Name(name) => match known.iter().rev().find(|(n, _)| n == name) {
                Some((_, list)) => list.clone(),
                None => match self.resolve(io, id, *name, e.place) {
                    Ok(Value::Instance(i)) => vec![i],
                    Ok(Value::Each(i, each)) => {
                        let members = self.members(io, i, each, e.place)?;
                        members.into_iter().map(|(_, m)| m).collect()
                    }
                    _ => Vec::new(),
                },
            },
            ExprKind::Index(base, _) => self.instances_of(io, id, base, known)?,
            ExprKind::Dot(base, name) => {
                let mut all = Vec::new();
                for i in self.instances_of(io, id, base, known)? {
                    match self.own(io, i, *name, e.place) {
                        Ok(Some(Value::Instance(part))) => all.push(part),
                        Ok(Some(Value::Each(i, each))) => {
                            let members = self.members(io, i, each, e.place)?;
                            all.extend(members.into_iter().map(|(_, m)| m));
                        }
                        _ => {}
                    }
                }
                all
            }
            _ => Vec::new(),
        })
    }
}

/// Expressions of a statement in which a call may stand.
fn expressions(s: &Stmt) -> Vec<&Expr> {
    match &s.kind {
        StmtKind::Let { bindings, .. } => bindings.iter().map(|(_, e)| e).collect(),
        StmtKind::Assign { value, .. } => vec![value],
        StmtKind::If { test, .. }
        | StmtKind::When { test, .. }
        | StmtKind::While { test, .. }
        | StmtKind::Check { test, .. } => vec![test],
        StmtKind::Start(e) | StmtKind::Return(Some(e)) => vec![e],
        StmtKind::Up { arguments, .. } => arguments.iter().collect(),
        StmtKind::Do { call, .. } => vec![call],
        _ => Vec::new(),
    }
}
