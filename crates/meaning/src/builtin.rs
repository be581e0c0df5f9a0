//! Words of the bus, facts of device and machine, and the functions that every rule has.

use crate::value::{Buffer, Id, Num, Region, Register, Value};
use crate::{refused, wrong, Meaning, Outside, Run};
use graph::{Conduit, Space, WindowKind};
use machine::Device;
use rulebook::tree::{Argument, Expr, ExprKind, ItemKind, Name, Place};

pub const FUNCTIONS: &[&str] = &[
    "bar", "base", "region", "window", "caps", "has", "mem", "ports", "msr", "min", "max", "bits",
    "free", "busy", "drop", "measure", "firmware", "id", "restores", "known", "wire", "pool",
];

impl<'a> Meaning<'a> {
    /// A name that neither rule nor class gives.
    pub(crate) fn bus_word(&mut self, io: &mut dyn Outside, n: Name) -> Run<Option<Value<'a>>> {
        let text = self.text(n);
        Ok(Some(match text {
            "irq" => Value::Irq,
            "none" => Value::None,
            "true" => Value::truth(true),
            "false" => Value::truth(false),
            "random" => Value::Random,
            "config" | "behind" => {
                let own = match self.fact("configuration") {
                    Some(Value::Num(n)) => u64::try_from(n.v).ok(),
                    _ => None,
                };
                let base = match text {
                    "behind" => own.and_then(|own| behind(self.subject.device, own)),
                    _ => own,
                };
                base.map_or(Value::None, |base| region(WindowKind::Memory, base, 4096))
            }
            "shape" => Value::Text(shape(self.subject.device)),
            "cpus" => Value::number(self.cpus()),
            "messages" => Value::number(self.messages()),
            "lane" => Value::number(self.lane(io)?),
            "base" => self.device_window(0),
            "system" => region(WindowKind::System, 0, u64::MAX),
            "model" => region(WindowKind::Model, 0, u64::MAX),
            _ => return Ok(self.fact(text)),
        }))
    }

    pub(crate) fn cpus(&self) -> u64 {
        match self.fact("cpus") {
            Some(Value::Num(n)) => u64::try_from(n.v).unwrap_or(1).clamp(1, 64),
            _ => 1,
        }
    }

    /// How many messages the installer gave the device.
    pub(crate) fn messages(&self) -> u64 {
        match self.subject.device.fact("messages") {
            Some(machine::Value::Number(n)) => (*n).min(abi::program::INTERRUPTS as u64),
            _ => 0,
        }
    }

    /// A fact that the installer, the device or the machine gives.
    fn fact(&self, text: &str) -> Option<Value<'a>> {
        let subject = self.subject;
        if let Some((_, n)) = subject.given.iter().find(|(name, _)| *name == text) {
            return Some(Value::number(*n));
        }
        let own = subject.device.facts.iter().find(|f| f.name == text);
        let value = own
            .map(|f| &f.value)
            .or_else(|| subject.machine.fact(text))?;
        Some(self.of_fact(value))
    }

    /// `cpu.x2apic`: a fact by its whole name, or its last word as one of a device of that bus; what nobody told of such
    /// a device it has not.
    pub(crate) fn dotted_fact(&self, first: Name, second: Name) -> Option<Value<'a>> {
        let (a, b) = (self.text(first), self.text(second));
        self.fact(&format!("{a}.{b}")).or_else(|| {
            let own = a == self.subject.device.bus;
            own.then(|| self.fact(b).unwrap_or(Value::number(0)))
        })
    }

    fn device_window(&self, index: u64) -> Value<'a> {
        let mut windows = self.subject.device.windows.iter();
        match windows.find(|w| u64::from(w.index) == index) {
            Some(w) => {
                let kind = match w.kind {
                    machine::WindowKind::Memory => WindowKind::Memory,
                    machine::WindowKind::Port => WindowKind::Port,
                };
                region(kind, w.base, w.size)
            }
            None => Value::None,
        }
    }

    pub(crate) fn call(
        &mut self,
        io: &mut dyn Outside,
        callee: &'a Expr,
        arguments: &'a [Argument],
        place: Place,
    ) -> Run<Value<'a>> {
        match &callee.kind {
            ExprKind::Dot(base, name) => match self.value(io, base)? {
                Value::Instance(i) => {
                    let values = self.values(io, arguments)?;
                    self.call_routine(io, i, *name, values, place)
                }
                Value::Buffer(b) => {
                    let b = Buffer { word: None, ..b };
                    let Some(first) = arguments.first() else {
                        return wrong(place, "how many bytes?");
                    };
                    let n = self.number(io, &first.value)?;
                    let n = self.small(n, place)?;
                    let Some(at) = b.at.checked_sub(n) else {
                        return wrong(place, format!("{n} bytes before {:#x}", b.at));
                    };
                    match self.text(*name) {
                        "before" => Ok(Value::Bytes(Buffer { at, len: n, ..b })),
                        "with" => Ok(Value::Buffer(Buffer {
                            at,
                            len: b.len + n,
                            ..b
                        })),
                        other => wrong(place, format!("a buffer has no `{other}`")),
                    }
                }
                _ => wrong(place, "this cannot be called"),
            },
            ExprKind::Name(n) => match self.resolve(io, self.here(), *n, place)? {
                Value::Callable(i, name) => self.call_named(io, i, name, arguments, place),
                _ if FUNCTIONS.contains(&self.text(*n)) => {
                    self.function(io, self.text(*n), arguments, place)
                }
                _ => wrong(place, format!("`{}` is nothing to call", self.text(*n))),
            },
            _ => wrong(place, "this is nothing to call"),
        }
    }

    fn values(&mut self, io: &mut dyn Outside, arguments: &'a [Argument]) -> Run<Vec<Value<'a>>> {
        let mut values = Vec::new();
        for argument in arguments {
            values.push(self.value(io, &argument.value)?);
        }
        Ok(values)
    }

    /// A routine, or a fact with parameters.
    fn call_named(
        &mut self,
        io: &mut dyn Outside,
        i: Id,
        name: Name,
        arguments: &'a [Argument],
        place: Place,
    ) -> Run<Value<'a>> {
        let values = self.values(io, arguments)?;
        let fact = self.find(io, i, |k| {
            matches!(k, ItemKind::Fact { name: n, parameters, value: Some(_), .. }
                if *n == name && !parameters.is_empty())
        });
        match fact.map(|item| &item.kind) {
            Some(ItemKind::Fact {
                parameters,
                value: Some(value),
                ..
            }) if parameters.len() == values.len() => {
                let locals = parameters.iter().copied().zip(values).collect();
                self.within(i, locals, |m| m.value(io, value))
            }
            Some(_) => wrong(place, "another number of values"),
            None => self.call_routine(io, i, name, values, place),
        }
    }

    fn function(
        &mut self,
        io: &mut dyn Outside,
        text: &str,
        arguments: &'a [Argument],
        place: Place,
    ) -> Run<Value<'a>> {
        let Some(first) = arguments.first().map(|a| &a.value) else {
            return wrong(place, format!("`{text}` takes values"));
        };
        let second = arguments.get(1).map(|a| &a.value);
        match (text, second) {
            ("known", _) => {
                let value = match &first.kind {
                    ExprKind::Name(n) => self.resolve(io, self.here(), *n, place),
                    _ => self.value(io, first),
                };
                let nothing = |v: &Value| matches!(v, Value::Builtin | Value::None);
                return Ok(Value::truth(value.is_ok_and(|v| !nothing(&v))));
            }
            ("measure", _) => return self.measure(io, arguments, place),
            ("restores", Some(value)) => return self.restores(io, first, value, place),
            ("firmware", _) => return self.firmware(io, arguments, place),
            ("window", _) => return self.capability_window(io, first, place),
            ("busy" | "free", Some(k)) => {
                let Value::Slots(i, name) = self.value(io, first)? else {
                    return wrong(place, "these are no slots");
                };
                let k = self.number(io, k)?;
                let k = self.small(k, place)?;
                return Ok(match text {
                    // Bits beyond the last are clear.
                    "busy" => {
                        let busy = self.busy_set(io, i, name, place)?;
                        Value::truth(k < 64 && busy >> k & 1 == 1)
                    }
                    _ => Value::number(self.free(io, i, name, k, place)?),
                });
            }
            _ => {}
        }
        let n = self.number(io, first)?;
        let m = match second {
            Some(e) => Some(self.number(io, e)?),
            None => None,
        };
        let small = self.small(n, place);
        let size = |default| match m {
            Some(m) => u64::try_from(m.v).unwrap_or(default),
            None => default,
        };
        Ok(match (text, m) {
            ("min", Some(m)) => Value::Num(Num {
                v: n.v.min(m.v),
                bits: None,
                open: false,
            }),
            ("max", Some(m)) => Value::Num(Num {
                v: n.v.max(m.v),
                bits: None,
                open: false,
            }),
            ("bits", _) => Value::Set(small?),
            ("pool", Some(_)) => Value::Buffer(Buffer {
                space: Space::Pool,
                at: small?,
                len: size(0),
                inward: false,
                last: true,
                word: None,
            }),
            ("wire", _) => {
                let wires = &self.subject.device.wires;
                let wire = usize::try_from(n.v).ok().and_then(|n| wires.get(n));
                wire.map_or(Value::None, |w| Value::number(w.line.into()))
            }
            ("drop", _) => Value::None,
            ("id", _) => {
                let cpu = self.subject.machine.cpus.first();
                Value::number(cpu.map_or(0, |c| c.id))
            }
            ("bar" | "base" | "region", _) => self.device_window(small?),
            ("mem", _) => region(WindowKind::Memory, small?, size(4096)),
            ("ports", _) => region(WindowKind::Port, small?, size(8)),
            ("msr", _) => region(WindowKind::Model, small?, u64::MAX),
            ("has", _) => Value::truth(!capabilities(self.subject.device, small?).is_empty()),
            ("caps", _) => {
                let list = capabilities(self.subject.device, small?);
                Value::List(list.into_iter().map(Value::number).collect())
            }
            _ => return wrong(place, format!("`{text}` takes more values")),
        })
    }

    /// `window(cap)`: the part of a BAR that a capability with the members `bar`, `at` and `size` describes.
    fn capability_window(
        &mut self,
        io: &mut dyn Outside,
        e: &'a Expr,
        place: Place,
    ) -> Run<Value<'a>> {
        let Value::Copy(layout, bytes) = self.value(io, e)? else {
            return Ok(Value::None);
        };
        let mut part = [0; 3];
        for (word, text) in part.iter_mut().zip(["bar", "at", "size"]) {
            let Some(name) = self.named(text) else {
                return Ok(Value::None);
            };
            let value = self.copied(&layout, &bytes, name, place)?;
            let n = self.number_of(io, value, None, place)?;
            *word = self.small(n, place)?;
        }
        let [bar, at, size] = part;
        Ok(match self.device_window(bar) {
            Value::Region(bar) if at.checked_add(size).is_some_and(|end| end <= bar.size) => {
                region(bar.kind, bar.base + at, size)
            }
            _ => Value::None,
        })
    }

    /// `first RECORD of caps(n) where test`
    pub(crate) fn first_of(
        &mut self,
        io: &mut dyn Outside,
        record: Name,
        list: &'a Expr,
        test: &'a Expr,
        place: Place,
    ) -> Run<Value<'a>> {
        let layout = self.record(io, self.here(), record, place)?;
        let list_value = self.value(io, list)?;
        for at in self.numbers(io, list_value, list.place)? {
            let config = self.subject.device.config.iter();
            let bytes = config.skip(at as usize).take(layout.size as usize);
            let mut bytes: Vec<u8> = bytes.copied().collect();
            bytes.resize(layout.size as usize, 0);
            let holds = self.scoped(|m| {
                for (member, ..) in &layout.members {
                    let value = m.copied(&layout, &bytes, *member, place)?;
                    m.bind(*member, value);
                }
                m.condition(io, test)
            })?;
            if holds {
                return Ok(Value::Copy(layout, bytes));
            }
        }
        Ok(Value::None)
    }

    fn register_of(&mut self, io: &mut dyn Outside, e: &'a Expr) -> Run<Register<'a>> {
        match self.value(io, e)? {
            Value::Register(r) => Ok(r),
            _ => wrong(e.place, "a register is needed here"),
        }
    }

    /// The rate of a counter against the clock. It is found in the first run, and not measured again.
    fn measure(
        &mut self,
        io: &mut dyn Outside,
        arguments: &'a [Argument],
        place: Place,
    ) -> Run<Value<'a>> {
        if !self.first {
            self.measured = true;
            return Ok(Value::number(0));
        }
        let (start, now, time) = match arguments {
            [start, now, time] => (Some(&start.value), &now.value, &time.value),
            [now, time] => (None, &now.value, &time.value),
            _ => return wrong(place, "`measure` takes registers and a time"),
        };
        let start = match start {
            Some(e) => Some(self.register_of(io, e)?),
            None => None,
        };
        let now = self.register_of(io, now)?;
        let ns = self.number(io, time)?;
        let ns = self.small(ns, place)?.min(20_000_000);
        let top = crate::value::ones(now.item.bits);
        if let Some(start) = &start {
            self.write(io, start, Value::number(top), place)?;
        }
        let before = io.clock();
        let first = match start {
            Some(_) => top,
            None => self.read_one(io, &now)?.v as u64,
        };
        io.pause(ns);
        let last = self.read_one(io, &now)?.v as u64;
        let after = io.clock();
        if let Some(start) = &start {
            self.write(io, start, Value::number(0), place)?;
        }
        let counted = match start {
            Some(_) => first.wrapping_sub(last) & top,
            None => last.wrapping_sub(first) & top,
        };
        match after.saturating_sub(before) {
            0 => wrong(place, "the clock stood still"),
            _ if counted == 0 => wrong(place, "the counter stood still"),
            passed => Ok(Value::number(
                (u128::from(counted) * 1_000_000_000 / u128::from(passed)) as u64,
            )),
        }
    }

    fn restores(
        &mut self,
        io: &mut dyn Outside,
        register: &'a Expr,
        value: &'a Expr,
        place: Place,
    ) -> Run<Value<'a>> {
        let r = self.register_of(io, register)?;
        let value = self.number(io, value)?;
        let old = self.read_one(io, &r)?;
        self.write(io, &r, Value::Num(value), place)?;
        let seen = self.read_one(io, &r)?;
        self.write(io, &r, Value::Num(old), place)?;
        Ok(Value::truth(seen.v == value.v))
    }

    /// `firmware(conduit, function, a, b, c)`, by the SMC calling convention (Arm DEN 0028).
    fn firmware(
        &mut self,
        io: &mut dyn Outside,
        arguments: &'a [Argument],
        place: Place,
    ) -> Run<Value<'a>> {
        let conduit = match self.value(io, &arguments[0].value)? {
            Value::Text(t) if t == "hvc" => Conduit::Hvc,
            Value::Text(t) if t == "smc" => Conduit::Smc,
            _ => return refused(place, "a conduit that is neither \"hvc\" nor \"smc\""),
        };
        let mut words = [0; 4];
        for (word, argument) in words.iter_mut().zip(&arguments[1..]) {
            let n = self.number(io, &argument.value)?;
            *word = self.fit(n, 64, place)?;
        }
        Ok(Value::number(io.firmware(conduit, words)))
    }
}

