//! An entry as a colon definition of Forth.
//!
//! Arguments and values that are used more than once, or later, are locals; a value that only the next step uses stays
//! on the stack. Places are made by the word of their window or memory, and registers that have a name by theirs.

use super::{
    expression::{Notation, Texts},
    failure,
    names::Names,
    postfix::number,
};
use crate::{Conduit, Fence, Id, Op, RegionId, Residual, Space, Width, WindowKind};
use alloc::{borrow::ToOwned, format, string::String, vec, vec::Vec};

/// What Forth, or the words of a residual's own, already mean.
const TAKEN: &str = "block endblock times endtimes await came? leave exit if else then and or xor invert + - * = <> u< \
    u> 0= 0<> lshift rshift um/mod nip drop dup to : ; {: :} state arena pool arena-dma pool-dma lane publish acquire \
    full-fence clock pause-ns result! hvc smc upcall memory-window port-window model-window system-window u<= u/ umod \
    shl shr umin umax put-bits swap16 swap32 swap64 ones lowest-bit w8@ w16@ w32@ w64@ w8! w16! w32! w64! p8@ p16@ \
    p32@ p8! p16! p32! msr@ msr! sys@ sys! m8@ m16@ m32@ m64@ m8! m16! m32! m64!";

/// Columns that the list of locals may take.
const WIDE: usize = 100;

/// The words of one residual: no two the same, whatever their case.
pub(super) struct Words {
    windows: Vec<String>,
    upcalls: Vec<String>,
    pub entries: Vec<String>,
    registers: Vec<(u8, u64, String)>,
    memory: Vec<(Space, u64, String)>,
}

impl Words {
    pub(super) fn new(residual: &Residual, names: &Names) -> Words {
        let mut taken: Vec<String> = TAKEN.split_whitespace().map(str::to_owned).collect();
        let mut word = |name: &str| distinct(&mut taken, name);
        let windows: Vec<String> = residual.windows.iter().map(|w| word(&w.name)).collect();
        let upcalls = residual.upcalls.iter();
        let upcalls = upcalls.map(|u| word(&format!("up.{u}"))).collect();
        let entries = residual.entries.iter().map(|e| word(&e.name)).collect();
        let register = |(window, at, name): &(u8, u64, String)| {
            let place = windows.get(usize::from(*window))?;
            Some((*window, *at, word(&format!("{place}.{name}"))))
        };
        let registers = names.registers.iter().filter_map(register).collect();
        let memory = names.memory.iter();
        let memory = memory.map(|(s, at, name)| (*s, *at, word(&format!("{}.{name}", base(*s)))));
        let memory = memory.collect();
        Words {
            windows,
            upcalls,
            entries,
            registers,
            memory,
        }
    }
}

/// The name without spaces; where two become the same, the later ones get a mark behind them.
fn distinct(taken: &mut Vec<String>, name: &str) -> String {
    let plain = |c: char| match c {
        c if c.is_ascii_graphic() => c,
        _ => '-',
    };
    let mut word: String = name.chars().map(plain).collect();
    let is_number = word.parse::<i64>().is_ok() || word.starts_with('$');
    if word.is_empty() || is_number || word.starts_with('\\') || word.starts_with('(') {
        word.insert(0, '_');
    }
    while taken.contains(&word.to_ascii_lowercase()) {
        word.push('\'');
    }
    taken.push(word.to_ascii_lowercase());
    word
}

/// The words that entries stand on: windows, upcalls, and places that have a name, of those that `wanted` names only.
pub(super) fn declarations(residual: &Residual, words: &Words, text: Option<&str>) -> String {
    let wanted = |word: &str| text.is_none_or(|t| t.split_whitespace().any(|w| w == word));
    let place = |word: &str, at: u64, base: &str| {
        format!(": {word} ( -- place ) {} {base} ;\n", number(at))
    };
    let mut named = String::new();
    for (window, at, word) in words.registers.iter().filter(|r| wanted(&r.2)) {
        named += &place(word, *at, &words.windows[usize::from(*window)]);
    }
    for (space, at, word) in words.memory.iter().filter(|m| wanted(&m.2)) {
        named += &place(word, *at, base(*space));
    }
    let around = |word: &str| wanted(word) || named.split_whitespace().any(|w| w == word);
    let mut out = String::new();
    for (n, (window, word)) in residual.windows.iter().zip(&words.windows).enumerate() {
        if !around(word) {
            continue;
        }
        let kind = match window.kind {
            WindowKind::Memory => "memory",
            WindowKind::Port => "port",
            WindowKind::System => "system",
            WindowKind::Model => "model",
        };
        out += &format!("{n} {kind}-window {word} ( offset -- place )\n");
    }
    for (n, word) in words.upcalls.iter().enumerate() {
        if wanted(word) {
            let arity = arity(residual, n);
            let takes = ["a", "b", "c", "d"][..arity].join(" ");
            out += &format!("{n} {arity} upcall {word} ( {takes} -- result )\n");
        }
    }
    out + &named
}

