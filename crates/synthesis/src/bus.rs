//! What every rule can ask of the bus it stands on, and the built-in functions.

use crate::instance::Specialiser;
use crate::layout::ones;
use crate::value::{Buffer, Region, Register, Value};
use crate::{Error, Result};
use alloc::{format, string::String, vec::Vec};
use graph::{BinOp, Conduit, Op, WindowKind};
use machine::Device;
use rulebook::tree::{Argument, Expr, ExprKind, Name, Place};

/// The functions that every rule has.
pub(crate) const FUNCTIONS: &[&str] = &[
    "bar", "base", "region", "window", "caps", "has", "mem", "ports", "msr", "min", "max", "bits",
    "free", "busy", "drop", "measure", "firmware", "id", "restores", "known", "wire", "pool",
];

/// Nanoseconds that one `measure` may take: it stops everything.
const LONGEST_MEASURE: u64 = 20_000_000;

impl<'a> Specialiser<'a, '_> {
    pub fn is_builtin(&self, n: Name) -> bool {
        FUNCTIONS.contains(&self.text(n))
    }

    /// A name that neither rule nor class gives: a word of the bus, or a fact of device or machine.
    pub fn bus_name(&mut self, n: Name, _place: Place) -> Result<Option<Value<'a>>> {
        let text = self.text(n);
        let word = match text {
            "irq" => Some(Value::Irq),
            "none" => Some(Value::None),
            "true" => Some(Value::Num(self.constant(1))),
            "false" => Some(Value::Num(self.constant(0))),
            "random" => Some(Value::Random),
            "config" | "behind" => match self.fact_named("configuration") {
                Some(Value::Num(n)) => self.out.b.known(n.id).map(|own| {
                    let place = match text {
                        "behind" => behind(self.rules.subject.device, own),
                        _ => Some(own),
                    };
                    let region = |base| Region {
                        kind: WindowKind::Memory,
                        base,
                        size: 4096,
                        offset: None,
                        step: None,
                        big: false,
                    };
                    place.map_or(Value::None, |base| Value::Region(region(base)))
                }),
                _ => Some(Value::None),
            },
            "shape" => Some(Value::Text(shape(self.rules.subject.device))),
            "cpus" => {
                let cpus = self.cpus();
                Some(Value::Num(self.constant(cpus)))
            }
            "messages" => Some(Value::Num(
                self.constant(crate::messages::given(self.rules.subject.device)),
            )),
            "lane" => Some(Value::Num(self.lane())),
            "base" => Some(self.device_window(0)),
            "system" => Some(Value::Region(Region {
                kind: WindowKind::System,
                base: 0,
                size: u64::MAX,
                offset: None,
                step: None,
                big: false,
            })),
            "model" => Some(Value::Region(Region {
                kind: WindowKind::Model,
                base: 0,
                size: u64::MAX,
                offset: None,
                step: None,
                big: false,
            })),
            _ => None,
        };
        if word.is_some() {
            return Ok(word);
        }
        Ok(self.fact_named(text))
    }

    pub fn fact_named(&mut self, text: &str) -> Option<Value<'a>> {
        if let Some((_, n)) = self
            .rules
            .subject
            .given
            .iter()
            .find(|(name, _)| *name == text)
        {
            return Some(Value::Num(self.constant(*n)));
        }
        let subject = self.rules.subject;
        let value = subject
            .device
            .facts
            .iter()
            .find(|f| f.name == text)
            .map(|f| &f.value)
            .or_else(|| subject.machine.fact(text))?;
        Some(self.of_fact(value))
    }

    /// `cpu.x2apic`, `fadt.pm1a`: a fact with that name, or the last word as a fact of a device of that bus.
    pub fn dotted_fact(&mut self, first: Name, second: Name) -> Option<Value<'a>> {
        let from = self.entry.frames.last().map_or(0, |f| f.scope);
        if self.entry.scopes[from..].iter().any(|(n, _)| *n == first) {
            return None;
        }
        let (a, b) = (self.text(first), self.text(second));
        if let Some(v) = self.fact_named(&format!("{a}.{b}")) {
            return Some(v);
        }
        if a == self.rules.subject.device.bus {
            // A feature nobody reported is not there.
            return Some(
                self.fact_named(b)
                    .unwrap_or_else(|| Value::Num(self.constant(0))),
            );
        }
        None
    }

    fn device_window(&self, index: u64) -> Value<'a> {
        let found = self
            .rules
            .subject
            .device
            .windows
            .iter()
            .find(|w| w.index as u64 == index);
        match found {
            Some(w) => {
                let kind = match w.kind {
                    machine::WindowKind::Memory => WindowKind::Memory,
                    machine::WindowKind::Port => WindowKind::Port,
                };
                Value::Region(Region {
                    kind,
                    base: w.base,
                    size: w.size,
                    offset: None,
                    step: None,
                    big: false,
                })
            }
            None => Value::None,
        }
    }

    pub fn call(
        &mut self,
        callee: &'a Expr,
        arguments: &'a [Argument],
        place: Place,
    ) -> Result<Value<'a>> {
        match &callee.kind {
            ExprKind::Dot(base, name) => {
                let value = self.value(base)?;
                match value {
                    Value::Instance(i) => {
                        let values = self.values(arguments)?;
                        self.call_routine(i, *name, values, place)
                    }
                    Value::Buffer(b) => self.buffer_call(b, *name, arguments, place),
                    _ => Err(Error::new(
                        place,
                        format!("`{}` cannot be called here", self.text(*name)),
                        "call routines of parts, or before(n) and with(n) of a buffer",
                    )),
                }
            }
            ExprKind::Name(n) => {
                let here = self.here();
                match self.resolve(here, *n, place)? {
                    Value::Callable(i, name) => self.call_named(i, name, arguments, place),
                    _ if self.is_builtin(*n) => self.builtin(*n, arguments, place),
                    _ => Err(Error::new(
                        place,
                        format!("`{}` is nothing to call", self.text(*n)),
                        "call an op, a flow or a fact with parameters",
                    )),
                }
            }
            _ => Err(Error::new(
                place,
                "this is nothing to call",
                "name a routine",
            )),
        }
    }

    fn values(&mut self, arguments: &'a [Argument]) -> Result<Vec<Value<'a>>> {
        let mut values = Vec::new();
        for a in arguments {
            values.push(self.value(&a.value)?);
        }
        Ok(values)
    }

    /// A routine, or a fact with parameters.
    fn call_named(
        &mut self,
        i: usize,
        name: Name,
        arguments: &'a [Argument],
        place: Place,
    ) -> Result<Value<'a>> {
        use rulebook::tree::ItemKind;
        let fact = self.find_item(i, |k| matches!(k, ItemKind::Fact { name: n, parameters, value: Some(_), .. } if *n == name && !parameters.is_empty()));
        let values = self.values(arguments)?;
        let Some(item) = fact else {
            return self.call_routine(i, name, values, place);
        };
        let ItemKind::Fact {
            parameters,
            value: Some(value),
            ..
        } = &item.kind
        else {
            return Ok(Value::None);
        };
        if parameters.len() != values.len() {
            return Err(Error::new(
                place,
                format!("`{}` takes {} values", self.text(name), parameters.len()),
                "see its declaration",
            ));
        }
        // The same numbers give the same value, as long as no device is asked.
        let key: Option<Vec<u64>> = values.iter().map(|v| self.constant_of(v)).collect();
        let known = |(of, n, k, _): &&(_, _, Vec<u64>, _)| {
            (*of, *n) == (i, name) && key.as_ref().is_some_and(|key| key == k)
        };
        if let Some((.., v)) = self.rules.called.iter().find(known) {
            return Ok(v.clone());
        }
        self.enter(i, Vec::new());
        for (p, v) in parameters.iter().zip(values) {
            self.entry
                .scopes
                .push((*p, crate::instance::Binding::Value(v)));
        }
        let v = self.value(value);
        self.leave();
        let v = v?;
        let settled = match &v {
            Value::Copy(_, pieces) => pieces.iter().all(|p| self.out.b.known(p.id).is_some()),
            v => self.constant_of(v).is_some(),
        };
        if let (Some(key), true, true) = (key, settled, self.mode.keeps()) {
            self.rules.called.push((i, name, key, v.clone()));
        }
        Ok(v)
    }

    fn constant_of(&self, value: &Value<'a>) -> Option<u64> {
        match value {
            Value::Num(n) if !n.cut => self.out.b.known(n.id),
            _ => None,
        }
    }

    fn buffer_call(
        &mut self,
        b: Buffer<'a>,
        name: Name,
        arguments: &'a [Argument],
        place: Place,
    ) -> Result<Value<'a>> {
        let Some(first) = arguments.first() else {
            return Err(Error::new(
                place,
                "how many bytes?",
                "write before(n) or with(n)",
            ));
        };
        let n = self.exact_number(&first.value)?;
        let at = {
            let id = self.out.b.bin(BinOp::Sub, b.at.id, n.id);
            self.node(id, u32::MAX as u64)
        };
        match self.text(name) {
            "before" => Ok(Value::Bytes(Buffer {
                at,
                len: n,
                word: None,
                ..b
            })),
            "with" => {
                let len = self.sum(b.len, n);
                Ok(Value::Buffer(Buffer {
                    at,
                    len,
                    word: None,
                    ..b
                }))
            }
            other => Err(Error::new(
                place,
                format!("a buffer has no `{other}`"),
                "use before(n) or with(n)",
            )),
        }
    }

    fn builtin(&mut self, n: Name, arguments: &'a [Argument], place: Place) -> Result<Value<'a>> {
        let text = self.text(n);
        let wanted = match text {
            "min" | "max" | "busy" | "free" | "restores" | "pool" | "measure" => 2,
            "firmware" => 4,
            "ports" | "mem" => arguments.len().clamp(1, 2),
            _ => 1,
        };
        if arguments.len() < wanted {
            return Err(Error::new(
                place,
                format!("`{text}` takes {wanted} values"),
                "see docs/rules.md",
            ));
        }
        let first = &arguments[0].value;
        match text {
            "min" | "max" => {
                let a = self.exact_number(first)?;
                let b = self.exact_number(&arguments[1].value)?;
                let op = if text == "min" {
                    BinOp::Min
                } else {
                    BinOp::Max
                };
                let id = self.out.b.bin(op, a.id, b.id);
                let most = if text == "min" {
                    a.most.min(b.most)
                } else {
                    a.most.max(b.most)
                };
                Ok(Value::Num(self.node(id, most)))
            }
            "bits" => Ok(Value::SetBits(self.exact_number(first)?)),
            "pool" => {
                let at = self.exact_number(first)?;
                let len = self.exact_number(&arguments[1].value)?;
                Ok(Value::Buffer(Buffer {
                    space: graph::Space::Pool,
                    at,
                    len,
                    inward: false,
                    last: true,
                    ends: None,
                    word: None,
                }))
            }
            "busy" | "free" => {
                let (i, name) = self.slots_named(first)?;
                let k = self.exact_number(&arguments[1].value)?;
                Ok(Value::Num(if text == "busy" {
                    self.is_busy(i, name, k, place)?
                } else {
                    self.free(i, name, k, place)?
                }))
            }
            "known" => {
                let here = self.here();
                let known = match &first.kind {
                    ExprKind::Name(n) => {
                        matches!(self.resolve(here, *n, place), Ok(v) if !matches!(v, Value::Builtin | Value::None))
                    }
                    _ => matches!(self.value(first), Ok(v) if !matches!(v, Value::None)),
                };
                Ok(Value::Num(self.constant(known as u64)))
            }
            "wire" => {
                let n = self.exact_number(first)?;
                let at = self.decided(n.id).ok_or_else(|| {
                    Error::new(place, "`wire` needs a number that is known", "use a fact")
                })?;
                let at = usize::try_from(at).ok();
                let wire = at.and_then(|at| self.rules.subject.device.wires.get(at));
                let line = wire.map(|w| w.line);
                Ok(line.map_or(Value::None, |line| Value::Num(self.constant(line as u64))))
            }
            "drop" => {
                self.number(first)?;
                Ok(Value::None)
            }
            "measure" => self.measure(arguments, place),
            "restores" => self.restores(first, &arguments[1].value, place),
            "firmware" => self.firmware(arguments, place),
            "id" => {
                let cpu = self.rules.subject.machine.cpus.first().map(|c| c.id);
                let cpu = cpu.ok_or_else(|| {
                    Error::new(
                        place,
                        "the machine model has no processor",
                        "discover the machine first",
                    )
                })?;
                Ok(Value::Num(self.constant(cpu)))
            }
            _ => self.window_call(text, first, arguments, place),
        }
    }

    fn window_call(
        &mut self,
        text: &str,
        first: &'a Expr,
        arguments: &'a [Argument],
        place: Place,
    ) -> Result<Value<'a>> {
        if text == "window" {
            return self.capability_window(first, place);
        }
        let n = self.exact_number(first)?;
        let n = self.decided(n.id).ok_or_else(|| {
            Error::new(
                place,
                format!("`{text}` needs a number that is known"),
                "use a fact",
            )
        })?;
        let size = match arguments.get(1) {
            Some(a) => {
                let here = self.here();
                Some(self.fact_number(here, &a.value)?)
            }
            None => None,
        };
        Ok(match text {
            "bar" | "base" | "region" => self.device_window(n),
            "mem" => Value::Region(Region {
                kind: WindowKind::Memory,
                base: n,
                size: size.unwrap_or(4096),
                offset: None,
                step: None,
                big: false,
            }),
            "ports" => Value::Region(Region {
                kind: WindowKind::Port,
                base: n,
                size: size.unwrap_or(8),
                offset: None,
                step: None,
                big: false,
            }),
            "msr" => Value::Region(Region {
                kind: WindowKind::Model,
                base: n,
                size: u64::MAX,
                offset: None,
                step: None,
                big: false,
            }),
            "has" => {
                let found = capabilities(self.rules.subject.device, n).next().is_some();
                Value::Num(self.constant(found as u64))
            }
            _ => {
                let list = capabilities(self.rules.subject.device, n);
                Value::List(list.map(|at| Value::Num(self.constant(at))).collect())
            }
        })
    }

    /// `window(cap)`: the part of a BAR that a capability with members `bar`, `at` and `size` describes.
    fn capability_window(&mut self, e: &'a Expr, place: Place) -> Result<Value<'a>> {
        let no_window = || {
            Error::new(
                place,
                "`window` needs a capability that says which bar, at what, of what size",
                "give its record the members `bar`, `at` and `size`",
            )
        };
        let (layout, pieces) = match self.value(e)? {
            Value::Copy(layout, pieces) => (layout, pieces),
            // The device has no such capability.
            Value::None => return Ok(Value::None),
            _ => return Err(no_window()),
        };
        let mut part = [0u64; 3];
        for (slot, word) in part.iter_mut().zip(["bar", "at", "size"]) {
            let name = self.rules.subject.book.find(word).ok_or_else(no_window)?;
            let Value::Num(n) = self.member_of_copy(&layout, &pieces, name, place)? else {
                return Err(no_window());
            };
            *slot = self.decided(n.id).ok_or_else(no_window)?;
        }
        let Value::Region(bar) = self.device_window(part[0]) else {
            return Ok(Value::None);
        };
        if part[1]
            .checked_add(part[2])
            .is_none_or(|end| end > bar.size)
        {
            return Ok(Value::None);
        }
        Ok(Value::Region(Region {
            base: bar.base + part[1],
            size: part[2],
            ..bar
        }))
    }

    /// `first RECORD of caps(n) where test`
    pub fn first(
        &mut self,
        record: Name,
        list: &'a Expr,
        test: &'a Expr,
        place: Place,
    ) -> Result<Value<'a>> {
        let layout = self.record(self.here(), record, place)?;
        let Value::List(offsets) = self.value(list)? else {
            return Err(Error::new(
                list.place,
                "`first` looks through a list of capabilities",
                "use caps(n)",
            ));
        };
        for v in offsets {
            let unknown = || {
                Error::new(
                    list.place,
                    "`first` looks through a list of capabilities",
                    "use caps(n)",
                )
            };
            let Value::Num(n) = v else {
                return Err(unknown());
            };
            let at = self.decided(n.id).ok_or_else(unknown)? as usize;
            let bytes: Vec<u8> = self
                .rules
                .subject
                .device
                .config
                .iter()
                .skip(at)
                .take(layout.size as usize)
                .copied()
                .collect();
            let copy = self.copy_of_bytes(layout.clone(), &bytes);
            let Value::Copy(_, pieces) = &copy else {
                continue;
            };
            let scope = self.entry.scopes.len();
            for member in layout.members.iter().map(|(n, _)| *n).collect::<Vec<_>>() {
                let v = self.member_of_copy(&layout, pieces, member, place)?;
                self.entry
                    .scopes
                    .push((member, crate::instance::Binding::Value(v)));
            }
            let holds = self.exact_number(test);
            self.entry.scopes.truncate(scope);
            let holds = holds?;
            if self.out.b.known(holds.id).is_some_and(|v| v != 0) {
                return Ok(copy);
            }
        }
        Ok(Value::None)
    }

    /// The rate of a counter, against the clock found before: `measure(START, NOW, time)` of one that counts down from
    /// START, `measure(NOW, time)` of one that counts up for ever.
    fn measure(&mut self, arguments: &'a [Argument], place: Place) -> Result<Value<'a>> {
        if !self.is_live() {
            // What was learned stands in the facts: this value is compared with nothing (see `learn`), and any would do.
            self.mode.measure();
            return Ok(Value::Num(self.constant(0)));
        }
        let not_so = || {
            Error::new(
                place,
                "`measure` needs registers and a time",
                "write measure(START, NOW, 1 ms), or measure(NOW, 1 ms) for a counter that counts up",
            )
        };
        let (start, now, time) = match arguments {
            [start, now, time] => (Some(start), now, time),
            [now, time] => (None, now, time),
            _ => return Err(not_so()),
        };
        let start = match start.map(|start| self.value(&start.value)).transpose()? {
            Some(Value::Register(start)) => Some(start),
            None => None,
            Some(_) => return Err(not_so()),
        };
        let Value::Register(now) = self.value(&now.value)? else {
            return Err(not_so());
        };
        let ns = self.exact_number(&time.value)?;
        let Some(ns) = self.known_now(ns.id) else {
            self.told_unknown()?;
            return Err(not_so());
        };
        let ns = ns.min(LONGEST_MEASURE);
        let top = ones(now.item.bits);
        if let Some(start) = &start {
            let all = self.constant(top);
            self.write(start, Value::Num(all), place)?;
        }
        let before = self.clock_of_device();
        let first = match start {
            Some(_) => top,
            None => self.reading(&now)?,
        };
        if let Some(device) = self.mode.device() {
            device.pause(ns);
        }
        let last = self.reading(&now)?;
        let after = self.clock_of_device();
        let counted = match &start {
            Some(start) => {
                let zero = self.constant(0);
                self.write(start, Value::Num(zero), place)?;
                first.wrapping_sub(last) & top
            }
            None => last.wrapping_sub(first) & top,
        };
        let passed = after.saturating_sub(before);
        if counted == 0 || passed == 0 {
            return Err(Error::new(
                place,
                "the counter or the clock stood still while it was measured",
                "is the clock running?",
            ));
        }
        Ok(Value::Num(self.constant(
            (counted as u128 * 1_000_000_000 / passed as u128) as u64,
        )))
    }

    /// What a counter says now, in a live run.
    fn reading(&mut self, counter: &Register<'a>) -> Result<u64> {
        let n = self.read_one(counter)?;
        let counted = self.known_now(n.id);
        self.told_unknown()?;
        counted.ok_or_else(|| {
            Error::new(
                counter.place,
                "this counter is read in a first run only",
                "learn what it counts",
            )
        })
    }

    pub fn measured_now(&mut self) -> bool {
        self.mode.take_measured()
    }

    /// `restores(REG, value)`: writes, reads back, restores; 1 if the register kept the value. A probe of class *restore*.
    fn restores(&mut self, register: &'a Expr, value: &'a Expr, place: Place) -> Result<Value<'a>> {
        let Value::Register(r) = self.value(register)? else {
            return Err(Error::new(
                place,
                "`restores` needs a register",
                "write restores(REG, value)",
            ));
        };
        let value = self.exact_number(value)?;
        let old = self.read_one(&r)?;
        self.write(&r, Value::Num(value), place)?;
        let seen = self.read_one(&r)?;
        self.write(&r, Value::Num(old), place)?;
        let id = self.out.b.bin(BinOp::Eq, seen.id, value.id);
        Ok(Value::Num(self.node(id, 1)))
    }

    /// `firmware(conduit, function, a, b, c)`: a call by the SMC calling convention (Arm DEN 0028).
    fn firmware(&mut self, arguments: &'a [Argument], place: Place) -> Result<Value<'a>> {
        let conduit = match self.value(&arguments[0].value)? {
            Value::Text(t) if t == "hvc" => Conduit::Hvc,
            Value::Text(t) if t == "smc" => Conduit::Smc,
            _ => {
                return Err(Error::new(
                    place,
                    "the conduit is \"hvc\" or \"smc\"",
                    "use the fact that the firmware states",
                ))
            }
        };
        let zero = self.out.b.constant(0);
        let mut args = [zero; 4];
        for (slot, a) in args.iter_mut().zip(&arguments[1..]) {
            *slot = self.number(&a.value)?.id;
        }
        let id = if self.is_live() {
            let words = self.all_known_now(args);
            let answer = words.and_then(|words| Some(self.mode.touch()?.firmware(conduit, words)));
            self.told_unknown()?;
            let Some(answer) = answer else {
                return Err(Error::new(
                    place,
                    "no device answers this call",
                    "call firmware in `init` or in operations",
                ));
            };
            self.out.b.constant(answer)
        } else {
            self.out.b.step(Op::Firmware { conduit, args })
        };
        Ok(Value::Num(self.node(id, u64::MAX)))
    }
}

