//! The device and the memory of a script.

use crate::script::{Answer, Line, Named, Script};
use graph::{Access, Conduit, Fence, Late, Residual, Space, Width, Window, WindowKind};
use std::collections::BTreeMap;
use std::fmt::Write;
use synthesis::LiveAccess;

pub const ARENA_DMA: u64 = 0x10_0000;
pub const POOL_DMA: u64 = 0x20_0000;
pub const POOL_SIZE: usize = 0x1_0000;
/// Room for the first run, whose sizes are not known yet.
const ROOM: usize = 0x1_0000;

#[derive(Clone)]
pub struct World {
    pub answers: Vec<Answer>,
    pub windows: Vec<Window>,
    upcalls: Vec<String>,
    /// Bytes of each window, where nothing else is answered.
    pub device: Vec<Vec<u8>>,
    pub state: Vec<u8>,
    pub arena: Vec<u8>,
    pub pool: Vec<u8>,
    pub time: u64,
    pub lane: u64,
    /// Processor registers, by window and number.
    registers: BTreeMap<(u8, u64), u64>,
    trace: String,
    said: Vec<(u64, [u64; 4])>,
    /// Arena and pool as they were when the outside could last see them.
    seen: [Vec<u8>; 2],
}

impl World {
    pub fn new(script: &Script) -> World {
        World {
            answers: script.answers.clone(),
            windows: Vec::new(),
            upcalls: Vec::new(),
            device: Vec::new(),
            state: vec![0; ROOM],
            arena: vec![0; ROOM],
            pool: vec![0; POOL_SIZE],
            time: 1_000_000,
            lane: 0,
            registers: BTreeMap::new(),
            trace: String::new(),
            said: Vec::new(),
            seen: [Vec::new(), Vec::new()],
        }
    }

    pub fn of(script: &Script, residual: &Residual) -> World {
        let bytes = |w: &Window| match w.kind {
            WindowKind::Memory | WindowKind::Port => vec![0; w.size.min(1 << 16) as usize],
            _ => Vec::new(),
        };
        World {
            device: residual.windows.iter().map(bytes).collect(),
            windows: residual.windows.clone(),
            upcalls: residual.upcalls.clone(),
            state: vec![0; residual.state_size as usize],
            arena: vec![0; residual.arena_size as usize],
            ..World::new(script)
        }
    }

    /// What happened since this was asked last.
    pub fn told(&mut self) -> String {
        self.look();
        self.said.clear();
        std::mem::take(&mut self.trace)
    }

    /// The upcalls since then.
    pub fn said(&mut self) -> Vec<(u64, [u64; 4])> {
        self.look();
        self.trace.clear();
        std::mem::take(&mut self.said)
    }

    pub fn same(&self, other: &World) -> bool {
        (&self.device, &self.state, &self.arena, &self.pool)
            == (&other.device, &other.state, &other.arena, &other.pool)
    }

    pub fn carry(&mut self, line: &Line) {
        if let Line::Lane(lane) = line {
            self.lane = *lane;
        }
        if let Line::Device {
            space,
            at,
            width,
            values,
        } = line
        {
            for (k, value) in values.iter().enumerate() {
                let at = at + k as u64 * u64::from(width.bytes());
                put(self.space(space.1), at, *width, *value);
            }
            // What the device stored is no news of the driver's.
            self.look();
            self.trace.clear();
        }
    }

    pub fn bytes(&mut self, space: Named, at: u64, length: u64) -> String {
        let bytes = self.space(space.1);
        let shown = bytes.iter().skip(at as usize).take(length as usize);
        let shown: Vec<String> = shown.map(|b| format!("{b:02x}")).collect();
        shown.join(" ")
    }

    fn space(&mut self, space: Space) -> &mut Vec<u8> {
        match space {
            Space::State => &mut self.state,
            Space::Arena => &mut self.arena,
            Space::Pool => &mut self.pool,
        }
    }

    pub fn answer(&mut self, which: u64, words: [u64; 4]) {
        self.said.push((which, words));
    }

    fn note(&mut self, text: &str) {
        self.look();
        writeln!(self.trace, "  {text}").unwrap();
    }

    /// What the driver changed in arena and pool since the outside could last see them: in how many stores, and in which
    /// order, nobody sees.
    fn look(&mut self) {
        for (k, name) in ["arena", "pool"].into_iter().enumerate() {
            let now = [&self.arena, &self.pool][k];
            let before = &mut self.seen[k];
            if before == now {
                continue;
            }
            before.resize(now.len(), 0);
            let mut at = 0;
            while at < now.len() {
                let changed = (at..now.len()).take_while(|k| before[*k] != now[*k]);
                let length = changed.count();
                if length > 0 {
                    let bytes = now[at..at + length].iter().map(|b| format!("{b:02x}"));
                    let bytes = bytes.collect::<Vec<_>>().join(" ");
                    writeln!(self.trace, "  {name}[{at:#x}] = {bytes}").unwrap();
                }
                at += length.max(1);
            }
            before.clone_from(now);
        }
    }

