//! From the tokens of a SystemRDL file to its tree (SystemRDL 2.0, annex B).

use super::expression::expression;
use super::tree::{Definition, Expr, Instance, Item, Kind, Of, Part};
use crate::rule_new::tokens::{Token, Tokens};
use anyhow::{bail, Result};
use std::rc::Rc;

/// How deep components may nest.
pub const NESTING: usize = 16;

/// Reads a whole file, as the body of a component around it.
///
/// # Errors
/// With line and column.
pub fn file(text: &str) -> Result<Definition> {
    let mut parser = Parser {
        tokens: Tokens::read(text)?,
        depth: 0,
    };
    let mut items = Vec::new();
    while *parser.tokens.look() != Token::End {
        parser.item(&mut items)?;
    }
    Ok(Definition {
        kind: Kind::Addrmap,
        name: None,
        parameters: Vec::new(),
        items,
    })
}

struct Parser {
    tokens: Tokens,
    depth: usize,
}

type Items = Vec<(Item, (u32, u32))>;

pub fn kind_of(word: &str) -> Option<Kind> {
    Some(match word {
        "field" => Kind::Field,
        "reg" => Kind::Reg,
        "regfile" => Kind::Regfile,
        "addrmap" => Kind::Addrmap,
        "mem" => Kind::Mem,
        "signal" => Kind::Signal,
        _ => return None,
    })
}

impl Parser {
    fn item(&mut self, into: &mut Items) -> Result<()> {
        let place = self.tokens.place();
        if self.tokens.take(";") {
            return Ok(());
        }
        let word = self.tokens.word("a component or a property is expected")?;
        let item = match word.as_str() {
            "default" => self.property(true)?,
            "external" | "internal" => return self.item(into),
            "alias" => {
                let primary = self.tokens.word("the name of a register is expected")?;
                let of = self.tokens.word("a component is expected")?;
                return match kind_of(&of) {
                    Some(kind) => self.definition(kind, Some(primary), into),
                    None => self.instances(|| Of::Named(of.clone()), Some(primary), into),
                };
            }
            "enum" => self.enumeration()?,
            "property" => {
                let name = self.tokens.word("the name of a property is expected")?;
                self.block()?;
                Item::Declare(name)
            }
            "abstract" | "struct" | "constraint" => {
                while !self.tokens.sign("{") {
                    self.tokens.word_or(":")?;
                }
                self.block()?;
                // A constraint may be instantiated at once.
                while !self.tokens.sign(";") {
                    self.tokens.word_or(",")?;
                }
                self.tokens.want(";")?;
                return Ok(());
            }
            "posedge" | "negedge" | "bothedge" | "level" | "nonsticky"
                if matches!(self.tokens.look(), Token::Word(_)) =>
            {
                self.property(false)?
            }
            other => match kind_of(other) {
                Some(kind) => return self.definition(kind, None, into),
                None => return self.named(word, into),
            },
        };
        if !matches!(item, Item::Property { .. }) {
            self.tokens.want(";")?;
        }
        into.push((item, place));
        Ok(())
    }

    /// What begins with a word that is none of the language: an instance, a property or an assignment.
    fn named(&mut self, word: String, into: &mut Items) -> Result<()> {
        let place = self.tokens.place();
        if matches!(self.tokens.look(), Token::Word(_)) || self.tokens.sign("#") {
            return self.instances(|| Of::Named(word.clone()), None, into);
        }
        let item = if self.tokens.sign(".") || self.tokens.sign("[") || self.tokens.sign("->") {
            let path = path(&mut self.tokens, word, &mut 0)?;
            self.tokens.want("->")?;
            let name = self.tokens.word("a property is expected")?;
            let value = self.value()?;
            Item::Assign { path, name, value }
        } else {
            let value = self.value()?;
            let (default, name) = (false, word);
            Item::Property {
                default,
                name,
                value,
            }
        };
        into.push((item, place));
        Ok(())
    }

    fn property(&mut self, default: bool) -> Result<Item> {
        let mut name = self.tokens.word("a property is expected")?;
        if let Token::Word(next) = self.tokens.look().clone() {
            // `posedge intr`
            self.tokens.step();
            name = next;
        }
        let value = self.value()?;
        Ok(Item::Property {
            default,
            name,
            value,
        })
    }

    /// `= value ;`, or `;` for a flag.
    fn value(&mut self) -> Result<Option<Expr>> {
        let value = match self.tokens.take("=") {
            true => Some(expression(&mut self.tokens)?),
            false => None,
        };
        self.tokens.want(";")?;
        Ok(value)
    }

    /// Goes over `{ … }`.
    fn block(&mut self) -> Result<()> {
        self.tokens.want("{")?;
        let mut open = 1u32;
        while open > 0 {
            match self.tokens.look() {
                Token::End => return self.tokens.wrong("`}` is missing".into()),
                Token::Sign("{" | "'{") => open += 1,
                Token::Sign("}") => open -= 1,
                _ => {}
            }
            self.tokens.step();
        }
        Ok(())
    }

    fn enumeration(&mut self) -> Result<Item> {
        let name = self.tokens.word("the name of an enumeration is expected")?;
        self.tokens.want("{")?;
        let mut members = Vec::new();
        while !self.tokens.take("}") {
            let member = self.tokens.word("the name of a value is expected")?;
            let value = match self.tokens.take("=") {
                true => Some(expression(&mut self.tokens)?),
                false => None,
            };
            if self.tokens.sign("{") {
                self.block()?;
            }
            self.tokens.want(";")?;
            members.push((member, value));
        }
        Ok(Item::Enumeration(name, members))
    }