/// The device's windows in words: index, kind and size of each. No device that differs here has the same registers.
pub(crate) fn shape(device: &Device) -> String {
    let windows = device.windows.iter().map(|w| {
        let kind = match w.kind {
            machine::WindowKind::Memory => "memory",
            machine::WindowKind::Port => "ports",
        };
        format!("{} {kind} {}", w.index, w.size)
    });
    windows.collect::<Vec<String>>().join(", ")
}

/// Where the configuration space of the first function behind a bridge is mapped, if its own is at `own`: a bus has 1 MiB
/// (PCI Express 3.0, 7.2.2; numbers of the buses: PCI-to-PCI bridge 1.2, 3.2.5).
fn behind(device: &Device, own: u64) -> Option<u64> {
    // Without a configuration space it is no bridge, as where these bytes are 0.
    let byte = |at: usize| device.config.get(at).copied().unwrap_or(0);
    let (primary, secondary) = (byte(0x18), byte(0x19));
    let bridge = byte(0x0e) & 0x7f == 1 && secondary > primary;
    let distance = u64::from(secondary.checked_sub(primary)?) << 20;
    bridge.then_some((own & !0xf_ffff).checked_add(distance)?)
}

/// Offsets of the capabilities with this ID in the device's configuration space (PCI 3.0, 6.7).
pub(crate) fn capabilities(device: &Device, id: u64) -> impl Iterator<Item = u64> + '_ {
    // Without a configuration space there is no list, and 0 ends one.
    let byte = |at: usize| device.config.get(at).copied().unwrap_or(0);
    let first = match byte(0x06) & 0x10 {
        0 => 0,
        _ => byte(0x34) as usize & !3,
    };
    let list = core::iter::successors(Some(first), move |at| Some(byte(at + 1) as usize & !3));
    // A list that loops ends after as many steps as could fit.
    (list.take_while(|at| *at >= 0x40).take(48))
        .filter(move |at| u64::from(byte(*at)) == id)
        .map(|at| at as u64)
}
