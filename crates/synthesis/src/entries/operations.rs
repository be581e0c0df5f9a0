//! The operations of a class as entries: their arguments, which instance is meant, the tail of a batch.

use super::*;
use crate::value::{Buffer, Value};
use graph::Space;
use rulebook::tree::{Item, Parameter, Stmt, TypeBase};
use rulebook::Word;

/// What an entry is given for a parameter of an operation.
#[derive(Clone, Copy)]
enum Given {
    /// One word: the most it can be.
    Number(u64),
    /// Place and length of memory of the client: bytes that it has at least and at most.
    Buffer { least: u64, longest: u64 },
}

impl Given {
    fn words(self) -> u8 {
        match self {
            Given::Number(_) => 1,
            Given::Buffer { .. } => 2,
        }
    }
}

/// By the type that the class gives a parameter.
fn given<'a>(
    s: &mut Specialiser<'a, '_>,
    function: InstanceId,
    parameter: &'a Parameter,
) -> Result<Given> {
    let Some(kind) = &parameter.kind else {
        return Ok(Given::Number(u64::MAX));
    };
    Ok(match (kind.word(s.rules.subject.book), kind.base) {
        (Some(Word::Buffers), _) => {
            let longest = match kind.dims.first() {
                Some(longest) => s.fact_number(function, longest)?,
                None => u32::MAX.into(),
            };
            let least = match &parameter.least {
                Some(least) => s.fact_number(function, least)?,
                None => 0,
            };
            Given::Buffer { least, longest }
        }
        (Some(Word::Ticket), _) => Given::Number(u32::MAX.into()),
        (None, TypeBase::Bits(n) | TypeBase::Dma(n) | TypeBase::Big(n)) => {
            Given::Number(crate::layout::ones(n))
        }
        (None, TypeBase::Bool) => Given::Number(1),
        (None, TypeBase::Named(_)) => Given::Number(u64::MAX),
    })
}

pub(super) fn operation<'a>(
    s: &mut Specialiser<'a, '_>,
    function: InstanceId,
    class: &'a Class,
    wanted: &'a Routine,
) -> Result<()> {
    let name = wanted.name;
    let each = units(s, function);
    s.out.b.open();
    let home = s.home_of(function, name, class.place);
    let usable =
        home.and_then(|home| usable(s, home, function, each.as_deref(), name, class.place));
    s.out.b.close();
    if !usable? {
        return Ok(());
    }
    let mut words = 0u8;
    let mut plan = Vec::new();
    s.out.b.open();
    for parameter in &wanted.parameters {
        let given = given(s, function, parameter)?;
        plan.push((given, words));
        words += given.words();
    }
    s.out.b.close();
    let text = s.text(name).to_string();
    let returns = wanted.returns.is_some();
    let told = text.clone();
    s.mode.keep_tails();
    // Which instance is meant comes last.
    let all = words + each.is_some() as u8;
    entry(s, &text, all, |s| {
        let mut values = Vec::new();
        for (given, word) in plan {
            values.push(match given {
                // The pump has checked that it lies inside the pool, and is no longer.
                Given::Buffer { least, longest } => argument_buffer(s, word, least, longest),
                Given::Number(most) => Value::Num(argument(s, word, most)),
            });
        }
        let value = match each {
            None => {
                let home = s.home_of(function, name, class.place)?;
                s.call_routine(home, name, values, class.place)?
            }
            Some(each) => {
                let unit = argument(s, words, u64::from(u32::MAX));
                let banks = s.leaves(function, &each);
                s.for_unit(&banks, unit, &mut |s, view| {
                    s.call_routine(view, name, values.clone(), class.place)?;
                    Ok(Flow::Next)
                })?;
                Value::None
            }
        };
        match value {
            // Nobody comes here: it ended before.
            _ if !returns || s.entry.cut.is_some() => Ok(None),
            Value::None => Err(Error::new(
                class.place,
                format!("`{told}` may end without the value that its class asks for"),
                "end every way through it with `return …`",
            )),
            value => Ok(Some(s.number_for(value, None, class.place)?)),
        }
    })?;
    let tails = s.mode.take_tails();
    if !tails.is_empty() {
        entry(s, &format!("{text}.then"), 0, |s| {
            for (instance, body) in tails {
                tail(s, instance, body)?;
            }
            Ok(None)
        })?;
    }
    Ok(())
}

/// The `each` that the operations of the class are for, if the rule's first line names one: the way to it, where it
/// stands inside others.
pub(super) fn units(s: &Specialiser, function: InstanceId) -> Option<Vec<Name>> {
    let rule = s.rules.instances[function].rule;
    let way = way_to(&rule.items, rule.each?)?;
    let eaches = &s.rules.instances[function].eaches;
    eaches
        .iter()
        .any(|(name, _)| *name == way[0])
        .then_some(way)
}

/// The way to an `each` through those around it.
pub(super) fn way_to(items: &[Item], each: Name) -> Option<Vec<Name>> {
    items.iter().find_map(|item| match &item.kind {
        ItemKind::Each { name, .. } if *name == each => Some(alloc::vec![each]),
        ItemKind::Each { name, items, .. } => {
            let mut way = way_to(items, each)?;
            way.insert(0, *name);
            Some(way)
        }
        ItemKind::Way { items, .. } => way_to(items, each),
        ItemKind::When { yes, no, .. } => way_to(yes, each).or_else(|| way_to(no, each)),
        _ => None,
    })
}

/// Whether the function, or any of its instances, has this operation.
fn usable<'a>(
    s: &mut Specialiser<'a, '_>,
    home: InstanceId,
    function: InstanceId,
    each: Option<&[Name]>,
    name: Name,
    place: Place,
) -> Result<bool> {
    let mut owners = alloc::vec![home];
    let banks = each.map_or(Vec::new(), |each| s.leaves(function, each));
    for bank in banks
        .into_iter()
        .filter(|bank| s.rules.banks[*bank].count() > 0)
        .collect::<Vec<_>>()
    {
        let first = s.constant(0);
        owners.push(s.view_at(bank, first)?);
    }
    for owner in owners {
        if s.has_routine(owner, name) && s.routine(owner, name, place).is_ok() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The tail of a batch. For one of several instances it runs for all of them: the batch does not say which were meant.
fn tail<'a>(s: &mut Specialiser<'a, '_>, instance: InstanceId, body: &'a [Stmt]) -> Result<()> {
    s.for_alike(instance, &mut |s, at| {
        s.run_body(at, Vec::new(), body)?;
        let over = s.entry.cut.take().is_some();
        Ok(if over { Flow::Ended } else { Flow::Next })
    })?;
    Ok(())
}

pub fn argument<'a>(s: &mut Specialiser<'a, '_>, word: u8, most: u64) -> Num<'a> {
    let id = s.out.b.arg(word);
    let n = s.node(id, most);
    // What the class promises of its arguments holds for the whole entry.
    s.entry.proved.at_most(id, most);
    n
}

/// A buffer of the pool: the pump has checked that it lies inside.
fn argument_buffer<'a>(
    s: &mut Specialiser<'a, '_>,
    word: u8,
    least: u64,
    longest: u64,
) -> Value<'a> {
    let at = argument(s, word, u32::MAX as u64);
    let len = match least == longest {
        true => s.constant(longest),
        false => argument(s, word + 1, longest),
    };
    s.entry.proved.at_least(len.id, least);
    Value::Buffer(Buffer {
        space: Space::Pool,
        at,
        len,
        inward: false,
        last: true,
        ends: None,
        word: None,
    })
}
