//! As much of a Forth as the Forth view needs: it reads the text of a view and carries it out on a `graph::Access`.

use graph::{Access, Conduit, Fence, Late, Space, Width};
use std::collections::HashMap;

/// Turns that all loops and waits of one run may take.
const TURNS: u32 = 1_000_000;

/// Words of a definition.
#[derive(Clone, Debug)]
enum Code {
    Number(u64),
    Local(usize),
    To(usize),
    Word(usize),
    Basic(String),
    If(Vec<Code>, Vec<Code>),
    Block(Vec<Code>),
    Times(Vec<Code>),
    Await(Vec<Code>),
    Leave(usize),
    Exit,
}

#[derive(Clone, Debug)]
enum Word {
    Colon {
        arguments: usize,
        locals: usize,
        body: Vec<Code>,
    },
    Window(u64),
    Upcall {
        which: u8,
        arity: usize,
    },
}

enum End {
    Leave(usize),
    Exit,
}

/// The words of a view.
pub struct Forth {
    words: Vec<Word>,
    names: HashMap<String, usize>,
}

/// A run: the cells on the stack, and the words of the result.
pub struct Run<'a> {
    forth: &'a Forth,
    access: &'a mut dyn Access,
    pub stack: Vec<u64>,
    pub results: [u64; 4],
    turns: u32,
}

/// Places carry what they are in their upper bits.
const WINDOW: u64 = 1 << 56;
const STATE: u64 = 0x20 << 56;
const ARENA: u64 = 0x21 << 56;
const POOL: u64 = 0x22 << 56;

impl Forth {
    /// Reads a text; panics where it is no Forth of this kind.
    pub fn read(text: &str) -> Forth {
        let mut forth = Forth {
            words: Vec::new(),
            names: HashMap::new(),
        };
        let tokens = tokens(text);
        let mut at = tokens.iter().map(String::as_str);
        let mut numbers = Vec::new();
        while let Some(token) = at.next() {
            match token {
                ":" => {
                    let name = at.next().expect("a name").to_owned();
                    let word = forth.colon(&mut at);
                    forth.define(name, word);
                }
                "memory-window" | "port-window" | "system-window" | "model-window" => {
                    let name = at.next().expect("a name").to_owned();
                    let number: u64 = numbers.pop().expect("the window's number");
                    forth.define(name, Word::Window(number));
                }
                "upcall" => {
                    let name = at.next().expect("a name").to_owned();
                    let arity = numbers.pop().expect("how many cells") as usize;
                    let which = numbers.pop().expect("the upcall's number") as u8;
                    forth.define(name, Word::Upcall { which, arity });
                }
                other => numbers.push(number(other).unwrap_or_else(|| panic!("{other}?"))),
            }
        }
        assert!(numbers.is_empty(), "{numbers:?} are left");
        forth
    }

    fn define(&mut self, name: String, word: Word) {
        let name = name.to_ascii_lowercase();
        assert!(!self.names.contains_key(&name), "{name} is defined twice");
        self.names.insert(name, self.words.len());
        self.words.push(word);
    }

    fn colon<'t>(&self, at: &mut impl Iterator<Item = &'t str>) -> Word {
        let mut reader = Reader {
            forth: self,
            locals: Vec::new(),
            at,
        };
        let (body, end) = reader.list(&[";"]);
        assert_eq!(end, ";");
        let arguments = reader.locals.iter().filter(|(_, argument)| *argument);
        Word::Colon {
            arguments: arguments.count(),
            locals: reader.locals.len(),
            body,
        }
    }

    /// Runs a word with these cells on the stack.
    pub fn run<'a>(&'a self, name: &str, cells: &[u64], access: &'a mut dyn Access) -> Run<'a> {
        let word = self.names[&name.to_ascii_lowercase()];
        let mut run = Run {
            forth: self,
            access,
            stack: cells.to_vec(),
            results: [0; 4],
            turns: TURNS,
        };
        run.word(word);
        run
    }
}

/// Words without comments.
fn tokens(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    for line in text.lines() {
        let mut comment = false;
        for token in line.split_whitespace() {
            match token {
                "\\" if !comment => break,
                "(" if !comment => comment = true,
                token if comment => comment = !token.ends_with(')'),
                token => all.push(token.to_owned()),
            }
        }
        assert!(!comment, "a comment is not closed: {line}");
    }
    all
}

fn number(token: &str) -> Option<u64> {
    match token.strip_prefix('$') {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => token.parse::<i64>().ok().map(|n| n as u64),
    }
}

struct Reader<'a, I> {
    forth: &'a Forth,
    /// Name, and whether it takes a cell of the stack.
    locals: Vec<(String, bool)>,
    at: &'a mut I,
}

