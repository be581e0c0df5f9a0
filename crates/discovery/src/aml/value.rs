//! Objects.

use super::{Error, NodeId};
use alloc::{rc::Rc, vec::Vec};
use core::cell::RefCell;

/// Bytes, or the elements of a package: shared, since `Index` and the fields of buffers refer into them.
pub type Shared<T> = Rc<RefCell<Vec<T>>>;

#[derive(Clone, Debug)]
pub enum Value {
    None,
    Integer(u64),
    Text(Shared<u8>),
    Buffer(Shared<u8>),
    Package(Shared<Value>),
    /// A name in a package, or a reference that was taken.
    Node(NodeId),
    /// What `Index` gave: of a package, of a buffer or text.
    Element(Shared<Value>, usize),
    Byte(Shared<u8>, usize),
}

pub fn shared<T>(list: Vec<T>) -> Shared<T> {
    Rc::new(RefCell::new(list))
}

impl Value {
    pub fn text(bytes: Vec<u8>) -> Value {
        Value::Text(shared(bytes))
    }

    pub fn buffer(bytes: Vec<u8>) -> Value {
        Value::Buffer(shared(bytes))
    }

    /// As a number (19.3.5.3): a buffer's first bytes, a text's hexadecimal digits.
    pub fn integer(&self) -> Result<u64, Error> {
        match self {
            Value::Integer(n) => Ok(*n),
            Value::Buffer(bytes) => {
                let bytes = bytes.try_borrow().map_err(|_| Error::Kind)?;
                let first = bytes.iter().take(8).rev();
                Ok(first.fold(0, |n, byte| n << 8 | *byte as u64))
            }
            Value::Text(bytes) => {
                let bytes = bytes.try_borrow().map_err(|_| Error::Kind)?;
                Ok(digits(&bytes, 16))
            }
            Value::Byte(bytes, at) => {
                let bytes = bytes.try_borrow().map_err(|_| Error::Kind)?;
                bytes.get(*at).map(|b| *b as u64).ok_or(Error::Kind)
            }
            Value::Element(list, index) => {
                match list.try_borrow().map_err(|_| Error::Kind)?.get(*index) {
                    Some(Value::Element(..)) | None => Err(Error::Kind),
                    Some(value) => value.integer(),
                }
            }
            _ => Err(Error::Kind),
        }
    }

    /// A copy of the bytes of a buffer or text.
    pub fn bytes(&self) -> Result<Vec<u8>, Error> {
        match self {
            Value::Buffer(bytes) | Value::Text(bytes) => {
                Ok(bytes.try_borrow().map_err(|_| Error::Kind)?.clone())
            }
            _ => Err(Error::Kind),
        }
    }
}

/// The number that a text begins with, in hexadecimal or decimal digits; a `0x` before it is passed over.
pub fn digits(text: &[u8], base: u32) -> u64 {
    let text = match text {
        [b'0', b'x' | b'X', rest @ ..] if base == 16 => rest,
        all => all,
    };
    let digits = text.iter().map_while(|b| (*b as char).to_digit(base));
    digits.fold(0, |n, digit| {
        n.wrapping_mul(base as u64).wrapping_add(digit as u64)
    })
}
