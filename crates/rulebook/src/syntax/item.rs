//! Items: what a class or rule consists of.

use super::{
    expression::level,
    lexer::{Kind, Result},
    parser::Parser,
};
use crate::tree::{
    ArenaItem, Event, Field, Fields, Item, ItemKind, Parameter, Place, Routine, RoutineKind,
};
use alloc::{vec, vec::Vec};

impl Parser<'_, '_> {
    pub(super) fn item(&mut self, out: &mut Vec<Item>) -> Result<()> {
        let place = self.place();
        let Kind::Word(word) = self.look(0) else {
            return self.expected("an item, such as `reg`, `op` or `fact`");
        };
        self.step();
        let kind = match word {
            "match" => self.match_()?,
            "candidate" => self.candidate()?,
            "fact" => return self.facts(out),
            "space" => return self.spaces(out),
            "reg" => return self.regs(out),
            "bits" => ItemKind::Bits {
                name: self.name()?,
                fields: self.fields()?,
            },
            "record" => self.record()?,
            "arena" => return self.arena(place, out),
            "ring" => self.ring()?,
            "slots" => self.slots()?,
            "state" => return self.states(out),
            "use" => return self.uses(out),
            "part" => ItemKind::Part {
                name: self.name()?,
                parameters: self.parameter_names()?,
                items: self.block(Self::item)?,
            },
            "each" => self.each()?,
            "way" => self.way()?,
            "prefer" => {
                let mut names = vec![self.name()?];
                while self.take_sign(",") {
                    names.push(self.name()?);
                }
                ItemKind::Prefer(names)
            }
            "when" => self.when_items()?,
            "op" => return self.operations(out),
            "flow" => ItemKind::Routine(self.routine(RoutineKind::Flow)?),
            "init" => self.init()?,
            "up" => return self.upcalls(out),
            "event" => self.event()?,
            "recover" => {
                let mut names = vec![self.name()?];
                while self.take_sign(",") {
                    names.push(self.name()?);
                }
                ItemKind::Recover {
                    names,
                    body: self.body()?,
                }
            }
            "fail" => {
                let failure = self.name()?;
                self.want_word("when")?;
                let what = self.postfixed()?;
                self.want_word("rests")?;
                ItemKind::Watch {
                    failure,
                    what,
                    time: self.time()?,
                }
            }
            "gone" => {
                self.want_word("when")?;
                ItemKind::Gone(self.expr()?)
            }
            _ => {
                self.at -= 1;
                return self.expected("an item, such as `reg`, `op` or `fact`");
            }
        };
        out.push(Item { kind, place });
        Ok(())
    }

    /// Pushes an item, inside its trailing `when` if it has one.
    pub(super) fn guarded(
        &mut self,
        kind: ItemKind,
        place: Place,
        out: &mut Vec<Item>,
    ) -> Result<()> {
        let item = Item { kind, place };
        let place = self.place();
        if self.take_word("when") {
            let test = self.operators(level::OR)?;
            out.push(Item {
                kind: ItemKind::When {
                    test,
                    yes: vec![item],
                    no: Vec::new(),
                },
                place,
            });
        } else {
            out.push(item);
        }
        Ok(())
    }

    fn match_(&mut self) -> Result<ItemKind> {
        let test = self.expr()?;
        self.want_word("score")?;
        Ok(ItemKind::Match {
            test,
            score: self.small()?,
        })
    }

    fn candidate(&mut self) -> Result<ItemKind> {
        let window = self.postfixed()?;
        let mut more = Vec::new();
        while self.take_sign(",") {
            more.push(self.postfixed()?);
        }
        let line = if self.take_word("line") {
            Some(self.expr()?)
        } else {
            None
        };
        Ok(ItemKind::Candidate { window, more, line })
    }

    fn facts(&mut self, out: &mut Vec<Item>) -> Result<()> {
        loop {
            let place = self.place();
            let name = self.name()?;
            let mut parameters = self.parameter_names()?;
            if self.take_sign("[") {
                parameters.push(self.name()?);
                self.want_sign("]")?;
            }
            let kind = self.optional_type()?;
            let value = if self.take_sign("=") {
                Some(self.expr()?)
            } else {
                None
            };
            let tells = match self.take_word("tells") {
                true => Some((self.name()?, self.name()?)),
                false => None,
            };
            out.push(Item {
                kind: ItemKind::Fact {
                    name,
                    parameters,
                    kind,
                    value,
                    tells,
                },
                place,
            });
            if !self.take_sign(",") {
                return Ok(());
            }
        }
    }

    fn record(&mut self) -> Result<ItemKind> {
        let name = self.name()?;
        let big = self.endian();
        let size = if let Kind::Number(_) = self.look(0) {
            Some(self.small()?)
        } else {
            None
        };
        Ok(ItemKind::Record {
            name,
            big,
            size,
            fields: self.fields()?,
        })
    }

