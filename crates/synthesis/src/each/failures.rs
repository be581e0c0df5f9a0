//! Events of one of several instances, and which of them failed last.

use super::*;
use crate::execute::Flow;
use crate::exits::Exit;
use graph::{Space, Width};
use rulebook::tree::{Event, Stmt, StmtKind};

impl<'a> Specialiser<'a, '_> {
    /// `claim` in the event of one instance: the others may still have something to say.
    pub fn claim_one(&mut self, c: Num<'a>, slot: u16, exit: Exit, place: Place) -> Result<Flow> {
        self.branch(
            c,
            |s| {
                let one = s.out.b.constant(1);
                s.out.b.step(Op::SetLocal(slot, one));
                Ok(Flow::Next)
            },
            |s| s.jump(exit, place),
        )
    }

    /// The event of one instance, in a block of its own: `stop` and a `claim` that fails leave it.
    pub fn run_event_of(&mut self, view: InstanceId, event: &'a Event, mine: u16) -> Result<Flow> {
        self.in_block(None, |s, exit| {
            if !claims(&event.body) {
                let one = s.out.b.constant(1);
                s.out.b.step(Op::SetLocal(mine, one));
            }
            let before = s.mode.set_claims(Some((mine, exit)));
            let outcome = s.run_body(view, Vec::new(), &event.body);
            s.mode.set_claims(before);
            outcome
        })?;
        self.entry.cut = None;
        Ok(Flow::Next)
    }

    /// Where the number of the instance that failed last is kept.
    fn failed_cell(&mut self, root: InstanceId, each: Name) -> Result<Spot<'a>> {
        // A name of its own beside the instance's: no text has it.
        let key = Name(each.0 | 0x4000);
        self.memory(root, key, |s| Ok(s.state_spot(word(1))))
    }

    /// Before an instance's code ends with a failure: `recover` will want to know which one it was, and in which ones
    /// around it.
    pub fn remember_failed(&mut self) -> Result<()> {
        if self.is_live() {
            return Ok(());
        }
        let mut failed = Vec::new();
        let mut at = self.here();
        while let Some((bank, position)) = self.rules.instances[at].bank {
            failed.push((bank, position));
            match self.rules.instances[self.view_of(at)].lower {
                Some(around) => at = around,
                None => break,
            }
        }
        let Some((outermost, _)) = failed.last() else {
            return Ok(());
        };
        let Owner::One(root) = self.rules.banks[*outermost].owner else {
            return Ok(());
        };
        for (bank, position) in failed {
            let cell = self.failed_cell(root, self.rules.banks[bank].name)?;
            let first = self.first_of(bank);
            let unit = self.plus(position, first);
            self.raw_store(Space::State, cell.at, Width::B64, unit);
        }
        Ok(())
    }

    /// The number, among all of its kind, of the instance that failed last.
    pub fn failed_unit(&mut self, root: InstanceId, each: Name) -> Result<Num<'a>> {
        let cell = self.failed_cell(root, each)?;
        Ok(self.raw_load(Space::State, cell.at, Width::B64))
    }
}

fn claims(body: &[Stmt]) -> bool {
    body.iter().any(|s| match &s.kind {
        StmtKind::Claim(_) => true,
        StmtKind::When { yes, no, .. } | StmtKind::If { yes, no, .. } => claims(yes) || claims(no),
        _ => false,
    })
}
