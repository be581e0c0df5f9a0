//! Objects.

use super::{Error, NodeId};
use alloc::{rc::Rc, vec::Vec};
use core::cell::RefCell;

#[derive(Clone, Debug)]
pub enum Value {
    None,
    Integer(u64),
    Text(Vec<u8>),
    Buffer(Vec<u8>),
    /// Shared, since `Index` refers into it.
    Package(Rc<RefCell<Vec<Value>>>),
    /// A name in a package, or a reference that was taken.
    Node(NodeId),
    /// What `Index` gave.
    Element(Rc<RefCell<Vec<Value>>>, usize),
}

impl Value {
    pub fn integer(&self) -> Result<u64, Error> {
        match self {
            Value::Integer(n) => Ok(*n),
            Value::Buffer(bytes) => Ok(bytes
                .iter()
                .take(8)
                .rev()
                .fold(0, |n, byte| n << 8 | *byte as u64)),
            Value::Element(list, index) => {
                match list.try_borrow().map_err(|_| Error::Kind)?.get(*index) {
                    Some(Value::Element(..)) | None => Err(Error::Kind),
                    Some(value) => value.integer(),
                }
            }
            _ => Err(Error::Kind),
        }
    }

    /// The elements of a package.
    pub fn elements(&self) -> Result<Vec<Value>, Error> {
        match self {
            Value::Package(list) => Ok(list.try_borrow().map_err(|_| Error::Kind)?.clone()),
            _ => Err(Error::Kind),
        }
    }

    pub fn bytes(&self) -> Result<&[u8], Error> {
        match self {
            Value::Buffer(bytes) | Value::Text(bytes) => Ok(bytes),
            _ => Err(Error::Kind),
        }
    }
}
