//! The cursor over the tokens, and what all parts of the grammar share: names, types, fields, blocks.

use super::expression::level;
use super::lexer::{problem, Kind, Result, Token};
use crate::{
    diagnostic::Diagnostic,
    tree::{
        Book, Class, Effects, Expr, Extent, Field, Fields, Name, Place, Rest, Rule, Type, TypeBase,
    },
};
use alloc::{collections::BTreeMap, format, string::String, string::ToString, vec::Vec};

/// How deep blocks, brackets and `else` may nest; far beyond what a person reads, far below what a stack holds.
const NESTING: u32 = 32;
/// How high the tree of one expression may grow.
const HEIGHT: u32 = 40;

/// Interned names, in order of first use.
#[derive(Default)]
pub struct Names {
    index: BTreeMap<String, u16>,
}

impl Names {
    fn intern(&mut self, text: &str) -> Option<Name> {
        if let Some(at) = self.index.get(text) {
            return Some(Name(*at));
        }
        let at = u16::try_from(self.index.len()).ok()?;
        self.index.insert(text.to_string(), at);
        Some(Name(at))
    }
    pub fn into_list(self) -> Vec<String> {
        let mut list: Vec<(u16, String)> = self.index.into_iter().map(|(t, n)| (n, t)).collect();
        list.sort();
        list.into_iter().map(|(_, text)| text).collect()
    }
}

pub struct Parser<'a, 'n> {
    tokens: Vec<Token<'a>>,
    pub(super) at: usize,
    file: u16,
    names: &'n mut Names,
    /// Complaints after which reading goes on.
    pub(super) problems: &'n mut Vec<Diagnostic>,
    nesting: u32,
    /// Height of the expression read last.
    pub(super) height: u32,
}

impl<'a, 'n> Parser<'a, 'n> {
    pub fn new(
        tokens: Vec<Token<'a>>,
        file: u16,
        names: &'n mut Names,
        problems: &'n mut Vec<Diagnostic>,
    ) -> Self {
        Parser {
            tokens,
            at: 0,
            file,
            names,
            problems,
            nesting: 0,
            height: 0,
        }
    }

    // ---- the cursor