impl<'t, I: Iterator<Item = &'t str>> Reader<'_, I> {
    /// Words up to one of `ends`, and which that is.
    fn list(&mut self, ends: &[&str]) -> (Vec<Code>, &'t str) {
        let mut list = Vec::new();
        loop {
            let token = self.at.next().expect("the end of the definition");
            if ends.contains(&token) {
                return (list, token);
            }
            if token == "{:" {
                self.declare();
            } else {
                let code = self.code(token);
                list.push(code);
            }
        }
    }

    fn declare(&mut self) {
        let mut argument = true;
        loop {
            match self.at.next().expect(":}") {
                "|" => argument = false,
                "--" => break,
                ":}" => return,
                name => self.locals.push((name.to_owned(), argument)),
            }
        }
        while self.at.next().expect(":}") != ":}" {}
    }

    fn code(&mut self, token: &str) -> Code {
        let local = |r: &Self, name: &str| r.locals.iter().position(|(n, _)| n == name);
        if let Some(local) = local(self, token) {
            return Code::Local(local);
        }
        match token {
            "if" => {
                let (yes, end) = self.list(&["else", "then"]);
                let no = match end {
                    "else" => self.list(&["then"]).0,
                    _ => Vec::new(),
                };
                Code::If(yes, no)
            }
            "block" => Code::Block(self.list(&["endblock"]).0),
            "times" => Code::Times(self.list(&["endtimes"]).0),
            "await" => Code::Await(self.list(&["came?"]).0),
            "leave" => Code::Leave(0),
            "exit" => Code::Exit,
            "to" => {
                let name = self.at.next().expect("a local");
                Code::To(local(self, name).unwrap_or_else(|| panic!("no local {name}")))
            }
            other => self.other(other),
        }
    }

    fn other(&self, token: &str) -> Code {
        if let Some(n) = token.strip_prefix("leave+") {
            return Code::Leave(n.parse().expect("a number of levels"));
        }
        if let Some(word) = self.forth.names.get(&token.to_ascii_lowercase()) {
            return Code::Word(*word);
        }
        match number(token) {
            Some(number) => Code::Number(number),
            None => Code::Basic(token.to_owned()),
        }
    }
}

