//! Expressions, from loosest to tightest: `A when c else B`, or, and, comparisons, `++`, `|`, `^`, `&`, shifts, sums,
//! products, prefixes, `as` and `with`, and what follows a name.

use super::{
    lexer::{Kind, Result},
    parser::Parser,
};
use crate::tree::{Argument, BinaryOp, Expr, ExprKind, Member, Place, Stage, UnaryOp};
use alloc::{boxed::Box, vec::Vec};

/// How tightly the binary operators bind.
pub mod level {
    pub const OR: u8 = 1;
    pub const COMPARE: u8 = 3;
    pub const JOIN: u8 = 4;
    pub const SUM: u8 = 9;
}

fn binary(kind: Kind) -> Option<(BinaryOp, u8)> {
    use BinaryOp::*;
    Some(match kind {
        Kind::Word("or") => (Either, level::OR),
        Kind::Word("and") => (Both, 2),
        Kind::Sign("==") => (Eq, level::COMPARE),
        Kind::Sign("!=") => (Ne, level::COMPARE),
        Kind::Sign("<") => (Lt, level::COMPARE),
        Kind::Sign("<=") => (Le, level::COMPARE),
        Kind::Sign(">") => (Gt, level::COMPARE),
        Kind::Sign(">=") => (Ge, level::COMPARE),
        Kind::Sign("++") => (Join, level::JOIN),
        Kind::Sign("|") => (Or, 5),
        Kind::Sign("^") => (Xor, 6),
        Kind::Sign("&") => (And, 7),
        Kind::Sign("<<") => (Shl, 8),
        Kind::Sign(">>") => (Shr, 8),
        Kind::Sign("+") => (Add, level::SUM),
        Kind::Sign("-") => (Sub, level::SUM),
        Kind::Sign("*") => (Mul, 10),
        Kind::Sign("/") => (Div, 10),
        Kind::Sign("%") => (Rem, 10),
        _ => return None,
    })
}

fn unit(word: &str) -> Option<u64> {
    Some(match word {
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        _ => return None,
    })
}

impl Parser<'_, '_> {
    pub(super) fn expr(&mut self) -> Result<Expr> {
        self.deeper(|p| {
            let place = p.place();
            let yes = p.operators(level::OR)?;
            let mut height = p.height;
            let stage = match p.look(0) {
                Kind::Word("when") => Stage::Fact,
                Kind::Word("if") => Stage::Run,
                _ => return Ok(yes),
            };
            // Without `else` it is not ours: a guard on the statement.
            let save = p.at;
            p.step();
            let test = p.operators(level::OR)?;
            height = height.max(p.height);
            if !p.take_word("else") {
                p.at = save;
                return Ok(yes);
            }
            let no = p.expr()?;
            height = height.max(p.height);
            let kind = ExprKind::Choose {
                stage,
                test: Box::new(test),
                yes: Box::new(yes),
                no: Some(Box::new(no)),
            };
            p.grow(height, kind, place)
        })
    }

    /// An expression of operators that bind at least as tightly as `least`.
    pub(super) fn operators(&mut self, least: u8) -> Result<Expr> {
        let place = self.place();
        let mut left = self.prefixed()?;
        // Comparisons do not chain: after one, only looser operators may follow.
        let mut most = u8::MAX;
        loop {
            let below = self.height;
            if self.word("in") && level::COMPARE >= least && level::COMPARE <= most {
                self.step();
                let set = self.set(level::JOIN)?;
                let below = below.max(self.height);
                left = self.grow(below, ExprKind::In(Box::new(left), Box::new(set)), place)?;
                most = level::COMPARE - 1;
                continue;
            }
            let Some((operator, binds)) = binary(self.look(0)) else {
                return Ok(left);
            };
            if binds < least || binds > most {
                return Ok(left);
            }
            self.step();
            let right = self.deeper(|p| p.operators(binds + 1))?;
            let below = below.max(self.height);
            left = self.grow(
                below,
                ExprKind::Binary(operator, Box::new(left), Box::new(right)),
                place,
            )?;
            most = if binds == level::COMPARE {
                binds - 1
            } else {
                binds
            };
        }
    }

    /// `a` or `a..b`.
    pub(super) fn set(&mut self, least: u8) -> Result<Expr> {
        let place = self.place();
        let from = self.operators(least)?;
        if !self.take_sign("..") {
            return Ok(from);
        }
        let below = self.height;
        let to = self.operators(least)?;
        let below = below.max(self.height);
        self.grow(below, ExprKind::Range(Box::new(from), Box::new(to)), place)
    }