    /// `reg NAME { … }`, `reg { … } instance`, or both at once.
    fn definition(&mut self, kind: Kind, alias: Option<String>, into: &mut Items) -> Result<()> {
        let place = self.tokens.place();
        if self.depth >= NESTING {
            return self
                .tokens
                .wrong(format!("components nest more than {NESTING} deep"));
        }
        let name = match self.tokens.look() {
            Token::Word(_) => Some(self.tokens.word("a name is expected")?),
            _ => None,
        };
        let parameters = self.parameters()?;
        self.tokens.want("{")?;
        self.depth += 1;
        let mut items = Vec::new();
        while !self.tokens.take("}") {
            if *self.tokens.look() == Token::End {
                return self.tokens.wrong("`}` is missing".into());
            }
            self.item(&mut items)?;
        }
        self.depth -= 1;
        let definition = Rc::new(Definition {
            kind,
            name: name.clone(),
            parameters,
            items,
        });
        if name.is_some() {
            into.push((Item::Define(definition.clone()), place));
        }
        if self.tokens.take(";") {
            return Ok(());
        }
        if matches!(self.tokens.look(), Token::Word(w) if w == "external" || w == "internal") {
            self.tokens.step();
        }
        self.instances(|| Of::Defined(definition.clone()), alias, into)
    }

    /// `#(longint unsigned N = 4, …)` of a definition.
    fn parameters(&mut self) -> Result<Vec<(String, Option<Expr>)>> {
        let mut all = Vec::new();
        if !self.tokens.take("#") {
            return Ok(all);
        }
        self.tokens.want("(")?;
        loop {
            let mut name = self.tokens.word("the type of a parameter is expected")?;
            while matches!(self.tokens.look(), Token::Word(_)) {
                name = self.tokens.word("a parameter is expected")?;
            }
            if self.tokens.take("[") {
                self.tokens.want("]")?;
            }
            let value = match self.tokens.take("=") {
                true => Some(expression(&mut self.tokens)?),
                false => None,
            };
            all.push((name, value));
            if !self.tokens.take(",") {
                break;
            }
        }
        self.tokens.want(")")?;
        Ok(all)
    }

    /// `#(.N(8), …)` of instances.
    fn arguments(&mut self) -> Result<Vec<(String, Expr)>> {
        let mut all = Vec::new();
        if !self.tokens.take("#") {
            return Ok(all);
        }
        self.tokens.want("(")?;
        loop {
            self.tokens.want(".")?;
            let name = self.tokens.word("a parameter is expected")?;
            self.tokens.want("(")?;
            all.push((name, expression(&mut self.tokens)?));
            self.tokens.want(")")?;
            if !self.tokens.take(",") {
                break;
            }
        }
        self.tokens.want(")")?;
        Ok(all)
    }

    fn instances(
        &mut self,
        of: impl Fn() -> Of,
        alias: Option<String>,
        into: &mut Items,
    ) -> Result<()> {
        let arguments = Rc::new(self.arguments()?);
        loop {
            let place = self.tokens.place();
            let mut instance = Instance {
                of: of(),
                arguments: arguments.clone(),
                alias: alias.clone(),
                name: self.tokens.word("the name of an instance is expected")?,
                dimensions: Vec::new(),
                range: None,
                reset: None,
                at: None,
                step: None,
                align: None,
            };
            self.behind(&mut instance)?;
            into.push((Item::Instance(Box::new(instance)), place));
            if self.tokens.take(";") {
                return Ok(());
            }
            if !self.tokens.take(",") {
                let signs = "`;`, `,`, `@`, `+=`, `%=` or `=` is expected";
                return self.tokens.wrong(signs.into());
            }
        }
    }

    /// Dimensions, reset value and address of an instance.
    fn behind(&mut self, instance: &mut Instance) -> Result<()> {
        while self.tokens.take("[") {
            let first = expression(&mut self.tokens)?;
            if self.tokens.take(":") {
                instance.range = Some((first, expression(&mut self.tokens)?));
            } else {
                instance.dimensions.push(first);
            }
            self.tokens.want("]")?;
            if instance.dimensions.len() > NESTING {
                bail!("{}: too many dimensions", instance.name);
            }
        }
        loop {
            let slot = if self.tokens.take("=") {
                &mut instance.reset
            } else if self.tokens.take("@") {
                &mut instance.at
            } else if self.tokens.take("+=") {
                &mut instance.step
            } else if self.tokens.take("%=") {
                &mut instance.align
            } else {
                return Ok(());
            };
            *slot = Some(expression(&mut self.tokens)?);
        }
    }
}

/// `a[1].b`, of which the first word is taken already.
///
/// # Errors
/// With line and column.
pub fn path(tokens: &mut Tokens, first: String, size: &mut usize) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    let mut name = first;
    loop {
        let mut indices = Vec::new();
        while tokens.take("[") {
            *size += super::expression::NEST;
            indices.push(super::expression::inner(tokens, 0, size)?);
            tokens.want("]")?;
        }
        parts.push(Part { name, indices });
        if !tokens.take(".") {
            return Ok(parts);
        }
        name = tokens.word("a name is expected")?;
    }
}
