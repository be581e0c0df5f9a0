//! The blob, parsed once into nodes that know their parents.

use super::blob::{Blob, Token};
use alloc::vec::Vec;

/// Deeper nodes are left out.
const DEEPEST: usize = 16;
/// Further nodes are left out.
const MOST: usize = 4096;

pub struct Node<'a> {
    pub name: &'a str,
    pub parent: usize,
    /// Neither it nor a bus above is said not to be used.
    enabled: bool,
    properties: Vec<(&'a str, &'a [u8])>,
}

/// Node 0 is the root, and its own parent. Parents stand before their children.
pub struct Tree<'a> {
    pub nodes: Vec<Node<'a>>,
    /// Address and size of each entry of the memory reservation block.
    pub reservations: Vec<(u64, u64)>,
    /// Node by phandle, for those that have one.
    pub phandles: Vec<(u64, usize)>,
    /// Why not all nodes were taken in, if so.
    pub cut: Option<&'static str>,
}

impl<'a> Tree<'a> {
    /// What stands before a fault in the structure is taken in.
    ///
    /// # Errors
    /// Says what is wrong with the blob's header, or that there is no root.
    pub fn new(blob: &'a [u8]) -> Result<Tree<'a>, &'static str> {
        let blob = Blob::new(blob)?;
        let mut tree = Tree {
            nodes: Vec::new(),
            reservations: blob.reservations().take(MOST).collect(),
            phandles: Vec::new(),
            cut: None,
        };
        // The nodes that are open, and how many are that were not taken in.
        let (mut open, mut beyond) = (Vec::new(), 0usize);
        for token in blob.tokens() {
            match token {
                Ok(Token::Begin(_)) if beyond > 0 => beyond += 1,
                Ok(Token::Begin(name)) => {
                    let alone = open.is_empty() && !tree.nodes.is_empty();
                    if open.len() > DEEPEST || tree.nodes.len() == MOST || alone {
                        tree.cut = Some("too many nodes, or too deep");
                        beyond = 1;
                        continue;
                    }
                    let parent = open.last().copied().unwrap_or(0);
                    open.push(tree.nodes.len());
                    tree.nodes.push(Node {
                        name,
                        parent,
                        enabled: true,
                        properties: Vec::new(),
                    });
                }
                Ok(Token::Property(name, value)) => {
                    let inner = open.last().filter(|_| beyond == 0);
                    if let Some(node) = inner.and_then(|at| tree.nodes.get_mut(*at)) {
                        node.properties.push((name, value));
                    }
                }
                Ok(Token::End) if beyond > 0 => beyond -= 1,
                Ok(Token::End) => drop(open.pop()),
                Err(why) => tree.cut = Some(why),
            }
        }
        if tree.nodes.is_empty() {
            return Err("it has no nodes");
        }
        for index in 0..tree.nodes.len() {
            let node = &tree.nodes[index];
            // Parents stand before their children.
            let enabled = tree.nodes[node.parent].enabled
                && matches!(node.text("status"), None | Some("okay") | Some("ok"));
            let phandle = node.number("phandle").or(node.number("linux,phandle"));
            tree.phandles
                .extend(phandle.map(|phandle| (phandle, index)));
            tree.nodes[index].enabled = enabled;
        }
        Ok(tree)
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

    /// False when the firmware says that the device is not to be used, or a bus above it.
    pub fn enabled(&self) -> bool {
        self.enabled
    }
}

/// A big-endian number of any length; the low 64 bits.
pub fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |n, b| n << 8 | *b as u64)
}
