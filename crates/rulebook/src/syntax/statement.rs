//! Statements: the bodies of operations, flows, events and recoveries.

use super::{
    expression::level,
    lexer::{Kind, Result},
    parser::Parser,
};
use crate::{
    diagnostic::Diagnostic,
    tree::{BinaryOp, Expr, ExprKind, Otherwise, Place, Stmt, StmtKind},
};
use alloc::{boxed::Box, vec, vec::Vec};

impl Parser<'_, '_> {
    pub(super) fn body(&mut self) -> Result<Vec<Stmt>> {
        self.block(Self::statement)
    }

    /// One statement with its trailing `when`.
    pub(super) fn statement(&mut self, out: &mut Vec<Stmt>) -> Result<()> {
        let statement = self.plain()?;
        let place = self.place();
        let guarded = !matches!(
            statement.kind,
            StmtKind::When { .. }
                | StmtKind::If { .. }
                | StmtKind::For { .. }
                | StmtKind::While { .. }
                | StmtKind::Then(_)
                | StmtKind::Quirk { .. }
                | StmtKind::Gone(_)
        ) && self.take_word("when");
        if guarded {
            let test = self.expr()?;
            out.push(Stmt {
                kind: StmtKind::When {
                    test,
                    yes: vec![statement],
                    no: Vec::new(),
                },
                place,
            });
        } else {
            out.push(statement);
        }
        Ok(())
    }

    /// One statement without a trailing `when`.
    fn plain(&mut self) -> Result<Stmt> {
        let place = self.place();
        if let Kind::Word(word) = self.look(0) {
            let save = self.at;
            if self.is_keyword(word) {
                self.step();
                if let Some(kind) = self.keyword(word, place)? {
                    return Ok(Stmt { kind, place });
                }
                self.at = save;
            }
        }
        let target = self.expr()?;
        let operator = match self.look(0) {
            Kind::Sign("=") => None,
            Kind::Sign("+=") => Some(BinaryOp::Add),
            Kind::Sign("-=") => Some(BinaryOp::Sub),
            Kind::Sign("|=") => Some(BinaryOp::Or),
            Kind::Sign("&=") => Some(BinaryOp::And),
            _ => {
                let otherwise = self.otherwise()?;
                return Ok(Stmt {
                    kind: StmtKind::Do {
                        call: target,
                        otherwise,
                    },
                    place,
                });
            }
        };
        self.step();
        let value = self.expr()?;
        let otherwise = self.otherwise()?;
        Ok(Stmt {
            kind: StmtKind::Assign {
                target,
                operator,
                value,
                otherwise,
            },
            place,
        })
    }

    /// Whether `word` at the cursor begins a statement of its own, and is not the name of something.
    fn is_keyword(&self, word: &str) -> bool {
        match self.look(1) {
            Kind::Sign("=" | "." | "[" | "+=" | "-=" | "|=" | "&=") => false,
            // These may also be flows of the rule, or functions.
            Kind::Sign("(") => !matches!(
                word,
                "busy" | "reset" | "stop" | "claim" | "start" | "publish" | "acquire" | "tell"
            ),
            _ => true,
        }
    }