fn region<'a>(kind: WindowKind, base: u64, size: u64) -> Value<'a> {
    Value::Region(Region {
        kind,
        base,
        size,
        offset: 0,
        step: 1,
        big: false,
    })
}

/// The device's windows in words: index, kind and size of each.
fn shape(device: &Device) -> String {
    let windows = device.windows.iter().map(|w| {
        let kind = match w.kind {
            machine::WindowKind::Memory => "memory",
            machine::WindowKind::Port => "ports",
        };
        format!("{} {kind} {}", w.index, w.size)
    });
    windows.collect::<Vec<_>>().join(", ")
}

/// The configuration space of the first function behind a bridge, if its own is at `own` (PCI Express 3.0, 7.2.2;
/// PCI-to-PCI bridge 1.2, 3.2.5).
fn behind(device: &Device, own: u64) -> Option<u64> {
    let byte = |at: usize| device.config.get(at).copied().unwrap_or(0);
    let (primary, secondary) = (byte(0x18), byte(0x19));
    let bridge = byte(0x0e) & 0x7f == 1 && secondary > primary;
    let distance = u64::from(secondary.checked_sub(primary)?) << 20;
    bridge.then(|| (own & !0xf_ffff) + distance)
}

/// Where the capabilities with this ID stand (PCI 3.0, 6.7).
fn capabilities(device: &Device, id: u64) -> Vec<u64> {
    let byte = |at: usize| device.config.get(at).copied().unwrap_or(0);
    let (mut found, mut at) = (Vec::new(), usize::from(byte(0x34)) & !3);
    if byte(0x06) & 0x10 == 0 {
        return found;
    }
    for _ in 0..48 {
        if at < 0x40 {
            break;
        }
        if u64::from(byte(at)) == id {
            found.push(at as u64);
        }
        at = usize::from(byte(at + 1)) & !3;
    }
    found
}
