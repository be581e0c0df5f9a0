//! From the tree of a SystemRDL file to its components: types found by name, parameters filled in, properties with
//! their defaults and assignments from outside (SystemRDL 2.0, 5).

use super::evaluate::{Context, Value};
use super::parse::NESTING;
use super::tree::{Definition, Expr, Instance, Item, Kind, Of, Part, Place};
use crate::rule_new::description::MOST;
use anyhow::{bail, Result};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

/// Components that are made of a file.
const VISITS: u64 = 200_000;
/// Steps of all expressions together.
const STEPS: u64 = 20_000_000;

pub type Properties = HashMap<Rc<str>, Value>;

/// A component where it stands.
#[derive(Clone, Debug)]
pub struct Node {
    pub kind: Kind,
    pub name: String,
    pub place: Place,
    pub properties: Properties,
    pub children: Vec<Rc<Node>>,
    pub dimensions: Vec<u64>,
    /// `[7:0]`, as it is written.
    pub range: Option<(u64, u64)>,
    pub at: Option<u64>,
    pub step: Option<u64>,
    pub align: Option<u64>,
    pub alias: Option<String>,
}

impl Node {
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        self.properties.get(name).and_then(Value::number)
    }

    #[must_use]
    pub fn word(&self, name: &str) -> Option<&str> {
        match self.properties.get(name) {
            Some(Value::Word(text) | Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        self.number(name).is_some_and(|n| n != 0)
    }
}

/// The component of this path.
#[must_use]
pub fn find<'a>(around: &'a [Rc<Node>], path: &[Part]) -> Option<&'a Rc<Node>> {
    let (first, rest) = path.split_first()?;
    let found = around.iter().find(|node| node.name == first.name)?;
    match rest.is_empty() {
        true => Some(found),
        false => find(&found.children, rest),
    }
}

#[derive(Default)]
struct Names {
    types: HashMap<String, (Rc<Definition>, Rc<Properties>)>,
    enumerations: HashMap<String, Rc<Vec<(String, u64)>>>,
    parameters: HashMap<String, Value>,
}

/// What names mean in a component, and around it.
pub struct Scope {
    parent: Option<Rc<Scope>>,
    names: RefCell<Names>,
    steps: Rc<Cell<u64>>,
}

impl Scope {
    fn inside(parent: &Rc<Scope>) -> Rc<Scope> {
        Rc::new(Scope {
            parent: Some(parent.clone()),
            names: RefCell::default(),
            steps: parent.steps.clone(),
        })
    }

    /// Counts a step of an expression.
    pub fn step(&self) -> Result<(), String> {
        let left = self.steps.get().checked_sub(1);
        self.steps.set(left.ok_or("expressions take too long")?);
        Ok(())
    }

    fn up(&self) -> impl Iterator<Item = &Scope> {
        std::iter::successors(Some(self), |scope| scope.parent.as_deref())
    }

    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<Value> {
        self.up()
            .find_map(|s| s.names.borrow().parameters.get(name).cloned())
    }

    #[must_use]
    pub fn enumeration(&self, name: &str) -> Option<Rc<Vec<(String, u64)>>> {
        self.up()
            .find_map(|s| s.names.borrow().enumerations.get(name).cloned())
    }
}

type Type = (Rc<Definition>, Rc<Properties>, Rc<Scope>);

/// A type, with the scope that it stands in.
fn type_of(scope: &Rc<Scope>, name: &str) -> Option<Type> {
    let mut scope = scope.clone();
    loop {
        let found = scope.names.borrow().types.get(name).cloned();
        if let Some((definition, defaults)) = found {
            return Some((definition, defaults, scope));
        }
        let parent = scope.parent.clone()?;
        scope = parent;
    }
}

/// What a component is filled with while its body is read.
struct Body {
    scope: Rc<Scope>,
    defaults: Rc<Properties>,
    node: Node,
}

pub struct Elaborator {
    visits: u64,
    depth: usize,
    /// Names of properties that say nothing here, and what else could not be understood.
    pub notes: BTreeSet<String>,
    declared: BTreeSet<String>,
}

/// The root of a file: its instances, and its types by name.
pub struct Root {
    pub node: Node,
    scope: Rc<Scope>,
    pub elaborator: Elaborator,
}