impl Run<'_> {
    fn pop(&mut self) -> u64 {
        self.stack.pop().expect("a cell on the stack")
    }

    fn flag(&mut self, flag: bool) {
        self.stack.push(if flag { u64::MAX } else { 0 });
    }

    fn turn(&mut self) {
        self.turns = self.turns.checked_sub(1).expect("it does not end");
    }

    fn word(&mut self, word: usize) {
        match &self.forth.words[word] {
            Word::Window(number) => {
                let offset = self.pop();
                assert!(offset < WINDOW, "an offset of {offset:#x}");
                self.stack.push(number * WINDOW + offset);
            }
            Word::Upcall { which, arity } => {
                let args = self.stack.split_off(self.stack.len() - arity);
                let answer = self.access.up(*which, &args);
                self.stack.push(answer);
            }
            Word::Colon {
                arguments,
                locals,
                body,
            } => {
                let mut cells = self.stack.split_off(self.stack.len() - arguments);
                // What is not initialised holds anything.
                cells.resize(*locals, 0xdead_beef);
                let ended = self.list(body, &mut cells);
                assert!(
                    !matches!(ended, Err(End::Leave(_))),
                    "`leave` outside of all"
                );
            }
        }
    }

    fn list(&mut self, list: &[Code], locals: &mut [u64]) -> Result<(), End> {
        for code in list {
            self.code(code, locals)?;
        }
        Ok(())
    }

    fn code(&mut self, code: &Code, locals: &mut [u64]) -> Result<(), End> {
        match code {
            Code::Number(n) => self.stack.push(*n),
            Code::Local(n) => self.stack.push(locals[*n]),
            Code::To(n) => locals[*n] = self.pop(),
            Code::Word(word) => self.word(*word),
            Code::Basic(name) => self.basic(name),
            Code::If(yes, no) => {
                let list = if self.pop() != 0 { yes } else { no };
                self.list(list, locals)?;
            }
            Code::Block(body) => {
                self.left(body, locals)?;
            }
            Code::Times(body) => {
                let (mut most, mut met) = (self.pop(), 1);
                while most != 0 {
                    self.turn();
                    if self.left(body, locals)? {
                        met = 0;
                        break;
                    }
                    most -= 1;
                }
                self.stack.push(met);
            }
            Code::Await(test) => self.wait(test, locals)?,
            Code::Leave(n) => return Err(End::Leave(*n)),
            Code::Exit => return Err(End::Exit),
        }
        Ok(())
    }

    /// Whether a `leave` ended it. What stands on the stack stays there: views leave nothing.
    fn left(&mut self, body: &[Code], locals: &mut [u64]) -> Result<bool, End> {
        let depth = self.stack.len();
        let ended = self.list(body, locals);
        if !matches!(ended, Err(End::Exit)) {
            assert_eq!(self.stack.len(), depth, "a loop leaves cells behind");
        }
        match ended {
            Ok(()) => Ok(false),
            Err(End::Leave(0)) => Ok(true),
            Err(End::Leave(n)) => Err(End::Leave(n - 1)),
            Err(End::Exit) => Err(End::Exit),
        }
    }

    fn wait(&mut self, test: &[Code], locals: &mut [u64]) -> Result<(), End> {
        let ns = self.pop();
        let (mut began, mut last) = (None, false);
        loop {
            self.turn();
            self.list(test, locals)?;
            let met = self.pop() != 0;
            if met || last {
                self.stack.push(met.into());
                return Ok(());
            }
            let now = self.access.clock();
            last = now.wrapping_sub(*began.get_or_insert(now)) >= ns;
        }
    }

    fn basic(&mut self, name: &str) {
        if let Some((kind, width)) = touching(name) {
            return self.touch(kind, width, name.ends_with('!'));
        }
        match name {
            "drop" => {
                self.pop();
            }
            "0=" => {
                let a = self.pop();
                self.flag(a == 0);
            }
            "0<>" => {
                let a = self.pop();
                self.flag(a != 0);
            }
            "invert" => {
                let a = self.pop();
                self.stack.push(!a);
            }
            "um/mod" => {
                let (by, high, low) = (self.pop(), self.pop(), self.pop());
                let value = u128::from(high) << 64 | u128::from(low);
                self.stack.push((value % u128::from(by)) as u64);
                self.stack.push((value / u128::from(by)) as u64);
            }
            "arena-dma" => {
                let late = self.access.late(Late::ArenaDma);
                self.stack.push(late);
            }
            "pool-dma" => {
                let late = self.access.late(Late::PoolDma);
                self.stack.push(late);
            }
            "lane" => {
                let late = self.access.late(Late::Lane);
                self.stack.push(late);
            }
            "state" => self.place(STATE),
            "arena" => self.place(ARENA),
            "pool" => self.place(POOL),
            "publish" => self.access.fence(Fence::Publish),
            "acquire" => self.access.fence(Fence::Acquire),
            "full-fence" => self.access.fence(Fence::Full),
            "clock" => {
                let now = self.access.clock();
                self.stack.push(now);
            }
            "pause-ns" => {
                let ns = self.pop();
                self.access.pause(ns);
            }
            "result!" => {
                let (n, value) = (self.pop(), self.pop());
                self.results[n as usize] = value;
            }
            "hvc" => self.firmware(Conduit::Hvc),
            "smc" => self.firmware(Conduit::Smc),
            name => self.of_two(name),
        }
    }

    fn place(&mut self, base: u64) {
        let offset = self.pop();
        self.stack.push(base + offset);
    }

    fn firmware(&mut self, conduit: Conduit) {
        let words = self.stack.split_off(self.stack.len() - 4);
        let answer = self.access.firmware(conduit, words.try_into().unwrap());
        self.stack.push(answer);
    }

    fn of_two(&mut self, name: &str) {
        let (b, a) = (self.pop(), self.pop());
        let value = match name {
            "+" => a.wrapping_add(b),
            "-" => a.wrapping_sub(b),
            "*" => a.wrapping_mul(b),
            "and" => a & b,
            "or" => a | b,
            "xor" => a ^ b,
            "nip" => b,
            // Beyond 63 the standard leaves these open: something else than the graph's 0.
            "lshift" => a.wrapping_shl(b as u32),
            "rshift" => a.wrapping_shr(b as u32),
            "=" => return self.flag(a == b),
            "<>" => return self.flag(a != b),
            "u<" => return self.flag(a < b),
            "u>" => return self.flag(a > b),
            name => panic!("no word `{name}`"),
        };
        self.stack.push(value);
    }

    fn touch(&mut self, kind: char, width: Width, store: bool) {
        let place = self.pop();
        let at = place & (WINDOW - 1);
        let space = match place >> 56 << 56 {
            STATE => Some(Space::State),
            ARENA => Some(Space::Arena),
            POOL => Some(Space::Pool),
            _ => None,
        };
        assert_eq!(space.is_some(), kind == 'm', "a word for another place");
        let window = (place >> 56) as u8;
        if store {
            let value = self.pop() & width.mask();
            match space {
                Some(space) => self.access.store(space, at, width, value),
                None => self.access.write(window, at, width, value),
            }
        } else {
            let value = match space {
                Some(space) => self.access.load(space, at, width),
                None => self.access.read(window, at, width),
            };
            self.stack.push(value & width.mask());
        }
    }
}

/// `w32@` and its like: what it touches, and how wide.
fn touching(name: &str) -> Option<(char, Width)> {
    let word = name.strip_suffix('@').or_else(|| name.strip_suffix('!'))?;
    if let "msr" | "sys" = word {
        return Some(('w', Width::B64));
    }
    let kind = word.chars().next().filter(|c| "wpm".contains(*c))?;
    let width = Width::of_bits(word[1..].parse().ok()?)?;
    Some((kind, width))
}