    /// The statement after the keyword `word`; none when it is no keyword.
    fn keyword(&mut self, word: &str, place: Place) -> Result<Option<StmtKind>> {
        Ok(Some(match word {
            "let" => self.let_()?,
            "learn" => {
                let mut learned = Vec::new();
                loop {
                    let target = self.postfixed()?;
                    self.want_sign("=")?;
                    learned.push((target, self.expr()?));
                    if !self.take_sign(",") {
                        break;
                    }
                }
                StmtKind::Learn(learned)
            }
            "if" | "when" => self.choice(word)?,
            "for" => self.for_()?,
            "while" => {
                let test = self.expr()?;
                let most = match self.at_most()? {
                    Some(most) => most,
                    None => self.unbounded(
                        place,
                        "this loop has no bound",
                        "end the line with `at most N`",
                    ),
                };
                StmtKind::While {
                    test,
                    most,
                    body: self.body()?,
                }
            }
            "await" => {
                let test = self.expr()?;
                let within = if self.take_word("within") {
                    self.time()?
                } else {
                    self.unbounded(
                        place,
                        "this wait has no bound",
                        "say how long: `await … within 10 ms else fail dead`",
                    )
                };
                StmtKind::Await {
                    test,
                    within,
                    otherwise: self.otherwise()?,
                }
            }
            "pause" => StmtKind::Pause(self.time()?),
            "check" => {
                let test = self.expr()?;
                self.want_word("else")?;
                StmtKind::Check {
                    test,
                    otherwise: Box::new(self.deeper(Self::plain)?),
                }
            }
            "fail" => StmtKind::Fail(self.name()?),
            "return" => {
                let ended = matches!(
                    self.look(0),
                    Kind::Line | Kind::Dedent | Kind::End | Kind::Sign("}" | ";")
                ) || self.word("when");
                StmtKind::Return(if ended { None } else { Some(self.expr()?) })
            }
            "stop" => StmtKind::Stop,
            "busy" => StmtKind::Busy,
            "reset" => StmtKind::Reset,
            "start" => StmtKind::Start(self.expr()?),
            "up" => {
                let name = self.name()?;
                let arguments = if self.sign("(") {
                    self.arguments()?
                } else {
                    Vec::new()
                };
                StmtKind::Up {
                    name,
                    arguments: arguments
                        .into_iter()
                        .map(|argument| argument.value)
                        .collect(),
                }
            }
            "publish" => StmtKind::Publish(self.postfixed()?),
            "acquire" => StmtKind::Acquire(self.postfixed()?),
            "tell" => {
                let bytes = self.expr()?;
                self.want_word("of")?;
                StmtKind::Tell {
                    bytes,
                    of: self.postfixed()?,
                }
            }
            "fence" => StmtKind::Fence,
            "claim" => StmtKind::Claim(self.expr()?),
            "gone" => {
                self.want_word("when")?;
                StmtKind::Gone(self.expr()?)
            }
            "quirk" => {
                let name = self.name()?;
                self.want_word("when")?;
                StmtKind::Quirk {
                    name,
                    test: self.expr()?,
                    body: self.body()?,
                }
            }
            "then" => StmtKind::Then(self.body()?),
            "lend" => {
                let ring = self.postfixed()?;
                let cell = if self.take_sign("=") {
                    Some(self.expr()?)
                } else {
                    None
                };
                let keep = self.keep()?;
                StmtKind::Lend {
                    ring,
                    cell,
                    keep,
                    otherwise: self.otherwise()?,
                }
            }
            "attach" | "detach" => {
                let child = self.postfixed()?;
                if word == "detach" {
                    StmtKind::Detach(child)
                } else {
                    let facts = if self.sign("{") {
                        self.members()?
                    } else {
                        Vec::new()
                    };
                    StmtKind::Attach { child, facts }
                }
            }
            _ => return Ok(None),
        }))
    }

    fn let_(&mut self) -> Result<StmtKind> {
        let mut bindings = Vec::new();
        loop {
            let name = self.name()?;
            self.want_sign("=")?;
            bindings.push((name, self.expr()?));
            if !self.take_sign(",") {
                break;
            }
        }
        Ok(StmtKind::Let {
            bindings,
            otherwise: self.otherwise()?,
        })
    }

    fn choice(&mut self, word: &str) -> Result<StmtKind> {
        let test = self.expr()?;
        let yes = self.body()?;
        let mut no = Vec::new();
        if self.take_else() {
            let place = self.place();
            no = match self.look(0) {
                Kind::Word(next @ ("if" | "when")) => {
                    self.step();
                    let kind = self.deeper(|p| p.choice(next))?;
                    vec![Stmt { kind, place }]
                }
                _ => self.body()?,
            };
        }
        Ok(if word == "if" {
            StmtKind::If { test, yes, no }
        } else {
            StmtKind::When { test, yes, no }
        })
    }

    fn for_(&mut self) -> Result<StmtKind> {
        let mut names = vec![self.name()?];
        while self.take_sign(",") {
            names.push(self.name()?);
        }
        self.want_word("in")?;
        let set = self.set(level::OR)?;
        let most = self.at_most()?;
        Ok(StmtKind::For {
            names,
            set,
            most,
            body: self.body()?,
        })
    }

    fn at_most(&mut self) -> Result<Option<Expr>> {
        if !self.take_word("at") {
            return Ok(None);
        }
        self.want_word("most")?;
        self.expr().map(Some)
    }

    /// `else busy`, when it is there.
    pub(super) fn otherwise(&mut self) -> Result<Otherwise> {
        if self.take_word("else") {
            return Ok(Some(Box::new(self.deeper(Self::plain)?)));
        }
        Ok(None)
    }

    /// A time; a bare number must have a unit.
    pub(super) fn time(&mut self) -> Result<Expr> {
        let value = self.expr()?;
        let bare = matches!(value.kind, ExprKind::Number(1..));
        if bare && !matches!(self.before(), Kind::Word("ns" | "us" | "ms" | "s")) {
            self.problems.push(Diagnostic::new(
                value.place,
                "this time has no unit",
                "write `ns`, `us`, `ms` or `s` behind it",
            ));
        }
        Ok(value)
    }

    /// Complains of a missing bound and reads on as if it were 0.
    fn unbounded(&mut self, place: Place, reason: &str, suggestion: &str) -> Expr {
        self.problems
            .push(Diagnostic::new(place, reason, suggestion));
        Expr {
            kind: ExprKind::Number(0),
            place,
        }
    }
}