    pub(super) fn look(&self, ahead: usize) -> Kind<'a> {
        self.tokens
            .get(self.at + ahead)
            .map_or(Kind::End, |token| token.kind)
    }
    pub(super) fn place(&self) -> Place {
        let token = self.tokens.get(self.at).or(self.tokens.last());
        token.map_or(
            Place {
                file: self.file,
                line: 1,
                column: 1,
            },
            |token| token.place,
        )
    }
    pub(super) fn before(&self) -> Kind<'a> {
        self.at
            .checked_sub(1)
            .and_then(|at| self.tokens.get(at))
            .map_or(Kind::End, |token| token.kind)
    }
    pub(super) fn step(&mut self) {
        self.at += 1;
    }
    pub(super) fn sign(&self, sign: &str) -> bool {
        matches!(self.look(0), Kind::Sign(s) if s == sign)
    }
    pub(super) fn word(&self, word: &str) -> bool {
        matches!(self.look(0), Kind::Word(w) if w == word)
    }
    pub(super) fn take_sign(&mut self, sign: &str) -> bool {
        let found = self.sign(sign);
        self.at += usize::from(found);
        found
    }
    pub(super) fn take_word(&mut self, word: &str) -> bool {
        let found = self.word(word);
        self.at += usize::from(found);
        found
    }
    pub(super) fn take(&mut self, kind: Kind) -> bool {
        let found = self.look(0) == kind;
        self.at += usize::from(found);
        found
    }
    pub(super) fn want_sign(&mut self, sign: &str) -> Result<()> {
        if self.take_sign(sign) {
            return Ok(());
        }
        self.expected(&format!("`{sign}`"))
    }
    pub(super) fn want_word(&mut self, word: &str) -> Result<()> {
        if self.take_word(word) {
            return Ok(());
        }
        self.expected(&format!("`{word}`"))
    }
    pub(super) fn found(&self) -> String {
        match self.look(0) {
            Kind::Number(n) => format!("{n}"),
            Kind::Text(t) => format!("\"{t}\""),
            Kind::Word(w) => format!("`{w}`"),
            Kind::Sign(s) => format!("`{s}`"),
            Kind::Line => "the end of the line".into(),
            Kind::Indent => "a deeper indentation".into(),
            Kind::Dedent => "the end of the block".into(),
            Kind::End => "the end of the file".into(),
        }
    }
    pub(super) fn expected<T>(&self, what: &str) -> Result<T> {
        let help = match self.look(0) {
            _ if what == "the end of the line" => "end the line before this".into(),
            Kind::Sign("=") => format!("`==` compares, `=` only stores; or write {what} here"),
            _ => format!("write {what} here"),
        };
        Err(problem(
            self.place(),
            format!("expected {what}, found {}", self.found()),
            help,
        ))
    }

    /// Runs `body` one level deeper, and refuses when that is too deep.
    pub(super) fn deeper<T>(&mut self, body: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.nesting >= NESTING {
            return Err(problem(
                self.place(),
                format!("nested more than {NESTING} deep"),
                "give the inner part a name with `let` or `flow`",
            ));
        }
        self.nesting += 1;
        let result = body(self);
        self.nesting -= 1;
        result
    }
    /// An expression made of others, the highest of which has height `below`.
    pub(super) fn grow(
        &mut self,
        below: u32,
        kind: crate::tree::ExprKind,
        place: Place,
    ) -> Result<Expr> {
        self.height = below + 1;
        if self.height > HEIGHT {
            return Err(problem(
                place,
                format!("the expression nests more than {HEIGHT} deep"),
                "give a part of it a name with `let`",
            ));
        }
        Ok(Expr { kind, place })
    }

    // ---- names, numbers, types

    pub(super) fn intern(&mut self, text: &str) -> Result<Name> {
        match self.names.intern(text) {
            Some(name) => Ok(name),
            None => Err(problem(
                self.place(),
                "more than 65535 different names",
                "split the rulebook",
            )),
        }
    }
    pub(super) fn name(&mut self) -> Result<Name> {
        let Kind::Word(word) = self.look(0) else {
            return self.expected("a name");
        };
        let name = self.intern(word)?;
        self.step();
        Ok(name)
    }
    pub(super) fn number(&mut self) -> Result<u64> {
        let Kind::Number(value) = self.look(0) else {
            return self.expected("a number");
        };
        self.step();
        Ok(value)
    }
    pub(super) fn small(&mut self) -> Result<u32> {
        let place = self.place();
        let value = self.number()?;
        u32::try_from(value).map_err(|_| {
            problem(
                place,
                format!("{value} is too large here"),
                "write a number below 2^32",
            )
        })
    }

    /// `16`, `dma64`, `be16`, `bool`, `RECORD`, each with optional `[count]`s.
    pub(super) fn type_of(&mut self) -> Result<Type> {
        let base = match self.look(0) {
            Kind::Number(_) => TypeBase::Bits(self.small()?),
            Kind::Word(word) => {
                let width = |prefix: &str| word.strip_prefix(prefix).and_then(|n| n.parse().ok());
                let name = self.name()?;
                match (word, width("dma"), width("be")) {
                    ("bool", ..) => TypeBase::Bool,
                    (_, Some(bits), _) => TypeBase::Dma(bits),
                    (_, _, Some(bits)) => TypeBase::Big(bits),
                    _ => TypeBase::Named(name),
                }
            }
            _ => return self.expected("a type: a number of bits, or a name"),
        };
        let mut dims = Vec::new();
        while self.take_sign("[") {
            dims.push(self.expr()?);
            self.want_sign("]")?;
        }
        Ok(Type { base, dims })
    }
    pub(super) fn optional_type(&mut self) -> Result<Option<Type>> {
        if self.take_sign(":") {
            return self.type_of().map(Some);
        }
        Ok(None)
    }

    // ---- fields

    /// The effect that the next word names, unless the word is the name of a field.
    pub(super) fn effect(&mut self) -> Option<u16> {
        let Kind::Word(word) = self.look(0) else {
            return None;
        };
        if matches!(self.look(1), Kind::Sign("@" | ":")) {
            return None;
        }
        let bit = match word {
            "rw" => 0,
            "ro" => Effects::RO,
            "wo" => Effects::WO,
            "w1c" => Effects::W1C,
            "w1s" => Effects::W1S,
            "rc" => Effects::RC,
            "pop" => Effects::POP,
            "sc" => Effects::SC,
            "doorbell" => Effects::DOORBELL,
            "pure" => Effects::PURE,
            "keep" => Effects::KEEP,
            _ => return None,
        };
        self.step();
        Some(bit)
    }

    /// `{ name@lo:type effects { sub } …; else 0 }`
    pub(super) fn fields(&mut self) -> Result<Fields> {
        self.want_sign("{")?;
        let fields = self.deeper(|p| {
            let mut fields = Fields::default();
            while !p.sign("}") {
                if p.take_sign(",") || p.take_sign(";") {
                    continue;
                }
                if p.take_word("else") {
                    fields.rest = p.rest()?;
                    continue;
                }
                fields.list.push(p.field()?);
                if p.word("step") && matches!(p.look(1), Kind::Number(_)) {
                    return Err(problem(
                        p.place(),
                        "here each element follows the one before, and none stands apart",
                        "say `step` of an array in an arena, or give unnamed room: `_:32`",
                    ));
                }
            }
            Ok(fields)
        })?;
        self.want_sign("}")?;
        Ok(fields)
    }
    fn rest(&mut self) -> Result<Rest> {
        let rest = match self.look(0) {
            Kind::Number(0) => Rest::Zero,
            Kind::Word("keep") => Rest::Keep,
            Kind::Word("any") => Rest::Any,
            _ => return self.expected("`0`, `keep` or `any`"),
        };
        self.step();
        Ok(rest)
    }
    pub(super) fn field(&mut self) -> Result<Field> {
        let place = self.place();
        let unnamed = self.word("_");
        let name = self.name()?;
        let at = if self.take_sign("@") {
            Some(self.small()?)
        } else {
            None
        };
        let kind = self.optional_type()?;
        let mut effects = Effects::default();
        while let Some(bit) = self.effect() {
            effects.0 |= bit;
        }
        let align = if self.option("align") {
            Some(self.expr()?)
        } else {
            None
        };
        let fields = if self.sign("{") {
            Some(self.fields()?)
        } else {
            None
        };
        let extent = if self.option("for") {
            Some(self.extent()?)
        } else {
            None
        };
        let name = if unnamed { None } else { Some(name) };
        Ok(Field {
            name,
            at,
            kind,
            effects,
            fields,
            align,
            step: None,
            extent,
            place,
        })
    }

    /// Takes `word` where it says more of a field, and is not the name of the next one.
    fn option(&mut self, word: &str) -> bool {
        !matches!(self.look(1), Kind::Sign("@" | ":")) && self.take_word(word)
    }

    /// What stands after `for` where a device address is stored: `told`, or how many bytes.
    pub(super) fn extent(&mut self) -> Result<Extent> {
        if self.take_word("told") {
            return Ok(Extent::Told);
        }
        // What follows may be `in SPACE`, or the next field.
        Ok(Extent::Bytes(self.operators(level::JOIN)?))
    }

    // ---- blocks

    /// `{ a; b }`, or the indented lines below.
    pub(super) fn block<T>(
        &mut self,
        mut one: impl FnMut(&mut Self, &mut Vec<T>) -> Result<()>,
    ) -> Result<Vec<T>> {
        self.deeper(|p| {
            let mut out = Vec::new();
            if p.take_sign("{") {
                while !p.sign("}") {
                    if p.take_sign(";") {
                        continue;
                    }
                    one(p, &mut out)?;
                    if !p.sign("}") && !p.take_sign(";") && p.before() != Kind::Sign("}") {
                        return p.expected("`;` or `}`");
                    }
                }
                p.step();
                return Ok(out);
            }
            if p.look(0) != Kind::Line || p.look(1) != Kind::Indent {
                return p.expected("a block: `{ … }`, or deeper lines below");
            }
            p.at += 2;
            while p.look(0) != Kind::Dedent {
                if p.take(Kind::Line) || p.take_sign(";") {
                    continue;
                }
                one(p, &mut out)?;
                let ended = matches!(p.look(0), Kind::Line | Kind::Dedent | Kind::Sign(";"))
                    || matches!(p.before(), Kind::Sign("}") | Kind::Line | Kind::Dedent);
                if !ended {
                    return p.expected("the end of the line");
                }
            }
            p.step();
            Ok(out)
        })
    }
    pub(super) fn at_block(&self) -> bool {
        self.sign("{") || (self.look(0) == Kind::Line && self.look(1) == Kind::Indent)
    }
    /// Whether `else` follows, possibly on the next line; if so, it is taken.
    pub(super) fn take_else(&mut self) -> bool {
        let save = self.at;
        while self.take(Kind::Line) || self.take_sign(";") {}
        if self.take_word("else") {
            return true;
        }
        self.at = save;
        false
    }

    // ---- the file

    pub fn file(mut self, book: &mut Book) -> Result<()> {
        loop {
            let place = self.place();
            match self.look(0) {
                Kind::End => return Ok(()),
                Kind::Line => self.step(),
                Kind::Word("class") => {
                    self.step();
                    let class = self.class(place)?;
                    book.classes.push(class);
                }
                Kind::Word("rule") => {
                    self.step();
                    let rule = self.rule(place)?;
                    book.rules.push(rule);
                }
                Kind::Word("order") => {
                    self.step();
                    self.order(place, book)?;
                }
                _ => return self.expected("`rule`, `class` or `order`"),
            }
        }
    }
    /// `order NAME, NAME, …`
    fn order(&mut self, place: Place, book: &mut Book) -> Result<()> {
        loop {
            book.order.push((self.name()?, place));
            if !self.take_sign(",") {
                return Ok(());
            }
        }
    }
    fn class(&mut self, place: Place) -> Result<Class> {
        let name = self.name()?;
        let direct = self.take_word("direct");
        let seldom = self.take_word("seldom");
        let missed = match self.take_word("missed") {
            true => Some(self.quoted()?),
            false => None,
        };
        let items = self.block(Self::item)?;
        Ok(Class {
            name,
            direct,
            seldom,
            missed,
            items,
            place,
        })
    }
    fn quoted(&mut self) -> Result<Name> {
        match self.look(0) {
            Kind::Text(text) => {
                self.step();
                self.intern(text)
            }
            _ => self.expected("a text in quotes"),
        }
    }
    fn rule(&mut self, place: Place) -> Result<Rule> {
        let name = self.name()?;
        let parameters = self.parameter_names()?;
        self.want_sign(":")?;
        let class = self.name()?;
        let each = if self.take_word("each") {
            Some(self.name()?)
        } else {
            None
        };
        let on = if self.take_word("on") {
            Some(self.name()?)
        } else {
            None
        };
        let items = self.block(Self::item)?;
        Ok(Rule {
            name,
            parameters,
            class,
            each,
            on,
            items,
            place,
        })
    }
    /// `(a, b)`, or nothing.
    pub(super) fn parameter_names(&mut self) -> Result<Vec<Name>> {
        let mut names = Vec::new();
        if self.take_sign("(") {
            while !self.sign(")") {
                names.push(self.name()?);
                if !self.take_sign(",") {
                    break;
                }
            }
            self.want_sign(")")?;
        }
        Ok(names)
    }
}