impl Root {
    /// # Errors
    /// With line and column.
    pub fn of(file: &Definition) -> Result<Root> {
        let scope = Rc::new(Scope {
            parent: None,
            names: RefCell::default(),
            steps: Rc::new(Cell::new(STEPS)),
        });
        let mut elaborator = Elaborator {
            visits: VISITS,
            depth: 0,
            notes: BTreeSet::new(),
            declared: BTreeSet::new(),
        };
        let mut body = Body {
            scope: scope.clone(),
            defaults: Rc::default(),
            node: empty(Kind::Addrmap, "", (1, 1)),
        };
        elaborator.items(file, &mut body)?;
        Ok(Root {
            node: body.node,
            scope,
            elaborator,
        })
    }

    /// An address map of the file by its type's name, with the parameters' defaults.
    ///
    /// # Errors
    /// With line and column.
    pub fn map(&mut self, name: &str) -> Result<Node> {
        let Some(of) = type_of(&self.scope, name) else {
            bail!("1:1: there is no `addrmap {name}` in this file");
        };
        let scope = self.scope.clone();
        let context = Context {
            scope: &scope,
            around: &[],
        };
        self.elaborator.component(of, &[], &context, (1, 1))
    }
}

fn empty(kind: Kind, name: &str, place: Place) -> Node {
    Node {
        kind,
        name: name.into(),
        place,
        properties: Properties::new(),
        children: Vec::new(),
        dimensions: Vec::new(),
        range: None,
        at: None,
        step: None,
        align: None,
        alias: None,
    }
}

impl Elaborator {
    fn items(&mut self, of: &Definition, body: &mut Body) -> Result<()> {
        for (item, place) in &of.items {
            self.item(item, *place, body)?;
        }
        Ok(())
    }

    fn item(&mut self, item: &Item, place: Place, body: &mut Body) -> Result<()> {
        let context = Context {
            scope: &body.scope,
            around: &body.node.children,
        };
        match item {
            Item::Define(definition) => {
                let name = definition.name.clone().unwrap_or_default();
                let of = (definition.clone(), body.defaults.clone());
                body.scope.names.borrow_mut().types.insert(name, of);
            }
            Item::Declare(name) => drop(self.declared.insert(name.clone())),
            Item::Enumeration(name, members) => {
                let members = self.members(members, &context, place);
                let mut names = body.scope.names.borrow_mut();
                names.enumerations.insert(name.clone(), Rc::new(members));
            }
            Item::Instance(instance) => {
                let node = self.instance(instance, place, body)?;
                if body.node.children.len() as u64 >= MOST {
                    let (line, column) = place;
                    bail!("{line}:{column}: more than {MOST} instances in one component");
                }
                body.node.children.push(Rc::new(node));
            }
            Item::Property {
                default,
                name,
                value,
            } => {
                let value = self.property(name, value.as_ref(), &context, place);
                let Some(value) = value else { return Ok(()) };
                match default {
                    true => {
                        Rc::make_mut(&mut body.defaults).insert(name.as_str().into(), value);
                    }
                    false => set(&mut body.node.properties, name, value),
                }
            }
            Item::Assign { path, name, value } => {
                let value = self.property(name, value.as_ref(), &context, place);
                let one = path.iter().any(|part| !part.indices.is_empty());
                let Some(value) = value else { return Ok(()) };
                if one || !assign(&mut body.node.children, path, name, &value) {
                    let names: Vec<&str> = path.iter().map(|p| p.name.as_str()).collect();
                    self.note(place, &format!("{} -> {name}", names.join(".")));
                }
            }
        }
        Ok(())
    }

    fn note(&mut self, (line, column): Place, what: &str) {
        if self.notes.len() < 100 {
            self.notes.insert(format!("{line}:{column}: {what}"));
        }
    }

    fn members(
        &mut self,
        members: &[(String, Option<Expr>)],
        context: &Context,
        place: Place,
    ) -> Vec<(String, u64)> {
        let mut next = 0u64;
        let mut all = Vec::new();
        for (name, value) in members {
            match value.as_ref().map_or(Ok(next), |v| context.number(v)) {
                Ok(n) => {
                    next = n.wrapping_add(1);
                    all.push((name.clone(), n));
                }
                Err(why) => self.note(place, &format!("value {name}: {why}")),
            }
        }
        all
    }

    /// The value of a property, if it can be understood.
    fn property(
        &mut self,
        name: &str,
        value: Option<&Expr>,
        context: &Context,
        place: Place,
    ) -> Option<Value> {
        let Some(value) = value else {
            return Some(Value::Flag(true));
        };
        match context.value(value) {
            Ok(value) => Some(value),
            Err(why) => {
                self.note(place, &format!("property {name}: {why}"));
                None
            }
        }
    }