/// How many cells an upcall takes: as many as the longest call of it gives.
fn arity(residual: &Residual, upcall: usize) -> usize {
    let calls = residual.graph.nodes.iter().filter_map(|op| match op {
        Op::Up { which, args } if usize::from(*which) == upcall => Some(args.len()),
        _ => None,
    });
    calls.max().unwrap_or(0).min(4)
}

pub(super) fn definition(residual: &Residual, entry: usize, words: &Words) -> String {
    let e = &residual.entries[entry];
    let mut writer = Writer {
        residual,
        words,
        texts: Texts::new(residual, Notation::Forth),
        out: String::new(),
        depth: 1,
        locals: Vec::new(),
    };
    writer.region(e.body, None);
    let ended = match residual.graph.regions[e.body as usize].steps.last() {
        Some(last) => matches!(residual.graph.nodes[*last as usize], Op::Return(_)),
        None => false,
    };
    if !ended {
        writer.line("0");
    }
    let variables = residual.graph.locals(e.body);
    let variables: Vec<String> = variables.iter().map(|n| format!("local{n}")).collect();
    let arguments = (0..e.arguments).map(|n| format!("a{n}"));
    let mut all: Vec<String> = vec!["{:".into()];
    all.extend(arguments);
    if !variables.is_empty() || !writer.locals.is_empty() {
        all.push("|".into());
        all.extend(variables.iter().cloned());
        all.append(&mut writer.locals);
    }
    all.push("-- status :}".into());
    let zero = variables.iter().map(|name| format!("  0 to {name}\n"));
    let head = wrapped(&format!(": {}", words.entries[entry]), &all);
    format!("{head}{}{};\n", zero.collect::<String>(), writer.out)
}

/// Words one after another, on as many lines as they need.
fn wrapped(first: &str, words: &[String]) -> String {
    let (mut out, mut column) = (first.to_owned(), first.len());
    for word in words {
        if column + 1 + word.len() > WIDE {
            out += "\n   ";
            column = 3;
        }
        out.push(' ');
        out += word;
        column += 1 + word.len();
    }
    out + "\n"
}

struct Writer<'a> {
    residual: &'a Residual,
    words: &'a Words,
    texts: Texts<'a>,
    out: String,
    depth: usize,
    /// Names of values, in the order of their definition.
    locals: Vec<String>,
}

