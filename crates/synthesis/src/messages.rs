//! Interrupts by message: `event message(n)`, and how many of them a device has.

use crate::entries::{argument, chain_of, entry, finish_by, hears, is_event, name_of};
use crate::execute::Flow;
use crate::instance::{InstanceId, Specialiser};
use crate::matching::Choice;
use crate::value::Num;
use crate::{Error, Result};
use alloc::{format, vec::Vec};
use graph::{BinOp, Op};
use machine::{Device, Value};
use rulebook::tree::{Book, Event, ItemKind, Name};

/// The learned fact of a device that says how many messages it may send. The installer gives it; without it there are none.
pub const MESSAGES: &str = "messages";

/// Most messages of one device: its driver waits for so many interrupts.
pub const MOST_MESSAGES: u64 = abi::program::INTERRUPTS as u64;

/// How many messages the installer gave the device.
pub fn given(device: &Device) -> u64 {
    match device.fact(MESSAGES) {
        Some(Value::Number(n)) => (*n).min(MOST_MESSAGES),
        _ => 0,
    }
}

/// Whether a driver by these rules would hear messages, if the device could send them.
pub fn hears_messages(book: &Book, choice: &Choice) -> bool {
    let Some(name) = book.names.iter().position(|n| n == "message") else {
        return false;
    };
    let rules = choice.rules.iter().filter_map(|rule| book.rules.get(*rule));
    let mut items = rules.flat_map(|rule| &rule.items);
    items.any(|item| hears(item, Name(name as u16)))
}

/// The entry `message(n)`, where the device has messages and the rules hear them: then no wire is listened to. Gives how
/// many messages are heard.
pub fn message_entry(s: &mut Specialiser, function: InstanceId) -> Result<Option<u64>> {
    let given = given(s.rules.subject.device);
    if given == 0 {
        return Ok(None);
    }
    let Some(name) = name_of(s, "message") else {
        return Ok(None);
    };
    let chain = chain_of(s, function);
    s.out.b.open();
    let heard = any_heard(s, &chain, name);
    s.out.b.close();
    if !heard? {
        return Ok(None);
    }
    let mut most = 0;
    entry(s, "message", 1, |s| {
        let mut call = Call {
            name,
            which: argument(s, 0, given - 1),
            given,
            mine: s.out.b.new_local(),
            most: 0,
        };
        let again = s.out.b.new_local();
        let zero = s.out.b.constant(0);
        s.out.b.step(Op::SetLocal(again, zero));
        s.out.b.step(Op::SetLocal(call.mine, zero));
        s.mode.set_again(Some(again));
        let told = |k: &ItemKind| is_event(k, name);
        for id in chain {
            call.tell(s, id)?;
            s.for_all_inside(id, &told, &mut |s, view| call.tell(s, view))?;
        }
        most = call.most;
        finish_by(s, call.mine)?;
        Ok(None)
    })?;
    Ok(Some(most + 1))
}

/// Events of an instance for any message, whose guards hold.
fn events<'a>(s: &mut Specialiser<'a, '_>, id: InstanceId, name: Name) -> Result<Vec<&'a Event>> {
    let mut found = Vec::new();
    for item in s.items(id) {
        let ItemKind::Event(event) = &item.kind else {
            continue;
        };
        let named = event.part.is_none() && event.name == name;
        if named && s.guard_holds(id, event.guard.as_ref())? {
            found.push(event);
        }
    }
    Ok(found)
}

fn any_heard(s: &mut Specialiser, chain: &[InstanceId], name: Name) -> Result<bool> {
    for id in chain {
        if s.heard_inside(*id, &|k| is_event(k, name)) || !events(s, *id, name)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The entry while it is written.
struct Call<'a> {
    name: Name,
    /// The message that came.
    which: Num<'a>,
    given: u64,
    /// Local: whether anyone heard it.
    mine: u16,
    /// The highest number that is heard.
    most: u64,
}

impl<'a> Call<'a> {
    fn tell(&mut self, s: &mut Specialiser<'a, '_>, id: InstanceId) -> Result<Flow> {
        for event in events(s, id, self.name)? {
            let Some(selector) = &event.selector else {
                continue;
            };
            s.enter(id, Vec::new());
            let number = s.exact_number(selector);
            s.leave();
            let number = number?;
            if number.most >= self.given {
                return Err(Error::new(
                    selector.place,
                    format!(
                        "message {} is heard, but the device has {}",
                        number.most, self.given
                    ),
                    "let messages share a number: `% messages`",
                ));
            }
            self.most = self.most.max(number.most);
            if self.given == 1 {
                s.run_event_of(id, event, self.mine)?;
                continue;
            }
            let same = s.out.b.bin(BinOp::Eq, self.which.id, number.id);
            let same = s.node(same, 1);
            let mine = self.mine;
            s.branch(
                same,
                |s| s.run_event_of(id, event, mine),
                |_| Ok(Flow::Next),
            )?;
        }
        Ok(Flow::Next)
    }
}