    fn instance(&mut self, of: &Instance, place: Place, body: &Body) -> Result<Node> {
        let (line, column) = place;
        let context = Context {
            scope: &body.scope,
            around: &body.node.children,
        };
        let found = match &of.of {
            Of::Defined(definition) => Some((
                definition.clone(),
                body.defaults.clone(),
                body.scope.clone(),
            )),
            Of::Named(name) => type_of(&body.scope, name),
        };
        let Some(found) = found else {
            let named = match &of.of {
                Of::Named(name) => name,
                Of::Defined(_) => &of.name,
            };
            bail!("{line}:{column}: there is no component `{named}`");
        };
        let mut node = self.component(found, &of.arguments, &context, place)?;
        node.name.clone_from(&of.name);
        node.alias.clone_from(&of.alias);
        let name = &of.name;
        let number = |e: &Expr| match context.number(e) {
            Ok(n) => Ok(n),
            Err(why) => bail!("{line}:{column}: {name}: {why}"),
        };
        let maybe = |e: &Option<Expr>| e.as_ref().map(number).transpose();
        node.at = maybe(&of.at)?;
        node.step = maybe(&of.step)?;
        node.align = maybe(&of.align)?;
        if let Some((high, low)) = &of.range {
            node.range = Some((number(high)?, number(low)?));
        }
        node.dimensions = of.dimensions.iter().map(number).collect::<Result<_>>()?;
        if let Some(reset) = &of.reset {
            if let Some(value) = self.property("reset", Some(reset), &context, place) {
                node.properties.insert("reset".into(), value);
            }
        }
        Ok(node)
    }

    fn component(
        &mut self,
        (definition, defaults, around): Type,
        arguments: &[(String, Expr)],
        context: &Context,
        place: Place,
    ) -> Result<Node> {
        let (line, column) = place;
        self.visits = self.visits.saturating_sub(1);
        if self.visits == 0 {
            bail!("{line}:{column}: the description has too many instances");
        }
        if self.depth >= NESTING {
            bail!("{line}:{column}: components nest more than {NESTING} deep");
        }
        let scope = Scope::inside(&around);
        for (name, default) in &definition.parameters {
            let given = arguments.iter().find(|(n, _)| n == name);
            let inner = Context {
                scope: &scope,
                around: &[],
            };
            let value = match (given, default) {
                (Some((_, value)), _) => context.value(value),
                (None, Some(value)) => inner.value(value),
                (None, None) => Err("it is given no value".into()),
            };
            match value {
                Ok(value) => {
                    let mut names = scope.names.borrow_mut();
                    names.parameters.insert(name.clone(), value);
                }
                Err(why) => bail!("{line}:{column}: parameter {name}: {why}"),
            }
        }
        let mut node = empty(definition.kind, "", place);
        for (name, value) in defaults.iter() {
            if fits(name, definition.kind) {
                node.properties.insert(name.clone(), value.clone());
            }
        }
        let mut body = Body {
            scope,
            defaults,
            node,
        };
        self.depth += 1;
        self.items(&definition, &mut body)?;
        self.depth -= 1;
        Ok(body.node)
    }
}

/// Whether a default is meant for components of this kind.
fn fits(name: &str, kind: Kind) -> bool {
    match name {
        "regwidth" | "accesswidth" => kind == Kind::Reg,
        "alignment" | "sharedextbus" => matches!(kind, Kind::Regfile | Kind::Addrmap),
        "addressing" | "msb0" | "lsb0" | "bridge" => kind == Kind::Addrmap,
        "mementries" | "memwidth" => kind == Kind::Mem,
        "name" | "desc" | "ispresent" => true,
        _ => matches!(kind, Kind::Field | Kind::Mem),
    }
}

/// The short forms of `onread` and `onwrite` replace what was said before.
fn set(properties: &mut Properties, name: &str, value: Value) {
    let (name, value) = match (name, value.number()) {
        ("rclr" | "rset", Some(1)) => ("onread", Value::Word(name.into())),
        ("woclr" | "woset", Some(1)) => ("onwrite", Value::Word(name.into())),
        _ => (name, value),
    };
    properties.insert(name.into(), value);
}

fn assign(around: &mut [Rc<Node>], path: &[Part], name: &str, value: &Value) -> bool {
    let Some((first, rest)) = path.split_first() else {
        return false;
    };
    let Some(found) = around.iter_mut().find(|node| node.name == first.name) else {
        return false;
    };
    let node = Rc::make_mut(found);
    if !rest.is_empty() {
        return assign(&mut node.children, rest, name, value);
    }
    set(&mut node.properties, name, value.clone());
    true
}
