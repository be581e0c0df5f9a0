//! An entry as a function of C.

use super::{
    c_function,
    expression::{Notation, Texts},
    failure,
    names::Names,
    upcalls, windows,
};
use crate::{Conduit, Fence, Id, Op, RegionId, Residual, Space, Width, WindowKind};
use alloc::{format, string::String, vec::Vec};

pub(super) fn function(residual: &Residual, entry: usize, names: &Names) -> String {
    let e = &residual.entries[entry];
    let mut writer = Writer {
        residual,
        names,
        windows: windows(residual),
        upcalls: upcalls(residual),
        texts: Texts::new(residual, Notation::C),
        out: String::new(),
        depth: 1,
        around: Vec::new(),
    };
    writer.locals(e.body);
    writer.region(e.body, None);
    let mut head = format!(
        "uint64_t {}(struct context *ctx",
        c_function(residual, entry)
    );
    let mut unused = String::new();
    for n in 0..e.arguments {
        head += &format!(", uint64_t a{n}");
        if !writer.texts.mentioned[n as usize] {
            unused += &format!("    (void)a{n};\n");
        }
    }
    if !writer.texts.context {
        unused += "    (void)ctx;\n";
    }
    let last = residual.graph.regions[e.body as usize].steps.last();
    let ended = last.is_some_and(|id| matches!(residual.graph.nodes[*id as usize], Op::Return(_)));
    let end = if ended { "" } else { "    return 0;\n" };
    format!("{head})\n{{\n{unused}{}{end}}}\n", writer.out)
}

/// What C's `break` may end.
enum Around {
    Wait,
    Exit { id: Id, value: bool, label: bool },
}

struct Writer<'a> {
    residual: &'a Residual,
    names: &'a Names,
    windows: Vec<String>,
    upcalls: Vec<String>,
    texts: Texts<'a>,
    out: String,
    depth: usize,
    around: Vec<Around>,
}