    pub(super) fn prefixed(&mut self) -> Result<Expr> {
        let place = self.place();
        let operator = match self.look(0) {
            Kind::Sign("!") => Some(UnaryOp::Not),
            Kind::Sign("~") => Some(UnaryOp::Invert),
            Kind::Sign("-") => Some(UnaryOp::Negate),
            _ => None,
        };
        if let Some(operator) = operator {
            self.step();
            let value = self.deeper(Self::prefixed)?;
            return self.grow(
                self.height,
                ExprKind::Unary(operator, Box::new(value)),
                place,
            );
        }
        if let Kind::Word(word) = self.look(0) {
            let named = matches!(self.look(1), Kind::Word(_));
            match word {
                "dma" if named || self.look(1) == Kind::Sign("(") => {
                    self.step();
                    let value = self.deeper(Self::prefixed)?;
                    return self.grow(self.height, ExprKind::Dma(Box::new(value)), place);
                }
                "take" | "lend" | "back" | "spread" | "first" | "those" if named => {
                    self.step();
                    return self.deeper(|p| p.worded(word, place));
                }
                _ => {}
            }
        }
        let mut value = self.postfixed()?;
        if self.take_word("as") {
            let record = self.name()?;
            value = self.grow(self.height, ExprKind::As(Box::new(value), record), place)?;
        }
        if self.word("with") && self.look(1) == Kind::Sign("{") {
            self.step();
            let below = self.height;
            let members = self.members()?;
            let below = below.max(self.height);
            value = self.grow(below, ExprKind::With(Box::new(value), members), place)?;
        }
        Ok(value)
    }

    /// The expressions that begin with a word of their own; the word has been taken.
    fn worded(&mut self, word: &str, place: Place) -> Result<Expr> {
        match word {
            "take" | "lend" => {
                let what = Box::new(self.postfixed()?);
                let mut below = self.height;
                let keep = self.keep()?.map(Box::new);
                below = below.max(self.height);
                let kind = if word == "take" {
                    ExprKind::Take { slots: what, keep }
                } else {
                    ExprKind::Lend { ring: what, keep }
                };
                self.grow(below, kind, place)
            }
            "back" => {
                let ring = self.postfixed()?;
                self.grow(self.height, ExprKind::Back(Box::new(ring)), place)
            }
            "first" => {
                let record = self.name()?;
                self.want_word("of")?;
                let list = Box::new(self.postfixed()?);
                let below = self.height;
                self.want_word("where")?;
                let test = Box::new(self.operators(level::OR)?);
                self.grow(
                    below.max(self.height),
                    ExprKind::First { record, list, test },
                    place,
                )
            }
            "those" => {
                let name = self.name()?;
                self.want_word("in")?;
                let set = Box::new(self.set(level::JOIN)?);
                let below = self.height;
                self.want_word("where")?;
                let test = Box::new(self.operators(level::OR)?);
                self.grow(
                    below.max(self.height),
                    ExprKind::Those { name, set, test },
                    place,
                )
            }
            _ => self.spread(place),
        }
    }
    /// `keep T`, when it is there.
    pub(super) fn keep(&mut self) -> Result<Option<Expr>> {
        if self.take_word("keep") {
            return self.deeper(Self::prefixed).map(Some);
        }
        self.height = 0;
        Ok(None)
    }
    fn spread(&mut self, place: Place) -> Result<Expr> {
        let data = Box::new(self.postfixed()?);
        let mut below = self.height;
        self.want_word("over")?;
        let cells = Box::new(self.postfixed()?);
        below = below.max(self.height);
        let (mut each, mut across, mut most) = (None, None, None);
        loop {
            let limit = if self.take_word("at") {
                self.want_word("most")?;
                &mut most
            } else if self.take_word("each") {
                &mut each
            } else if self.take_word("across") {
                &mut across
            } else {
                break;
            };
            *limit = Some(Box::new(self.primary()?));
            below = below.max(self.height);
        }
        self.want_word("as")?;
        let name = self.name()?;
        // `{ dma b }` is one value, `{ addr: dma b }` a record.
        let bare = self.sign("{")
            && matches!((self.look(1), self.look(2)), (Kind::Word(_), Kind::Word(_)));
        let cell = if bare {
            self.step();
            let value = self.expr()?;
            self.want_sign("}")?;
            value
        } else {
            let place = self.place();
            let members = self.members()?;
            self.grow(self.height, ExprKind::Literal(members), place)?
        };
        let kind = ExprKind::Spread {
            data,
            cells,
            each,
            across,
            most,
            name,
            cell: Box::new(cell),
        };
        self.grow(below.max(self.height), kind, place)
    }