    fn place(&self, window: u8, at: u64, width: Width) -> String {
        let name = self
            .windows
            .get(usize::from(window))
            .map_or("?", |w| &w.name);
        format!("{} {name}[{at:#x}]", width.bits())
    }
}

fn get(bytes: &[u8], at: u64, width: Width) -> u64 {
    let mut word = [0; 8];
    let length = width.bytes() as usize;
    if let Some(found) = bytes.get(at as usize..at as usize + length) {
        word[..length].copy_from_slice(found);
    }
    u64::from_le_bytes(word)
}

fn put(bytes: &mut [u8], at: u64, width: Width, value: u64) {
    let length = width.bytes() as usize;
    if let Some(place) = bytes.get_mut(at as usize..at as usize + length) {
        place.copy_from_slice(&value.to_le_bytes()[..length]);
    }
}

impl Access for World {
    fn read(&mut self, window: u8, at: u64, width: Width) -> u64 {
        let (base, kind) = match self.windows.get(usize::from(window)) {
            Some(w) => (w.base, w.kind),
            None => (0, WindowKind::Memory),
        };
        let port = kind == WindowKind::Port;
        let mut answers = self.answers.iter_mut();
        let answer = answers.find(|a| a.address == base.wrapping_add(at) && a.port == port);
        let value = match answer {
            Some(answer) if answer.values.len() > 1 => answer.values.remove(0),
            Some(answer) => answer.values.first().copied().unwrap_or(0),
            None if matches!(kind, WindowKind::Memory | WindowKind::Port) => {
                get(&self.device[usize::from(window)], at, width)
            }
            None => self.registers.get(&(window, at)).copied().unwrap_or(0),
        } & width.mask();
        let place = self.place(window, at, width);
        self.note(&format!("read  {place} gives {value:#x}"));
        value
    }
    fn write(&mut self, window: u8, at: u64, width: Width, value: u64) {
        let value = value & width.mask();
        let place = self.place(window, at, width);
        self.note(&format!("write {place} = {value:#x}"));
        match self.device.get_mut(usize::from(window)) {
            Some(bytes) if !bytes.is_empty() => put(bytes, at, width, value),
            _ => drop(self.registers.insert((window, at), value)),
        }
    }
    fn pool_size(&self) -> Option<u64> {
        Some(self.pool.len() as u64)
    }
    fn load(&mut self, space: Space, at: u64, width: Width) -> u64 {
        get(self.space(space), at, width)
    }
    fn store(&mut self, space: Space, at: u64, width: Width, value: u64) {
        put(self.space(space), at, width, value)
    }
    fn fence(&mut self, fence: Fence) {
        self.note(&format!("{fence:?}").to_lowercase());
    }
    fn late(&mut self, late: Late) -> u64 {
        match late {
            Late::ArenaDma => ARENA_DMA,
            Late::PoolDma => POOL_DMA,
            Late::Lane => self.lane,
        }
    }
    fn clock(&mut self) -> u64 {
        self.time += 100;
        self.time
    }
    fn pause(&mut self, ns: u64) {
        self.note(&format!("pause {ns} ns"));
        self.time = self.time.saturating_add(ns);
    }
    fn up(&mut self, which: u8, args: &[u64]) -> u64 {
        let name = self
            .upcalls
            .get(usize::from(which))
            .cloned()
            .unwrap_or_default();
        let shown: Vec<String> = args.iter().map(|w| format!("{w:#x}")).collect();
        self.note(&format!("up {name}({})", shown.join(", ")));
        let mut words = [0; 4];
        words[..args.len()].copy_from_slice(args);
        self.answer(u64::from(which), words);
        0
    }
    fn firmware(&mut self, conduit: Conduit, args: [u64; 4]) -> u64 {
        self.note(&format!("firmware {conduit:?} {args:x?}"));
        0
    }
}

impl LiveAccess for World {
    fn open(&mut self, index: u8, window: &Window) -> bool {
        let index = usize::from(index);
        self.windows.truncate(index);
        self.windows.push(window.clone());
        let bytes = match window.kind {
            WindowKind::Memory | WindowKind::Port => window.size.min(1 << 16) as usize,
            _ => 0,
        };
        self.device.truncate(index);
        self.device.push(vec![0; bytes]);
        true
    }
}