    fn arena(&mut self, place: Place, out: &mut Vec<Item>) -> Result<()> {
        let mut arena = ArenaItem {
            name: self.name()?,
            size: None,
            kind: None,
            fields: Vec::new(),
            align: None,
            step: None,
            circular: false,
            spill: None,
            reach: None,
            across: None,
            extent: None,
        };
        arena.kind = self.optional_type()?;
        if arena.kind.is_none() && !self.word("align") && !self.at_block() {
            arena.size = Some(self.primary()?);
        }
        loop {
            if self.take_word("circular") {
                arena.circular = true;
            } else if self.take_word("spill") {
                arena.spill = Some(self.primary()?);
            } else if self.take_word("align") {
                arena.align = Some(self.primary()?);
            } else if self.take_word("step") {
                arena.step = Some(self.operators(level::SUM)?);
            } else if self.take_word("for") {
                arena.extent = Some(self.extent()?);
            } else if self.take_word("reach") {
                arena.reach = Some(self.primary()?);
            } else if self.take_word("never") {
                self.want_word("across")?;
                arena.across = Some(self.primary()?);
            } else {
                break;
            }
        }
        let when = self.place();
        let test = if self.take_word("when") {
            Some(self.operators(level::OR)?)
        } else {
            None
        };
        if self.at_block() {
            arena.fields = self.block(|p, out| {
                if !p.take_sign(",") {
                    out.push(p.arena_member()?);
                    while p.take_sign(",") {
                        // A line may end in a comma.
                        if p.look(0) != Kind::Line {
                            out.push(p.arena_member()?);
                        }
                    }
                }
                Ok(())
            })?;
        }
        let item = Item {
            kind: ItemKind::Arena(arena),
            place,
        };
        out.push(match test {
            None => item,
            Some(test) => Item {
                kind: ItemKind::When {
                    test,
                    yes: vec![item],
                    no: Vec::new(),
                },
                place: when,
            },
        });
        Ok(())
    }

    /// `list: CELL[4] align 16 step 64`
    fn arena_member(&mut self) -> Result<Field> {
        let mut field = self.field()?;
        loop {
            if self.take_word("step") {
                field.step = Some(self.operators(level::SUM)?);
            } else if field.align.is_none() && self.take_word("align") {
                field.align = Some(self.primary()?);
            } else if field.extent.is_none() && self.take_word("for") {
                field.extent = Some(self.extent()?);
            } else {
                return Ok(field);
            }
        }
    }

    fn ring(&mut self) -> Result<ItemKind> {
        let name = self.name()?;
        let count = self.operators(level::SUM)?;
        self.want_word("of")?;
        let cells = self.postfixed()?;
        let (mut lent, mut back, mut link, mut full) = (None, None, None, false);
        loop {
            if self.take_word("lent") {
                lent = Some(self.primary()?);
            } else if self.take_word("back") {
                self.want_word("when")?;
                back = Some(self.operators(level::OR)?);
            } else if self.take_word("link") {
                link = Some(self.primary()?);
            } else if self.take_word("full") {
                full = true;
            } else {
                return Ok(ItemKind::Ring {
                    name,
                    count,
                    cells,
                    lent,
                    back,
                    link,
                    full,
                });
            }
        }
    }

    fn slots(&mut self) -> Result<ItemKind> {
        let name = self.name()?;
        let count = self.operators(level::SUM)?;
        let in_arena = self.take_word("in");
        if in_arena {
            self.want_word("arena")?;
        }
        let fields = if self.sign("{") {
            self.fields()?
        } else {
            Fields::default()
        };
        let align = if self.take_word("align") {
            Some(self.primary()?)
        } else {
            None
        };
        Ok(ItemKind::Slots {
            name,
            count,
            in_arena,
            fields,
            align,
        })
    }

    fn states(&mut self, out: &mut Vec<Item>) -> Result<()> {
        loop {
            let place = self.place();
            let name = self.name()?;
            self.want_sign(":")?;
            let kind = self.type_of()?;
            let wraps = self.take_word("wraps");
            let value = if self.take_sign("=") {
                Some(self.expr()?)
            } else {
                None
            };
            out.push(Item {
                kind: ItemKind::State {
                    name,
                    kind,
                    wraps,
                    value,
                },
                place,
            });
            if !self.take_sign(",") {
                return Ok(());
            }
        }
    }

    fn uses(&mut self, out: &mut Vec<Item>) -> Result<()> {
        loop {
            let place = self.place();
            let name = self.name()?;
            self.want_sign("=")?;
            let part = self.name()?;
            let arguments = if self.sign("(") {
                self.arguments()?
            } else {
                Vec::new()
            };
            let arguments = arguments
                .into_iter()
                .map(|argument| argument.value)
                .collect();
            self.guarded(
                ItemKind::Use {
                    name,
                    part,
                    arguments,
                },
                place,
                out,
            )?;
            if !self.take_sign(",") {
                return Ok(());
            }
        }
    }

