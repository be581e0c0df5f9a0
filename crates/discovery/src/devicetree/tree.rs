//! The blob, parsed once into nodes that know their parents.

use alloc::vec::Vec;
use dtoolkit::fdt::{Fdt, FdtNode};
use dtoolkit::{Node as _, Property as _};

/// Deeper nodes are left out.
const DEEPEST: usize = 16;
/// Further nodes are left out.
const MOST: usize = 4096;

pub struct Node<'a> {
    pub name: &'a str,
    pub parent: usize,
    properties: Vec<(&'a str, &'a [u8])>,
}

/// Node 0 is the root, and its own parent. Parents stand before their children.
pub struct Tree<'a> {
    pub nodes: Vec<Node<'a>>,
    /// Address and size of each entry of the memory reservation block.
    pub reservations: Vec<(u64, u64)>,
    /// Node by phandle, for those that have one.
    pub phandles: Vec<(u64, usize)>,
    /// Not all nodes were taken in.
    pub cut: bool,
}

impl<'a> Tree<'a> {
    /// # Errors
    /// Says what is wrong with the blob.
    pub fn new(blob: &'a [u8]) -> Result<Tree<'a>, alloc::string::String> {
        let fdt = Fdt::new(blob).map_err(|e| alloc::format!("{e}"))?;
        let mut tree = Tree {
            nodes: Vec::new(),
            reservations: fdt
                .memory_reservations()
                .map(|r| (r.address(), r.size()))
                .collect(),
            phandles: Vec::new(),
            cut: false,
        };
        tree.add(blob, fdt.root(), 0, 0);
        Ok(tree)
    }

    fn add(&mut self, blob: &'a [u8], node: FdtNode<'a>, parent: usize, depth: usize) {
        if depth > DEEPEST || self.nodes.len() == MOST {
            self.cut = true;
            return;
        }
        let index = self.nodes.len();
        self.nodes.push(Node {
            name: node.name(),
            parent,
            properties: node
                .properties()
                .map(|p| {
                    let name = within(blob, p.name().as_bytes());
                    (
                        core::str::from_utf8(name).unwrap_or_default(),
                        within(blob, p.value()),
                    )
                })
                .collect(),
        });
        let phandle =
            (self.number_of(index, "phandle")).or_else(|| self.number_of(index, "linux,phandle"));
        self.phandles
            .extend(phandle.map(|phandle| (phandle, index)));
        for child in node.children() {
            self.add(blob, child, index, depth + 1);
        }
    }

    pub fn children(&self, of: usize) -> impl Iterator<Item = (usize, &Node<'a>)> {
        self.nodes
            .iter()
            .enumerate()
            .skip(1)
            .filter(move |(_, n)| n.parent == of)
    }

    pub fn property(&self, node: usize, name: &str) -> Option<&'a [u8]> {
        self.nodes.get(node)?.property(name)
    }

    pub fn number_of(&self, node: usize, name: &str) -> Option<u64> {
        self.nodes.get(node)?.number(name)
    }

    pub fn name(&self, node: usize) -> &'a str {
        self.nodes.get(node).map_or("", |n| n.name)
    }

    /// The node that a path leads to; an alias may stand for its beginning (3.3).
    pub fn by_path(&self, path: &str) -> Option<usize> {
        let (mut at, mut rest) = (0, path.strip_prefix('/'));
        if rest.is_none() {
            let (alias, more) = path.split_once('/').unwrap_or((path, ""));
            let (aliases, _) = self.top("aliases")?;
            let target = self.nodes.get(aliases)?.text(alias)?;
            at = self.walk(0, target.strip_prefix('/')?)?;
            rest = Some(more);
        }
        at = self.walk(at, rest?)?;
        Some(at)
    }

    fn walk(&self, mut at: usize, path: &str) -> Option<usize> {
        for name in path.split('/').filter(|name| !name.is_empty()) {
            let found = self.children(at).find(|(_, node)| node.name == name);
            let plain = || {
                self.children(at)
                    .find(|(_, node)| node.plain_name() == name)
            };
            at = found.or_else(plain)?.0;
        }
        Some(at)
    }

    /// The child of the root called `name`, with or without a unit address.
    pub fn top(&self, name: &str) -> Option<(usize, &Node<'a>)> {
        self.children(0).find(|(_, n)| n.plain_name() == name)
    }

    /// (`#address-cells`, `#size-cells`) for the children of `node`.
    pub fn cells(&self, node: usize) -> (usize, usize) {
        let cells = |name, default| match self.nodes[node].number(name) {
            Some(n) if n <= 4 => n as usize,
            _ => default,
        };
        (cells("#address-cells", 2), cells("#size-cells", 1))
    }

    /// `reg` of a node, untranslated.
    pub fn reg(&self, node: usize) -> Vec<(u64, u64)> {
        let (address, size) = self.cells(self.nodes[node].parent);
        let bytes = self.nodes[node].property("reg").unwrap_or_default();
        if address + size == 0 {
            return Vec::new();
        }
        bytes
            .chunks_exact(4 * (address + size))
            .map(|entry| {
                let (a, s) = entry.split_at(4 * address);
                (number(a), number(s))
            })
            .collect()
    }
}

impl<'a> Node<'a> {
    pub fn property(&self, name: &str) -> Option<&'a [u8]> {
        self.properties
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, value)| *value)
    }

    pub fn properties(&self) -> &[(&'a str, &'a [u8])] {
        &self.properties
    }

    /// The name without its unit address.
    pub fn plain_name(&self) -> &'a str {
        self.name.split('@').next().unwrap_or(self.name)
    }

    /// A property of one or two cells.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.property(name)
            .filter(|v| v.len() == 4 || v.len() == 8)
            .map(number)
    }

    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.texts(name).next()
    }

    pub fn texts(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.property(name)
            .unwrap_or_default()
            .split(|b| *b == 0)
            .filter(|part| !part.is_empty())
            .filter_map(|part| core::str::from_utf8(part).ok())
    }

    /// False when the firmware says that the device is not to be used.
    pub fn enabled(&self) -> bool {
        matches!(self.text("status"), None | Some("okay") | Some("ok"))
    }
}

/// `part`, which the parser lends for less long than the blob lives, as a part of the blob.
fn within<'a>(blob: &'a [u8], part: &[u8]) -> &'a [u8] {
    let at = (part.as_ptr() as usize).wrapping_sub(blob.as_ptr() as usize);
    blob.get(at..at.wrapping_add(part.len()))
        .unwrap_or_default()
}

/// A big-endian number of any length; the low 64 bits.
pub fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |n, b| n << 8 | *b as u64)
}