    pub(super) fn postfixed(&mut self) -> Result<Expr> {
        let place = self.place();
        let mut value = self.primary()?;
        loop {
            let below = self.height;
            if self.take_sign(".") {
                let member = self.name()?;
                value = self.grow(below, ExprKind::Dot(Box::new(value), member), place)?;
            } else if self.take_sign("[") {
                let kind = self.indexed(value)?;
                value = self.grow(below.max(self.height), kind, place)?;
                self.want_sign("]")?;
            } else if self.sign("(") && matches!(value.kind, ExprKind::Name(_) | ExprKind::Dot(..))
            {
                let arguments = self.arguments()?;
                value = self.grow(
                    below.max(self.height),
                    ExprKind::Call(Box::new(value), arguments),
                    place,
                )?;
            } else {
                return Ok(value);
            }
        }
    }
    /// What stands between `[` and `]`.
    fn indexed(&mut self, value: Expr) -> Result<ExprKind> {
        let value = Box::new(value);
        let first = Box::new(self.expr()?);
        let below = self.height;
        let bits = self.take_sign("..");
        if !bits && !self.take_sign(":") {
            return Ok(ExprKind::Index(value, first));
        }
        let second = Box::new(self.expr()?);
        self.height = below.max(self.height);
        Ok(if bits {
            ExprKind::Bits(value, first, second)
        } else {
            ExprKind::Slice(value, first, second)
        })
    }
    pub(super) fn arguments(&mut self) -> Result<Vec<Argument>> {
        self.want_sign("(")?;
        let mut out = Vec::new();
        let mut below = 0;
        while !self.sign(")") {
            let named = matches!(
                (self.look(0), self.look(1)),
                (Kind::Word(_), Kind::Sign(":"))
            );
            let name = if named {
                let name = self.name()?;
                self.step();
                Some(name)
            } else {
                None
            };
            let value = self.expr()?;
            below = below.max(self.height);
            out.push(Argument { name, value });
            if !self.take_sign(",") {
                break;
            }
        }
        self.want_sign(")")?;
        self.height = below;
        Ok(out)
    }

    pub(super) fn primary(&mut self) -> Result<Expr> {
        let place = self.place();
        match self.look(0) {
            Kind::Number(value) => {
                self.step();
                let mut value = value;
                if let Kind::Word(word) = self.look(0) {
                    let field = matches!(self.look(1), Kind::Sign(":" | "@"));
                    if let (Some(factor), false) = (unit(word), field) {
                        self.step();
                        let Some(scaled) = value.checked_mul(factor) else {
                            return Err(super::lexer::problem(
                                place,
                                "this number does not fit into 64 bits",
                                "write a smaller one",
                            ));
                        };
                        value = scaled;
                    }
                }
                self.grow(0, ExprKind::Number(value), place)
            }
            Kind::Text(text) => {
                let name = self.intern(text)?;
                self.step();
                self.grow(0, ExprKind::Text(name), place)
            }
            Kind::Word(_) => {
                let name = self.name()?;
                self.grow(0, ExprKind::Name(name), place)
            }
            Kind::Sign("(") => {
                self.step();
                let value = self.expr()?;
                self.want_sign(")")?;
                Ok(value)
            }
            Kind::Sign("[") => self.list(place),
            Kind::Sign("{") => {
                let members = self.members()?;
                self.grow(self.height, ExprKind::Literal(members), place)
            }
            _ => self.expected("a value"),
        }
    }
    /// `[a, b]`
    fn list(&mut self, place: Place) -> Result<Expr> {
        self.want_sign("[")?;
        let (mut out, mut below) = (Vec::new(), 0);
        while !self.sign("]") {
            out.push(self.expr()?);
            below = below.max(self.height);
            if self.sign("..") {
                return Err(super::lexer::problem(
                    self.place(),
                    "a list names each of its members, and this is a range",
                    "write the range beside the list: `x in 1..5 or x in [7, 9]`",
                ));
            }
            if !self.take_sign(",") {
                break;
            }
        }
        self.want_sign("]")?;
        self.grow(below, ExprKind::List(out), place)
    }
    /// `{ name, a.b: value, 3 }`
    pub(super) fn members(&mut self) -> Result<Vec<Member>> {
        self.want_sign("{")?;
        let mut out = Vec::new();
        let mut below = 0;
        while !self.sign("}") {
            if self.take_sign(",") || self.take_sign(";") {
                continue;
            }
            let place = self.place();
            let mut path = Vec::new();
            let bare = matches!(self.look(0), Kind::Number(_) | Kind::Sign("("));
            if !bare {
                path.push(self.name()?);
                while self.take_sign(".") {
                    path.push(self.name()?);
                }
            }
            let value = if bare || self.take_sign(":") {
                let value = self.expr()?;
                below = below.max(self.height);
                Some(value)
            } else {
                None
            };
            out.push(Member { path, value, place });
        }
        self.step();
        self.height = below;
        Ok(out)
    }
}