    fn each(&mut self) -> Result<ItemKind> {
        let name = self.name()?;
        self.want_word("in")?;
        let set = self.set(level::OR)?;
        let filter = if self.take_word("where") {
            Some(self.name()?)
        } else {
            None
        };
        Ok(ItemKind::Each {
            name,
            set,
            filter,
            items: self.block(Self::item)?,
        })
    }

    fn way(&mut self) -> Result<ItemKind> {
        let name = self.name()?;
        let guard = if self.take_word("when") {
            Some(self.operators(level::OR)?)
        } else {
            None
        };
        Ok(ItemKind::Way {
            name,
            guard,
            items: self.block(Self::item)?,
        })
    }

    fn when_items(&mut self) -> Result<ItemKind> {
        let test = self.operators(level::OR)?;
        let yes = self.block(Self::item)?;
        let no = if self.take_else() {
            self.block(Self::item)?
        } else {
            Vec::new()
        };
        Ok(ItemKind::When { test, yes, no })
    }

    fn parameters(&mut self) -> Result<Vec<Parameter>> {
        let mut out = Vec::new();
        if self.take_sign("(") {
            while !self.sign(")") {
                let name = self.name()?;
                let kind = self.optional_type()?;
                let (mut least, mut most) = (None, None);
                while self.take_word("at") {
                    if self.take_word("least") {
                        least = Some(self.operators(level::JOIN)?);
                    } else {
                        self.want_word("most")?;
                        most = Some(self.operators(level::JOIN)?);
                    }
                }
                out.push(Parameter {
                    name,
                    kind,
                    least,
                    most,
                });
                if !self.take_sign(",") {
                    break;
                }
            }
            self.want_sign(")")?;
        }
        Ok(out)
    }

    fn operations(&mut self, out: &mut Vec<Item>) -> Result<()> {
        loop {
            let place = self.place();
            let routine = self.routine(RoutineKind::Op)?;
            let more = routine.body.is_none() && self.take_sign(",");
            out.push(Item {
                kind: ItemKind::Routine(routine),
                place,
            });
            if !more {
                return Ok(());
            }
        }
    }
    fn routine(&mut self, kind: RoutineKind) -> Result<Routine> {
        let name = self.name()?;
        let parameters = self.parameters()?;
        let returns = if self.take_sign("->") {
            Some(self.type_of()?)
        } else {
            None
        };
        let chunk = if self.take_word("in") {
            self.want_word("chunks")?;
            self.want_word("of")?;
            Some(self.expr()?)
        } else {
            None
        };
        let direct = self.take_word("direct");
        let optional = self.take_word("optional");
        let seldom = self.take_word("seldom");
        let guard = if self.take_word("when") {
            Some(self.operators(level::OR)?)
        } else {
            None
        };
        let body = if self.at_block() {
            Some(self.body()?)
        } else {
            None
        };
        Ok(Routine {
            kind,
            name,
            parameters,
            returns,
            chunk,
            direct,
            optional,
            seldom,
            guard,
            body,
        })
    }
    fn init(&mut self) -> Result<ItemKind> {
        let name = self.intern("init")?;
        let parameters = self.parameters()?;
        let body = Some(self.body()?);
        Ok(ItemKind::Routine(Routine {
            kind: RoutineKind::Flow,
            name,
            parameters,
            returns: None,
            chunk: None,
            direct: false,
            optional: false,
            seldom: false,
            guard: None,
            body,
        }))
    }

    fn upcalls(&mut self, out: &mut Vec<Item>) -> Result<()> {
        loop {
            let place = self.place();
            let name = self.name()?;
            let parameters = self.parameters()?;
            out.push(Item {
                kind: ItemKind::Upcall { name, parameters },
                place,
            });
            if !self.take_sign(",") {
                return Ok(());
            }
        }
    }

    fn event(&mut self) -> Result<ItemKind> {
        let mut part = None;
        let mut word = self.look(0);
        let mut name = self.name()?;
        if self.take_sign(".") {
            part = Some(name);
            word = self.look(0);
            name = self.name()?;
        }
        // Interrupts are told apart by a number; other events bring values.
        let selected = part.is_none() && matches!(word, Kind::Word("irq" | "line" | "message"));
        let (mut selector, mut parameters) = (None, Vec::new());
        if selected && self.take_sign("(") {
            selector = Some(self.expr()?);
            self.want_sign(")")?;
        } else {
            parameters = self.parameter_names()?;
        }
        let guard = if self.take_word("when") {
            Some(self.operators(level::OR)?)
        } else {
            None
        };
        Ok(ItemKind::Event(Event {
            part,
            name,
            selector,
            parameters,
            guard,
            body: self.body()?,
        }))
    }
}