impl Writer<'_> {
    fn line(&mut self, text: &str) {
        for (id, text) in self.texts.named() {
            self.locals.push(format!("x{id}"));
            self.indented(&format!("{text} to x{id}"));
        }
        self.indented(text);
    }

    fn indented(&mut self, text: &str) {
        for _ in 0..self.depth {
            self.out += "  ";
        }
        self.out += text;
        self.out.push('\n');
    }

    fn region(&mut self, id: RegionId, value: Option<Id>) {
        let mark = self.texts.mark();
        let graph = &self.residual.graph;
        let steps = &graph.regions[id as usize].steps;
        for (n, &step) in steps.iter().enumerate() {
            let next = match steps.get(n + 1) {
                Some(next) => before(&graph.nodes[*next as usize]),
                None => value.into_iter().collect(),
            };
            let alone = self.texts.used_once(step) && self.leads(&next, step);
            self.step(step, &graph.nodes[step as usize], alone);
        }
        if let Some(value) = value {
            let value = self.texts.condition(value);
            self.line(&value);
        }
        self.texts.forget(mark);
    }

    /// Whether one of these is `wanted`, or is computed from it without another effect.
    fn leads(&self, from: &[Id], wanted: Id) -> bool {
        let mut open = from.to_vec();
        let mut looked = 0;
        while let Some(id) = open.pop() {
            looked += 1;
            match id {
                _ if id == wanted => return true,
                // Long expressions get names anyway.
                _ if looked > 200 => return false,
                _ if id < wanted => {}
                _ => {
                    let op = &self.residual.graph.nodes[id as usize];
                    match *op {
                        // Of its sides one is carried out, and an effect has to be in any case.
                        Op::Select(cond, ..) => open.push(cond),
                        ref op if op.is_pure() => op.operands(|operand| open.push(operand)),
                        _ => {}
                    }
                }
            }
        }
        false
    }

    fn inside(&mut self, id: RegionId, value: Option<Id>) {
        self.depth += 1;
        self.region(id, value);
        self.depth -= 1;
    }

    /// `alone`: its value is used by what follows, and by nothing else.
    fn step(&mut self, id: Id, op: &Op, alone: bool) {
        match *op {
            Op::If { cond, yes, no } => self.choose(cond, yes, no),
            Op::Block(body) => {
                self.line("block");
                self.inside(body, None);
                self.line("endblock");
            }
            Op::Loop { most, body } => {
                let most = self.texts.whole(most);
                self.line(&format!("{most} times"));
                self.inside(body, None);
                self.ends(id, "endtimes");
            }
            Op::Await { cond, value, ns } => {
                let ns = self.texts.whole(ns);
                self.line(&format!("{ns} await"));
                self.inside(cond, Some(value));
                self.ends(id, "came?");
            }
            Op::Leave(0) => self.line("leave"),
            Op::Leave(n) => self.line(&format!("leave+{n}")),
            Op::Return(status) => self.finish(status),
            Op::SetLocal(n, value) => {
                let value = self.texts.whole(value);
                self.line(&format!("{value} to local{n}"));
            }
            Op::Result(n, value) => {
                let value = self.texts.whole(value);
                self.line(&format!("{value} {n} result!"));
            }
            ref op => {
                let text = self.access(op);
                match (op.gives_value(), self.texts.used(id)) {
                    (false, _) => self.line(&text),
                    (true, false) if matches!(op, Op::Local(_)) => {}
                    (true, false) => self.line(&format!("{text} drop")),
                    (true, true) if alone => self.texts.inline(id, text),
                    (true, true) => self.keep(id, &text),
                }
            }
        }
    }

    /// The value becomes a local.
    fn keep(&mut self, id: Id, text: &str) {
        self.line(&format!("{text} to v{id}"));
        let name = self.texts.name(id);
        self.locals.push(name);
    }

    fn ends(&mut self, id: Id, word: &str) {
        match self.texts.used(id) {
            true => self.keep(id, word),
            false => self.line(&format!("{word} drop")),
        }
    }

    fn choose(&mut self, cond: Id, yes: RegionId, no: RegionId) {
        let cond = self.texts.condition(cond);
        let graph = &self.residual.graph;
        let empty = |region: RegionId| graph.regions[region as usize].steps.is_empty();
        match empty(yes) {
            true => self.line(&format!("{cond} 0= if")),
            false => {
                self.line(&format!("{cond} if"));
                self.inside(yes, None);
            }
        }
        if !empty(no) {
            if !empty(yes) {
                self.line("else");
            }
            self.inside(no, None);
        }
        self.line("then");
    }

    fn finish(&mut self, status: Id) {
        let name = match self.residual.graph.nodes[status as usize] {
            Op::Const(status) => failure(self.residual, status),
            _ => None,
        };
        let note = name.map_or_else(String::new, |name| {
            format!("  \\ {}", name.escape_default())
        });
        let status = self.texts.whole(status);
        match self.depth {
            1 => self.line(&format!("{status}{note}")),
            _ => self.line(&format!("{status} exit{note}")),
        }
    }

    fn access(&mut self, op: &Op) -> String {
        match *op {
            Op::Local(n) => format!("local{n}"),
            Op::Load { space, at, width } => {
                format!("{} m{}@", self.memory(space, at), width.bits())
            }
            Op::Store {
                space,
                at,
                width,
                value,
            } => {
                let (value, place) = (self.texts.whole(value), self.memory(space, at));
                format!("{value} {place} m{}!", width.bits())
            }
            Op::Read { window, at, width } => {
                let place = self.register(window, at);
                format!("{place} {}@", self.how(window, width))
            }
            Op::Write {
                window,
                at,
                width,
                value,
            } => {
                let (value, place) = (self.texts.whole(value), self.register(window, at));
                format!("{value} {place} {}!", self.how(window, width))
            }
            Op::Up { which, ref args } => {
                let mut words: Vec<String> = args.iter().map(|a| self.texts.whole(*a)).collect();
                let which = usize::from(which);
                words.resize(arity(self.residual, which).max(words.len()), "0".into());
                words.push(self.words.upcalls[which].clone());
                words.join(" ")
            }
            Op::Firmware { conduit, args } => {
                let words = args.map(|a| self.texts.whole(a)).join(" ");
                match conduit {
                    Conduit::Hvc => words + " hvc",
                    Conduit::Smc => words + " smc",
                }
            }
            Op::Clock => "clock".into(),
            Op::Pause(ns) => format!("{} pause-ns", self.texts.whole(ns)),
            Op::Fence(Fence::Publish) => "publish".into(),
            Op::Fence(Fence::Acquire) => "acquire".into(),
            Op::Fence(Fence::Full) => "full-fence".into(),
            _ => String::new(),
        }
    }

    fn constant(&self, id: Id) -> Option<u64> {
        match self.residual.graph.nodes[id as usize] {
            Op::Const(value) => Some(value),
            _ => None,
        }
    }

    fn register(&mut self, window: u8, at: Id) -> String {
        let known = self.constant(at).and_then(|at| {
            let mut all = self.words.registers.iter();
            all.find(|(w, a, _)| *w == window && *a == at)
        });
        match known {
            Some((.., word)) => word.clone(),
            None => {
                let at = self.texts.whole(at);
                format!("{at} {}", self.words.windows[usize::from(window)])
            }
        }
    }

    fn memory(&mut self, space: Space, at: Id) -> String {
        let known = self.constant(at).and_then(|at| {
            let mut all = self.words.memory.iter();
            all.find(|(s, a, _)| *s == space && *a == at)
        });
        match known {
            Some((.., word)) => word.clone(),
            None => format!("{} {}", self.texts.whole(at), base(space)),
        }
    }

    /// The beginning of the words for a window.
    fn how(&self, window: u8, width: Width) -> String {
        match self.residual.windows[usize::from(window)].kind {
            WindowKind::Memory => format!("w{}", width.bits()),
            WindowKind::Port => format!("p{}", width.bits()),
            WindowKind::Model => "msr".into(),
            WindowKind::System => "sys".into(),
        }
    }
}

