//! The flattened format (devicetree specification 0.4, chapter 5): a walk over the bytes, without allocating.
//!
//! Names may be of any length: the specification allows 31 characters, and many trees that boot have longer ones.

/// A blob whose header can be believed.
#[derive(Clone, Copy)]
pub struct Blob<'a> {
    structure: &'a [u8],
    strings: &'a [u8],
    reservations: &'a [u8],
}

/// What the structure block is made of (5.4.1).
pub enum Token<'a> {
    Begin(&'a str),
    Property(&'a str, &'a [u8]),
    End,
}

const MAGIC: u32 = 0xd00d_feed;
/// The version that is read, and the first one that later ones need not be compatible with.
const VERSION: u32 = 16;
const NEXT: u32 = 18;

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(word.try_into().ok()?))
}

/// A text up to its zero.
fn text(bytes: &[u8]) -> Option<&str> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    core::str::from_utf8(bytes.get(..end)?).ok()
}

impl<'a> Blob<'a> {
    /// # Errors
    /// Says what is wrong with the header.
    pub fn new(blob: &'a [u8]) -> Result<Blob<'a>, &'static str> {
        let field = |number: usize| word(blob, 4 * number).ok_or("it is cut short");
        if field(0)? != MAGIC {
            return Err("it does not begin as a blob does");
        }
        let whole = blob.get(..field(1)? as usize).ok_or("it is cut short")?;
        if field(5)? < VERSION || field(6)? >= NEXT {
            return Err("it is of a version that is not known");
        }
        let from = |number| {
            let part = field(number).map(|at| whole.get(at as usize..));
            part?.ok_or("a block of it is outside of it")
        };
        let (structure, strings) = (from(2)?, from(3)?);
        Ok(Blob {
            structure,
            strings,
            reservations: from(4)?,
        })
    }

    /// Address and size of each entry of the memory reservation block (5.3).
    pub fn reservations(&self) -> impl Iterator<Item = (u64, u64)> + 'a {
        let entries = self.reservations.chunks_exact(16);
        let number = super::tree::number;
        let entries = entries.map(move |entry| (number(&entry[..8]), number(&entry[8..])));
        entries.take_while(|entry| *entry != (0, 0))
    }

    /// The tokens in their order. The last one is an error if the structure ends before it says so.
    pub fn tokens(&self) -> Tokens<'a> {
        Tokens {
            blob: *self,
            at: 0,
            over: false,
        }
    }
}

pub struct Tokens<'a> {
    blob: Blob<'a>,
    at: usize,
    over: bool,
}

impl<'a> Tokens<'a> {
    fn token(&mut self) -> Option<Option<Token<'a>>> {
        let structure = self.blob.structure;
        loop {
            let kind = word(structure, self.at)?;
            self.at += 4;
            match kind {
                1 => {
                    let name = text(structure.get(self.at..)?)?;
                    self.at = (self.at + name.len() + 1).next_multiple_of(4);
                    return Some(Some(Token::Begin(name)));
                }
                2 => return Some(Some(Token::End)),
                3 => {
                    let size = word(structure, self.at)? as usize;
                    let name = word(structure, self.at + 4)? as usize;
                    let from = self.at + 8;
                    let value = structure.get(from..from.checked_add(size)?)?;
                    let name = text(self.blob.strings.get(name..)?)?;
                    self.at = (from + size).next_multiple_of(4);
                    return Some(Some(Token::Property(name, value)));
                }
                4 => {}
                9 => return Some(None),
                _ => return None,
            }
        }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Result<Token<'a>, &'static str>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let token = self.token();
        self.over = !matches!(token, Some(Some(_)));
        token.map_or(Some(Err("its structure is broken")), |token| token.map(Ok))
    }
}