impl Writer<'_> {
    fn line(&mut self, text: &str) {
        for (id, text) in self.texts.named() {
            self.indented(&format!("const uint64_t x{id} = {text};"));
        }
        self.indented(text);
    }

    fn indented(&mut self, text: &str) {
        for _ in 0..self.depth {
            self.out += "    ";
        }
        self.out += text;
        self.out.push('\n');
    }

    /// Declares the variables that the entry has left.
    fn locals(&mut self, body: RegionId) {
        for n in self.residual.graph.locals(body) {
            self.indented(&format!("uint64_t local{n} = 0;"));
        }
    }

    /// A wait's region ends with its test.
    fn region(&mut self, id: RegionId, wait: Option<(Id, Id, &str)>) {
        let mark = self.texts.mark();
        let graph = &self.residual.graph;
        for &step in &graph.regions[id as usize].steps {
            self.step(step, &graph.nodes[step as usize]);
        }
        if let Some((wait, value, ns)) = wait {
            let value = self.texts.condition(value);
            self.texts.context = true;
            let met = match self.texts.used(wait) {
                false => format!("({value})"),
                true => {
                    self.line(&format!("v{wait} = ({value}) ? 1 : 0;"));
                    format!("v{wait}")
                }
            };
            self.line(&format!("if ({met} || wait_over(ctx, &w{wait}, {ns}))"));
            self.line("    break;");
        }
        self.texts.forget(mark);
    }

    fn inside(&mut self, id: RegionId, wait: Option<(Id, Id, &str)>) {
        self.depth += 1;
        self.region(id, wait);
        self.depth -= 1;
    }

    fn step(&mut self, id: Id, op: &Op) {
        match *op {
            Op::If { cond, yes, no } => self.choose(cond, yes, no),
            Op::Block(body) => {
                self.line("do {");
                self.exit(id, body, false);
                self.line("} while (0);");
                self.label(id);
            }
            Op::Loop { most, body } => self.repeat(id, most, body),
            Op::Await { cond, value, ns } => {
                let ns = self.texts.whole(ns);
                if self.texts.used(id) {
                    self.line(&format!("uint64_t v{id} = 0;"));
                }
                self.line(&format!("for (struct wait w{id} = {{ 0, 0 }};;) {{"));
                self.around.push(Around::Wait);
                self.inside(cond, Some((id, value, &ns)));
                self.around.pop();
                self.line("}");
                self.texts.name(id);
            }
            Op::Leave(n) => self.leave(n),
            Op::Return(status) => self.finish(status),
            Op::SetLocal(n, value) => {
                let value = self.texts.whole(value);
                self.line(&format!("local{n} = {value};"));
            }
            Op::Result(n, value) => {
                let value = self.texts.whole(value);
                self.texts.context = true;
                self.line(&format!("ctx->results[{n}] = {value};"));
            }
            ref op => {
                let text = self.access(op);
                if op.gives_value() && self.texts.used(id) {
                    self.line(&format!("const uint64_t v{id} = {text};"));
                    self.texts.name(id);
                } else if !matches!(op, Op::Local(_)) {
                    self.line(&format!("{text};"));
                }
            }
        }
    }

    fn choose(&mut self, cond: Id, yes: RegionId, no: RegionId) {
        let cond = self.texts.condition(cond);
        let empty = |region: RegionId| {
            self.residual.graph.regions[region as usize]
                .steps
                .is_empty()
        };
        let (no_yes, no_no) = (empty(yes), empty(no));
        match no_yes {
            true => self.line(&format!("if (!({cond})) {{")),
            false => {
                self.line(&format!("if ({cond}) {{"));
                self.inside(yes, None);
            }
        }
        if !no_yes && !no_no {
            self.line("} else {");
        }
        if !no_no {
            self.inside(no, None);
        }
        self.line("}");
    }

    fn repeat(&mut self, id: Id, most: Id, body: RegionId) {
        let used = self.texts.used(id);
        let most = self.texts.whole(most);
        if used {
            self.line(&format!("uint64_t v{id} = 1;"));
        }
        self.line(&format!(
            "for (uint64_t n{id} = {most}; n{id} != 0; n{id}--) {{"
        ));
        self.exit(id, body, used);
        self.line("}");
        self.label(id);
        self.texts.name(id);
    }

    fn exit(&mut self, id: Id, body: RegionId, value: bool) {
        self.around.push(Around::Exit {
            id,
            value,
            label: false,
        });
        self.inside(body, None);
    }

    /// The end of the innermost block or loop, for those who come from deeper than a `break` reaches.
    fn label(&mut self, id: Id) {
        if let Some(Around::Exit { label: true, .. }) = self.around.pop() {
            self.line(&format!("leave_{id}:;"));
        }
    }

    fn leave(&mut self, n: u8) {
        let innermost = self.around.len().saturating_sub(1);
        let exits = self.around.iter_mut().enumerate().rev();
        let target = exits
            .filter_map(|(at, around)| match around {
                Around::Exit { id, value, label } => Some((at, id, value, label)),
                Around::Wait => None,
            })
            .nth(n as usize);
        let Some((at, id, value, label)) = target else {
            return;
        };
        *label |= at != innermost;
        let (id, value) = (*id, *value);
        if value {
            self.line(&format!("v{id} = 0;"));
        }
        match at == innermost {
            true => self.line("break;"),
            false => self.line(&format!("goto leave_{id};")),
        }
    }

    fn finish(&mut self, status: Id) {
        let name = match self.residual.graph.nodes[status as usize] {
            Op::Const(status) => failure(self.residual, status),
            _ => None,
        };
        let note = name.map(|name| format!(" /* {} */", name.replace("*/", "* /")));
        let status = self.texts.whole(status);
        self.line(&format!("return {status};{}", note.unwrap_or_default()));
    }

    /// The call or expression that an effect is.
    fn access(&mut self, op: &Op) -> String {
        if let Op::Local(n) = *op {
            return format!("local{n}");
        }
        self.texts.context = true;
        match *op {
            Op::Load { space, at, width } => {
                let at = self.memory(space, at);
                format!("load{}(ctx->{}, {at})", bits(space, width), base(space))
            }
            Op::Store {
                space,
                at,
                width,
                value,
            } => {
                let (at, value) = (self.memory(space, at), self.texts.whole(value));
                format!(
                    "store{}(ctx->{}, {at}, {value})",
                    bits(space, width),
                    base(space)
                )
            }
            Op::Read { window, at, width } => {
                let (how, at) = (self.how(window), self.register(window, at));
                let name = &self.windows[window as usize];
                format!("{how}read{}(ctx, WINDOW_{name}, {at})", width.bits())
            }
            Op::Write {
                window,
                at,
                width,
                value,
            } => {
                let (how, at) = (self.how(window), self.register(window, at));
                let value = self.texts.whole(value);
                let name = &self.windows[window as usize];
                format!(
                    "{how}write{}(ctx, WINDOW_{name}, {at}, {value})",
                    width.bits()
                )
            }
            Op::Up { which, ref args } => {
                let mut words: Vec<String> = args.iter().map(|a| self.texts.whole(*a)).collect();
                words.resize(4, "0".into());
                format!(
                    "up(ctx, UP_{}, {})",
                    self.upcalls[which as usize],
                    words.join(", ")
                )
            }
            Op::Firmware { conduit, args } => {
                let words = args.map(|a| self.texts.whole(a));
                let name = match conduit {
                    Conduit::Hvc => "hvc",
                    Conduit::Smc => "smc",
                };
                format!("{name}({})", words.join(", "))
            }
            Op::Clock => "ctx->clock(ctx)".into(),
            Op::Pause(ns) => format!("ctx->pause(ctx, {})", self.texts.whole(ns)),
            Op::Fence(Fence::Publish) => "publish()".into(),
            Op::Fence(Fence::Acquire) => "acquire()".into(),
            Op::Fence(Fence::Full) => "full_fence()".into(),
            _ => String::new(),
        }
    }

    /// The place in a window, with what the rule calls it.
    fn register(&mut self, window: u8, at: Id) -> String {
        let name = self.names.register(&self.residual.graph, window, at);
        self.noted(at, name)
    }

    fn memory(&mut self, space: Space, at: Id) -> String {
        let name = self.names.memory(&self.residual.graph, space, at);
        self.noted(at, name)
    }

    fn noted(&mut self, at: Id, name: Option<&str>) -> String {
        let at = self.texts.whole(at);
        match name {
            Some(name) => format!("{at} /* {} */", name.replace("*/", "* /")),
            None => at,
        }
    }

    fn how(&self, window: u8) -> &'static str {
        match self.residual.windows[window as usize].kind {
            WindowKind::Memory => "",
            WindowKind::Port => "port_",
            WindowKind::System => "system_",
            WindowKind::Model => "model_",
        }
    }
}

/// The driver's own variables are plain memory.
fn bits(space: Space, width: Width) -> String {
    match space {
        Space::State => format!("{}_plain", width.bits()),
        Space::Arena | Space::Pool => format!("{}", width.bits()),
    }
}

fn base(space: Space) -> &'static str {
    match space {
        Space::State => "state",
        Space::Arena => "arena",
        Space::Pool => "pool",
    }
}