/// What a step computes before it does anything.
fn before(op: &Op) -> Vec<Id> {
    let mut list = Vec::new();
    match *op {
        // Its test is computed inside, again and again.
        Op::Await { ns, .. } => list.push(ns),
        ref op => op.operands(|id| list.push(id)),
    }
    list
}

fn base(space: Space) -> &'static str {
    match space {
        Space::State => "state",
        Space::Arena => "arena",
        Space::Pool => "pool",
    }
}

/// What the view stands on, in Forth; what it needs of the machine it says in comments.
pub(super) const PRELUDE: &str = r"\ The Forth view of MetaOS. Cells have 64 bits and are unsigned; a flag is 0 or -1. Numbers with $ are in sixteens.
\
\ The machine supplies, beside the words of the standard's core and locals:
\   n memory-window NAME, port-window, model-window, system-window    NAME ( offset -- place )
\   n m upcall NAME       NAME takes m cells, calls the class, and leaves what it answers
\   state arena pool ( offset -- place )    arena-dma pool-dma ( -- device-address )    lane ( -- n )
\   w8@ w16@ w32@ w64@ ( place -- value )   w8! w16! w32! w64! ( value place -- )    registers in memory
\   p8@ p16@ p32@ ( place -- value )        p8! p16! p32! ( value place -- )         I/O ports
\   msr@ sys@ ( place -- value )            msr! sys! ( value place -- )             model-specific, system registers
\   m8@ m16@ m32@ m64@ ( place -- value )   m8! m16! m32! m64! ( value place -- )    memory
\   publish acquire full-fence ( -- )       order between memory and device
\   clock ( -- ns )    pause-ns ( ns -- )   hvc smc ( function a b c -- answer )
\   result! ( value n -- )                  a word of the answer, beside the status
\ Control, beside if else then exit (which may stand anywhere: it forgets the loops around it):
\   block … endblock ( -- )                 once
\   times … endtimes ( most -- met )        at most so often; met is 1 if that ended it, 0 if `leave` did
\   await … flag came? ( ns -- came )       until the flag holds: 1; or the time is over: 0
\   leave                                   ends the innermost block or loop; leave+1 the one around it, and so on

: u<=  ( a b -- flag ) u> 0= ;
: u/   {: a b -- a/b :} b if a 0 b um/mod nip else 0 then ;
: umod {: a b -- rest :} b if a 0 b um/mod drop else 0 then ;
: shl  {: u n -- u' :} n $40 u< if u n lshift else 0 then ;
: shr  {: u n -- u' :} n $40 u< if u n rshift else 0 then ;
: umin {: a b -- u :} a b u< if a else b then ;
: umax {: a b -- u :} a b u< if b else a then ;
: put-bits {: into value lo bits | mask -- u :}
  -1 $40 bits - rshift lo lshift to mask
  into mask invert and value lo lshift mask and or ;
: swap16 {: u -- u' :} u $ff and 8 lshift u 8 rshift $ff and or ;
: swap32 {: u -- u' :} u swap16 $10 lshift u $10 rshift swap16 or ;
: swap64 {: u -- u' :} u swap32 $20 lshift u $20 rshift swap32 or ;
: ones {: u | n -- n :}
  0 to n
  $40 times u 1 and n + to n u 1 rshift to u endtimes drop
  n ;
: lowest-bit {: u | n -- n :}
  0 to n
  $40 times u 1 and if leave then u 1 rshift to u n 1 + to n endtimes drop
  n ;
";
