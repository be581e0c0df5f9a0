//! A pipe as pipe(7) describes it: a queue of page-sized pieces.
//!
//! How full a pipe is counts in pieces, not in bytes, and programs can see that: a write that fits into the last
//! piece joins it, any other begins a new one, so 16 writes of 4,095 bytes fill a pipe that has room for 65,536.

use crate::{poll, Error, Wake};
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// Bytes of a piece.
const PIECE: usize = 4096;
/// Pieces of a new pipe: 65,536 bytes (pipe(7), "Pipe capacity").
const PIECES: usize = 16;
/// Pieces that an ordinary user's pipe has at most: /proc/sys/fs/pipe-max-size as Linux sets it.
const MOST_PIECES: usize = 256;

/// What an operation that went well did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome<T> {
    /// Its result.
    pub value: T,
    /// Who is to look again.
    pub wake: Wake,
}

struct Piece {
    bytes: Vec<u8>,
    /// How much of it has been read.
    read: usize,
    /// It is a packet of its own (O_DIRECT): nothing joins it, and one read takes it whole.
    packet: bool,
}

impl Piece {
    fn left(&self) -> usize {
        self.bytes.len() - self.read
    }
}

/// One pipe, and how many open file descriptions each of its ends has.
pub struct Pipe {
    pieces: VecDeque<Piece>,
    most: usize,
    packets: bool,
    readers: usize,
    writers: usize,
    /// Somebody asked for its conditions once; from then on each write wakes, as programs that use edges expect.
    watched: bool,
}

impl Pipe {
    /// A pipe with one reader and one writer. With `packets` (O_DIRECT of pipe2(2)) each write is a packet.
    #[must_use]
    pub fn new(packets: bool) -> Pipe {
        Pipe {
            pieces: VecDeque::new(),
            most: PIECES,
            packets,
            readers: 1,
            writers: 1,
            watched: false,
        }
    }

    fn full(&self) -> bool {
        self.pieces.len() >= self.most
    }

    /// Takes at most `most` bytes out. No bytes mean the end: nobody can write any more.
    ///
    /// # Errors
    /// [`Error::Again`] when there is nothing and somebody may still write.
    pub fn read(&mut self, most: usize) -> Result<Outcome<Vec<u8>>, Error> {
        let mut wake = Wake::default();
        let mut value = Vec::new();
        if most == 0 {
            return Ok(Outcome { value, wake });
        }
        if self.pieces.is_empty() && self.writers > 0 {
            return Err(Error::Again);
        }
        while value.len() < most {
            let full = self.full();
            let Some(piece) = self.pieces.front_mut() else {
                break;
            };
            let length = piece.left().min(most - value.len());
            value.extend_from_slice(&piece.bytes[piece.read..piece.read + length]);
            piece.read += length;
            let packet = piece.packet;
            if packet || piece.left() == 0 {
                self.pieces.pop_front();
                if full {
                    wake.writers = Some(poll::OUT | poll::WRITE_NORMAL);
                }
            }
            if packet {
                break;
            }
        }
        Ok(Outcome { value, wake })
    }

    /// Puts bytes in, as many as there is room for, and says how many. Up to 4,096 bytes (PIPE_BUF) go in together or
    /// not at all. The wake-up holds for a refused write, too: Linux wakes readers then.
    ///
    /// # Errors
    /// [`Error::Broken`] when nobody can read, [`Error::Again`] when there is no room.
    pub fn write(&mut self, from: &[u8]) -> (Result<usize, Error>, Wake) {
        if from.is_empty() {
            return (Ok(0), Wake::default());
        }
        if self.readers == 0 {
            return (Err(Error::Broken), Wake::default());
        }
        let was_empty = self.pieces.is_empty();
        let mut done = self.join(from);
        while done < from.len() && !self.full() {
            let length = (from.len() - done).min(PIECE);
            self.pieces.push_back(Piece {
                bytes: from[done..done + length].to_vec(),
                read: 0,
                packet: self.packets,
            });
            done += length;
        }
        let wake = Wake {
            readers: (was_empty || self.watched).then_some(poll::IN | poll::READ_NORMAL),
            writers: None,
        };
        match done {
            0 => (Err(Error::Again), wake),
            _ => (Ok(done), wake),
        }
    }

    /// Puts what is beyond whole pieces to the last piece, if it fits there whole. Returns how many bytes that were.
    fn join(&mut self, from: &[u8]) -> usize {
        let rest = from.len() % PIECE;
        match self.pieces.back_mut() {
            Some(last) if !last.packet && last.bytes.len() + rest <= PIECE => {
                last.bytes.extend_from_slice(&from[..rest]);
                rest
            }
            _ => 0,
        }
    }

    /// Bytes that can be read: FIONREAD of either end (ioctl_pipe, pipe(7)).
    #[must_use]
    pub fn readable(&self) -> usize {
        self.pieces.iter().map(Piece::left).sum()
    }

    /// Bytes of room when empty: F_GETPIPE_SZ.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.most * PIECE
    }

    /// Sets the room to at least `bytes` (F_SETPIPE_SZ of fcntl(2)) and returns what it is then. `unlimited` is for
    /// those who hold CAP_SYS_RESOURCE; they get up to 2 GiB.
    ///
    /// # Errors
    /// [`Error::Invalid`] above 2 GiB, [`Error::NotPermitted`] beyond what an ordinary user may have,
    /// [`Error::Busy`] when what is in the pipe does not fit.
    pub fn resize(&mut self, bytes: u32, unlimited: bool) -> Result<Outcome<usize>, Error> {
        if bytes > 1 << 31 {
            return Err(Error::Invalid);
        }
        let pieces = (bytes as usize).div_ceil(PIECE).max(1).next_power_of_two();
        if pieces > MOST_PIECES && pieces > self.most && !unlimited {
            return Err(Error::NotPermitted);
        }
        if self.pieces.len() > pieces {
            return Err(Error::Busy);
        }
        self.most = pieces;
        Ok(Outcome {
            value: pieces * PIECE,
            wake: Wake {
                readers: None,
                writers: Some(poll::ANY),
            },
        })
    }

    /// What holds of the end that is read.
    pub fn conditions_of_reader(&mut self) -> u32 {
        self.watched = true;
        let some = if self.pieces.is_empty() {
            0
        } else {
            poll::IN | poll::READ_NORMAL
        };
        some | if self.writers == 0 { poll::HUP } else { 0 }
    }

    /// What holds of the end that is written.
    pub fn conditions_of_writer(&mut self) -> u32 {
        self.watched = true;
        let room = if self.full() {
            0
        } else {
            poll::OUT | poll::WRITE_NORMAL
        };
        room | if self.readers == 0 { poll::ERR } else { 0 }
    }

    /// The end that is read has one more open file description, as when a FIFO is opened again.
    pub fn opened_by_reader(&mut self) {
        self.readers += 1;
    }

    /// The end that is written has one more open file description.
    pub fn opened_by_writer(&mut self) {
        self.writers += 1;
    }

    /// An open file description of the end that is read has gone.
    pub fn closed_by_reader(&mut self) -> Wake {
        self.readers = self.readers.saturating_sub(1);
        self.one_side_left()
    }

    /// An open file description of the end that is written has gone.
    pub fn closed_by_writer(&mut self) -> Wake {
        self.writers = self.writers.saturating_sub(1);
        self.one_side_left()
    }

    fn one_side_left(&self) -> Wake {
        let left = (self.readers == 0) != (self.writers == 0);
        Wake {
            readers: left.then_some(poll::ANY),
            writers: left.then_some(poll::ANY),
        }
    }
}
