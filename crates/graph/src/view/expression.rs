//! Pure nodes as infix text.

use crate::{
    build,
    traverse::{resolve, Pure},
    BinOp, Graph, Id, Late, Op, Residual,
};
use alloc::{format, string::String, vec, vec::Vec};
use core::convert::Infallible;

/// Longer expressions get a name.
const LONGEST: usize = 72;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A number; in C its type may be narrower than a word.
    Constant,
    /// A comparison; in C an `int`.
    Truth,
    Word,
}

/// How expressions are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notation {
    /// For people only.
    Plain,
    /// For a compiler, with widths that C would otherwise choose itself.
    C,
    /// Operands first; parentheses are never needed.
    Forth,
}

#[derive(Clone, Debug)]
pub(super) struct Text {
    pub(super) text: String,
    pub(super) kind: Kind,
    /// Needs no parentheses anywhere.
    atom: bool,
    /// In C, may stand as a condition without `!= 0`.
    test: bool,
}

impl Text {
    pub(super) fn word(text: String) -> Text {
        Text {
            text,
            kind: Kind::Word,
            atom: false,
            test: false,
        }
    }

    pub(super) fn truth(text: String) -> Text {
        Text {
            kind: Kind::Truth,
            ..Text::word(text)
        }
    }

    pub(super) fn atom(text: String) -> Text {
        Text {
            atom: true,
            test: true,
            ..Text::word(text)
        }
    }
}

/// The texts of the nodes that are known where the view stands.
pub(super) struct Texts<'a> {
    pub(super) graph: &'a Graph,
    notation: Notation,
    texts: Vec<Option<Text>>,
    made: Vec<Id>,
    uses: Vec<u32>,
    pub(super) most: Vec<u64>,
    /// Named expressions that are not written yet.
    named: Vec<(Id, String)>,
    /// The arguments, and the context, that some text mentions.
    pub mentioned: Vec<bool>,
    pub context: bool,
}

