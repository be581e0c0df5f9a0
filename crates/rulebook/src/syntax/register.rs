//! Spaces and the registers in them.

use super::{
    expression::level,
    lexer::{Kind, Result},
    parser::Parser,
};
use crate::check::walk;
use crate::tree::{
    Expr, ExprKind, Item, ItemKind, Name, Pieces, RegItem, SpaceItem, TypeBase, Via,
};
use alloc::{boxed::Box, vec::Vec};

impl Parser<'_, '_> {
    pub(super) fn endian(&mut self) -> bool {
        self.byte_order().unwrap_or(false)
    }
    /// `be`, `le`, `native`: whether the highest byte is first, when it is said.
    fn byte_order(&mut self) -> Option<bool> {
        let big = self.word("be");
        let said = big || self.word("le") || self.word("native");
        if said {
            self.step();
        }
        said.then_some(big)
    }

    pub(super) fn spaces(&mut self, out: &mut Vec<Item>) -> Result<()> {
        loop {
            let place = self.place();
            let name = self.name()?;
            let index = self.index_name()?;
            let mut space = SpaceItem {
                name,
                index,
                big: None,
                value: None,
                step: None,
                via: None,
                bank: None,
                per_cpu: false,
            };
            if self.take_sign("=") {
                space.big = self.byte_order();
                space.value = Some(self.space_value()?);
                self.space_options(&mut space)?;
            }
            self.guarded(ItemKind::Space(space), place, out)?;
            if !self.take_sign(",") {
                return Ok(());
            }
        }
    }
    /// `A`, `A or B`, `A when c else le B`.
    fn space_value(&mut self) -> Result<Expr> {
        let place = self.place();
        let yes = self.operators(level::OR)?;
        let mut below = self.height;
        let save = self.at;
        if self.take_word("when") {
            let test = self.operators(level::OR)?;
            below = below.max(self.height);
            if self.take_word("else") {
                self.endian();
                let no = self.operators(level::OR)?;
                let kind = ExprKind::Choose {
                    stage: crate::tree::Stage::Fact,
                    test: Box::new(test),
                    yes: Box::new(yes),
                    no: Some(Box::new(no)),
                };
                let below = below.max(self.height);
                return self.grow(below, kind, place);
            }
            self.at = save;
        }
        Ok(yes)
    }
    fn space_options(&mut self, space: &mut SpaceItem) -> Result<()> {
        loop {
            if self.take_word("step") {
                space.step = Some(self.expr()?);
            } else if self.take_word("via") {
                let via = self.via()?;
                let at = self.intern("at")?;
                let mut numbered = false;
                walk::expr(&via.value, &mut |e| {
                    numbered |= e.kind == ExprKind::Name(at)
                });
                match numbered {
                    true => space.via = Some(via),
                    false => space.bank = Some(via),
                }
            } else if self.take_word("per") {
                self.want_word("cpu")?;
                space.per_cpu = true;
            } else {
                return Ok(());
            }
        }
    }
    fn via(&mut self) -> Result<Via> {
        let target = self.postfixed()?;
        self.want_sign("=")?;
        Ok(Via {
            target,
            // What follows may be `in SPACE`.
            value: self.operators(level::JOIN)?,
        })
    }
    /// `[q]`, when it is there.
    fn index_name(&mut self) -> Result<Option<Name>> {
        if !self.take_sign("[") {
            return Ok(None);
        }
        let name = self.name()?;
        self.want_sign("]")?;
        Ok(Some(name))
    }

    pub(super) fn regs(&mut self, out: &mut Vec<Item>) -> Result<()> {
        loop {
            let place = self.place();
            let mut reg = RegItem {
                name: self.name()?,
                count: None,
                index: None,
                at: None,
                bits: 0,
                effects: Default::default(),
                pieces: None,
                fields: None,
                fields_of: None,
                via: Vec::new(),
                over: Vec::new(),
                step: None,
                space: None,
                extent: None,
            };
            if self.sign("[") && matches!(self.look(1), Kind::Number(_)) {
                self.step();
                reg.count = Some(self.small()?);
                self.want_sign("]")?;
            } else {
                reg.index = self.index_name()?;
            }
            if !self.sign(":") {
                self.placed(&mut reg)?;
                return self.guarded(ItemKind::Reg(reg), place, out);
            }
            // A contract: the register, not its place.
            self.step();
            match self.type_of()?.base {
                TypeBase::Bits(bits) => reg.bits = bits,
                TypeBase::Named(name) => reg.fields_of = Some(name),
                _ => return self.expected("a width in bits or a `bits` type before this"),
            }
            out.push(Item {
                kind: ItemKind::Reg(reg),
                place,
            });
            if !self.take_sign(",") {
                return Ok(());
            }
        }
    }
    /// Offset, width and properties of a register.
    fn placed(&mut self, reg: &mut RegItem) -> Result<()> {
        reg.at = Some(match self.look(0) {
            Kind::Text(_) | Kind::Number(_) | Kind::Sign("(") => self.primary()?,
            _ => return self.expected("an offset"),
        });
        self.want_sign(":")?;
        reg.bits = self.small()?;
        loop {
            if matches!(
                self.look(0),
                Kind::Line | Kind::Dedent | Kind::End | Kind::Sign(";" | "}")
            ) || self.word("when")
            {
                return Ok(());
            }
            if self.take_sign(",") {
                continue;
            }
            if self.sign("{") {
                reg.fields = Some(self.fields()?);
            } else if self.take_word("via") {
                let via = self.via()?;
                reg.via.push(via);
            } else if self.take_word("step") {
                reg.step = Some(self.operators(level::SUM)?);
            } else if self.take_word("over") {
                reg.over.push(self.name()?);
            } else if self.take_word("in") {
                reg.space = Some(self.name()?);
            } else if self.take_word("as") {
                reg.pieces = Some(self.pieces()?);
            } else if self.take_word("for") {
                reg.extent = Some(self.extent()?);
            } else if let Some(bit) = self.effect() {
                reg.effects.0 |= bit;
            } else if let Kind::Word(_) = self.look(0) {
                reg.fields_of = Some(self.name()?);
            } else {
                return self.expected("a property of the register");
            }
        }
    }
    /// `2x32` after `as`.
    fn pieces(&mut self) -> Result<Pieces> {
        let (Kind::Number(_), Kind::Word(word)) = (self.look(0), self.look(1)) else {
            return self.expected("pieces, such as `2x32` or `4x8`");
        };
        let bits = (word.strip_prefix('x')).and_then(|digits| digits.parse().ok());
        let Some(bits) = bits else {
            return self.expected("pieces, such as `2x32` or `4x8`");
        };
        let count = self.small()?;
        self.step();
        Ok(Pieces { count, bits })
    }
}
