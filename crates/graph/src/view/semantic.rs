//! An entry in plain words, one line a step.

use super::{
    expression::{Notation, Texts},
    failure,
    names::Names,
};
use crate::{Conduit, Fence, Id, Op, RegionId, Residual, Space};
use alloc::{format, string::String, vec::Vec};

/// A line, the step that it belongs to, and how deep it stands.
pub(super) struct Line {
    pub step: Id,
    pub depth: usize,
    pub text: String,
}

pub(super) fn text(residual: &Residual, entry: usize, names: &Names) -> String {
    let e = &residual.entries[entry];
    let arguments: Vec<String> = (0..e.arguments).map(|n| format!("a{n}")).collect();
    let mut out = format!("{}({})\n", e.name, arguments.join(", "));
    for line in lines(residual, entry, names) {
        for _ in 0..line.depth {
            out += "  ";
        }
        out += &line.text;
        out.push('\n');
    }
    out
}

/// The lines of an entry, in order.
pub(super) fn lines(residual: &Residual, entry: usize, names: &Names) -> Vec<Line> {
    let mut writer = Writer {
        residual,
        names,
        texts: Texts::new(residual, Notation::Plain),
        out: Vec::new(),
        depth: 1,
        step: 0,
    };
    writer.region(residual.entries[entry].body, None);
    writer.out
}

struct Writer<'a> {
    residual: &'a Residual,
    names: &'a Names,
    texts: Texts<'a>,
    out: Vec<Line>,
    depth: usize,
    step: Id,
}

impl Writer<'_> {
    fn line(&mut self, text: &str) {
        for (id, text) in self.texts.named() {
            self.indented(&format!("x{id} = {text}"));
        }
        self.indented(text);
    }

    fn indented(&mut self, text: &str) {
        self.out.push(Line {
            step: self.step,
            depth: self.depth,
            text: text.into(),
        });
    }

    fn region(&mut self, id: RegionId, value: Option<Id>) {
        let mark = self.texts.mark();
        let graph = &self.residual.graph;
        for &step in &graph.regions[id as usize].steps {
            self.step(step, &graph.nodes[step as usize]);
        }
        if let Some(value) = value {
            let value = self.texts.whole(value);
            self.line(&format!("enough if {value}"));
        }
        self.texts.forget(mark);
    }

    fn inside(&mut self, id: RegionId, value: Option<Id>) {
        self.depth += 1;
        self.region(id, value);
        self.depth -= 1;
    }

    fn step(&mut self, id: Id, op: &Op) {
        self.step = id;
        if !op.gives_value() {
            return self.silent(op);
        }
        let text = self.giving(op);
        match self.texts.used(id) {
            true => {
                self.line(&format!("v{id} = {text}"));
                self.texts.name(id);
            }
            false => self.line(&text),
        }
        match *op {
            Op::Await { cond, value, .. } => self.inside(cond, Some(value)),
            Op::Loop { body, .. } => self.inside(body, None),
            _ => {}
        }
    }

    fn giving(&mut self, op: &Op) -> String {
        match *op {
            Op::Local(n) => format!("local{n}"),
            Op::Load { space, at, width } => {
                format!("load {} bits of {}", width.bits(), self.memory(space, at))
            }
            Op::Read { window, at, width } => {
                format!(
                    "read {} bits of {}",
                    width.bits(),
                    self.register(window, at)
                )
            }
            Op::Up { which, ref args } => {
                let args: Vec<String> = args.iter().map(|a| self.texts.whole(*a)).collect();
                let name = &self.residual.upcalls[which as usize];
                format!("call up {name}({})", args.join(", "))
            }
            Op::Clock => "the time in ns".into(),
            Op::Await { ns, .. } => format!("wait at most {} ns", self.texts.whole(ns)),
            Op::Loop { most, .. } => format!("repeat at most {} times", self.texts.whole(most)),
            Op::Firmware { conduit, args } => {
                let args = args.map(|a| self.texts.whole(a));
                let name = match conduit {
                    Conduit::Hvc => "hypervisor",
                    Conduit::Smc => "secure monitor",
                };
                format!("call the {name} ({})", args.join(", "))
            }
            _ => String::new(),
        }
    }

    /// `r[4]`, with the register's name behind it where the rule has one.
    fn register(&mut self, window: u8, at: Id) -> String {
        let known = self.names.register(&self.residual.graph, window, at);
        let at = self.texts.whole(at);
        let name = &self.residual.windows[window as usize].name;
        match known {
            Some(register) => format!("{name}[{at}] {register}"),
            None => format!("{name}[{at}]"),
        }
    }

    fn memory(&mut self, space: Space, at: Id) -> String {
        let known = self.names.memory(&self.residual.graph, space, at);
        let at = self.texts.whole(at);
        match known {
            Some(place) => format!("{}[{at}] {place}", name(space)),
            None => format!("{}[{at}]", name(space)),
        }
    }

    fn silent(&mut self, op: &Op) {
        match *op {
            Op::SetLocal(n, value) => {
                let value = self.texts.whole(value);
                self.line(&format!("local{n} = {value}"));
            }
            Op::Store {
                space,
                at,
                width,
                value,
            } => {
                let (place, value) = (self.memory(space, at), self.texts.whole(value));
                self.line(&format!("store {} bits in {place}: {value}", width.bits()));
            }
            Op::Write {
                window,
                at,
                width,
                value,
            } => {
                let (place, value) = (self.register(window, at), self.texts.whole(value));
                self.line(&format!("write {} bits to {place}: {value}", width.bits()));
            }
            Op::Fence(Fence::Publish) => self.line("publish what was stored"),
            Op::Fence(Fence::Acquire) => self.line("acquire what the device stored"),
            Op::Fence(Fence::Full) => self.line("everything before, before everything after"),
            Op::Pause(ns) => {
                let ns = self.texts.whole(ns);
                self.line(&format!("pause for {ns} ns"));
            }
            Op::Result(n, value) => {
                let value = self.texts.whole(value);
                self.line(&format!("result {n} = {value}"));
            }
            ref op => self.control(op),
        }
    }

    fn control(&mut self, op: &Op) {
        match *op {
            Op::If { cond, yes, no } => {
                let cond = self.texts.condition(cond);
                self.line(&format!("if {cond}"));
                self.inside(yes, None);
                if !self.residual.graph.regions[no as usize].steps.is_empty() {
                    self.line("otherwise");
                    self.inside(no, None);
                }
            }
            Op::Block(body) => {
                self.line("once");
                self.inside(body, None);
            }
            Op::Leave(0) => self.line("leave"),
            Op::Leave(n) => self.line(&format!("leave {} levels", n as u32 + 1)),
            Op::Return(status) => {
                let name = match self.residual.graph.nodes[status as usize] {
                    Op::Const(status) => failure(self.residual, status),
                    _ => None,
                };
                let text = match name {
                    Some(name) => format!("fail {name}"),
                    None => format!("return {}", self.texts.whole(status)),
                };
                self.line(&text);
            }
            _ => {}
        }
    }
}

fn name(space: Space) -> &'static str {
    match space {
        Space::State => "state",
        Space::Arena => "arena",
        Space::Pool => "pool",
    }
}