impl<'a> Texts<'a> {
    pub(super) fn new(residual: &'a Residual, notation: Notation) -> Texts<'a> {
        let graph = &residual.graph;
        let mut uses = vec![0; graph.nodes.len()];
        for op in &graph.nodes {
            op.operands(|id| uses[id as usize] += 1);
        }
        Texts {
            graph,
            notation,
            texts: vec![None; graph.nodes.len()],
            made: Vec::new(),
            uses,
            most: build::most(graph),
            named: Vec::new(),
            mentioned: vec![false; usize::from(u8::MAX) + 1],
            context: false,
        }
    }

    fn exact(&self) -> bool {
        self.notation == Notation::C
    }

    /// Whether exactly one operand is this node.
    pub(super) fn used_once(&self, id: Id) -> bool {
        self.uses[id as usize] == 1
    }

    /// Step `id` has no name: its text stands where its value is wanted.
    pub(super) fn inline(&mut self, id: Id, text: String) {
        self.set(id, Text::word(text));
    }

    /// Whether anything uses the node.
    pub(super) fn used(&self, id: Id) -> bool {
        self.uses[id as usize] > 0
    }

    /// The value of step `id` is known as `v` and its number from here on.
    pub(super) fn name(&mut self, id: Id) -> String {
        let name = format!("v{id}");
        self.set(id, Text::atom(name.clone()));
        name
    }

    /// A mark to come back to with [`Texts::forget`] at the end of a region.
    pub(super) fn mark(&self) -> usize {
        self.made.len()
    }

    pub(super) fn forget(&mut self, mark: usize) {
        for id in self.made.drain(mark..) {
            self.texts[id as usize] = None;
        }
    }

    /// Named expressions to be written before the text that was asked for.
    pub(super) fn named(&mut self) -> Vec<(Id, String)> {
        core::mem::take(&mut self.named)
    }

    /// The node as a whole expression.
    pub(super) fn whole(&mut self, id: Id) -> String {
        let text = self.get(id);
        self.number(text)
    }

    /// The text of a value: Forth's truth is all ones, a graph's is 1.
    fn number(&self, text: Text) -> String {
        match (self.notation, text.kind) {
            (Notation::Forth, Kind::Truth) => format!("{} 1 and", text.text),
            _ => text.text,
        }
    }

    /// The node as an operand of something else that is a word.
    pub(super) fn operand(&mut self, id: Id) -> String {
        let text = self.get(id);
        match text.kind {
            _ if self.notation == Notation::Forth => self.number(text),
            Kind::Truth if self.exact() => format!("(uint64_t)({})", text.text),
            _ if text.atom => text.text,
            _ => format!("({})", text.text),
        }
    }

    /// The node where only its being zero matters.
    pub(super) fn condition(&mut self, id: Id) -> String {
        let text = self.get(id);
        match text.kind {
            _ if !self.exact() || text.test => text.text,
            Kind::Constant | Kind::Truth => text.text,
            Kind::Word => format!("({}) != 0", text.text),
        }
    }

    /// The node as an operand whose type decides that of the result.
    fn wide(&mut self, id: Id) -> String {
        let text = self.operand(id);
        match self.get(id).kind {
            Kind::Constant if self.exact() => format!("{text}ull"),
            _ => text,
        }
    }

    pub(super) fn get(&mut self, id: Id) -> Text {
        let Ok(()) = resolve(self.graph, id, self);
        // `validate` has shown that every value is known where it is used.
        let text = self.texts[id as usize].clone();
        text.unwrap_or_else(|| Text::atom(format!("v{id}")))
    }

    fn set(&mut self, id: Id, text: Text) {
        self.texts[id as usize] = Some(text);
        self.made.push(id);
    }

    fn pure(&mut self, op: &Op) -> Text {
        match *op {
            Op::Const(value) => Text {
                kind: Kind::Constant,
                ..Text::atom(number(value))
            },
            Op::Arg(n) => {
                self.mentioned[n as usize] = true;
                Text::atom(format!("a{n}"))
            }
            Op::Late(late) => {
                self.context = true;
                Text::atom(self.late(late))
            }
            Op::Bin(op, a, b) => self.bin(op, a, b),
            Op::Select(c, a, b) => {
                let (mut c, a, b) = (self.condition(c), self.wide(a), self.wide(b));
                if c.contains(' ') {
                    c = format!("({c})");
                }
                Text::word(format!("{c} ? {a} : {b}"))
            }
            Op::Extract { value, lo, bits } => {
                let value = self.wide(value);
                let mask = number(u64::MAX >> (64 - bits as u32));
                Text {
                    test: true,
                    ..Text::word(format!("({value} >> {lo}) & {mask}"))
                }
            }
            Op::Insert {
                into,
                value,
                lo,
                bits,
            } => {
                let (into, value) = (self.whole(into), self.whole(value));
                Text::atom(format!("put_bits({into}, {lo}, {bits}, {value})"))
            }
            Op::Swap(width, a) => Text::atom(format!("swap{}({})", width.bits(), self.whole(a))),
            Op::LowestBit(a) => Text::atom(format!("lowest_bit({})", self.whole(a))),
            Op::Ones(a) => Text::atom(format!("count_ones({})", self.whole(a))),
            _ => Text::atom(String::new()),
        }
    }

    fn late(&self, late: Late) -> String {
        let name = match late {
            Late::ArenaDma => "arena_dma",
            Late::PoolDma => "pool_dma",
            Late::Lane => "lane",
        };
        match self.exact() {
            true => format!("ctx->{name}"),
            false => name.into(),
        }
    }

    fn bin(&mut self, op: BinOp, a: Id, b: Id) -> Text {
        let known = match self.graph.nodes[b as usize] {
            Op::Const(value) => Some(value),
            _ => None,
        };
        let (sign, name) = signs(op);
        let partial = match op {
            BinOp::Div | BinOp::Rem => known.is_none_or(|c| c == 0),
            BinOp::Shl | BinOp::Shr => self.most[b as usize] > 63,
            BinOp::Min | BinOp::Max => true,
            _ => false,
        };
        // What C leaves undefined goes through a function, and so does what has no sign.
        if partial && (self.exact() || sign.is_empty()) {
            return Text::atom(format!("{name}({}, {})", self.whole(a), self.whole(b)));
        }
        let text = format!("{} {sign} {}", self.wide(a), self.operand(b));
        match op {
            BinOp::Eq | BinOp::Ne | BinOp::Lt | BinOp::Le => Text {
                kind: Kind::Truth,
                ..Text::word(text)
            },
            _ => Text {
                // Compilers suspect a slip of the pen in the other two.
                test: !matches!(op, BinOp::Mul | BinOp::Shl),
                ..Text::word(text)
            },
        }
    }
}

impl Pure for Texts<'_> {
    type Error = Infallible;

    fn done(&self, id: Id) -> bool {
        self.texts[id as usize].is_some()
    }

    fn visit(&mut self, id: Id, op: &Op) -> Result<(), Infallible> {
        let text = match self.notation {
            Notation::Forth => self.postfix(op),
            Notation::Plain | Notation::C => self.pure(op),
        };
        let simple = matches!(op, Op::Const(_) | Op::Arg(_) | Op::Late(_));
        if !simple && (self.uses[id as usize] > 1 || text.text.len() > LONGEST) {
            let text = self.number(text);
            self.named.push((id, text));
            self.set(id, Text::atom(format!("x{id}")));
        } else {
            self.set(id, text);
        }
        Ok(())
    }
}

fn signs(op: BinOp) -> (&'static str, &'static str) {
    match op {
        BinOp::Add => ("+", ""),
        BinOp::Sub => ("-", ""),
        BinOp::Mul => ("*", ""),
        BinOp::Div => ("/", "divide"),
        BinOp::Rem => ("%", "modulo"),
        BinOp::And => ("&", ""),
        BinOp::Or => ("|", ""),
        BinOp::Xor => ("^", ""),
        BinOp::Shl => ("<<", "shift_left"),
        BinOp::Shr => (">>", "shift_right"),
        BinOp::Eq => ("==", ""),
        BinOp::Ne => ("!=", ""),
        BinOp::Lt => ("<", ""),
        BinOp::Le => ("<=", ""),
        BinOp::Min => ("", "min"),
        BinOp::Max => ("", "max"),
    }
}

/// Small numbers in tens, the others in sixteens.
pub(super) fn number(value: u64) -> String {
    match value {
        0..=9 => format!("{value}"),
        _ => format!("{value:#x}"),
    }
}
