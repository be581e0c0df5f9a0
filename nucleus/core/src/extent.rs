//! What stands behind each right to memory: what it was made from, what was made from it, and who has mapped something with it.
//! So all of that can be taken back ([`Extent::revoke`]).

use crate::{rights::Memory, rights::Right, same, task::Task};
use core::cell::Cell;

/// One right to memory. It lies in the memory that the right's holder donated.
pub struct Extent {
    memory: Cell<Memory>,
    /// Whose table of rights it is in, and where there.
    holder: Cell<Option<&'static Task>>,
    handle: Cell<u32>,
    parent: Cell<Option<&'static Extent>>,
    /// The first of those made from it; the others are its `next`.
    child: Cell<Option<&'static Extent>>,
    before: Cell<Option<&'static Extent>>,
    next: Cell<Option<&'static Extent>>,
    mapped: Cell<Option<&'static Mapped>>,
    /// The first task made in this memory; the others are its `next_donated`.
    donated: Cell<Option<&'static Task>>,
}

/// A task into which something was mapped with a right to memory, and between which addresses. It lies in the memory that the
/// task donated, and stays as long as task and right do.
pub struct Mapped {
    task: Cell<Option<&'static Task>>,
    extent: Cell<Option<&'static Extent>>,
    from: Cell<u64>,
    to: Cell<u64>,
    /// In the list of the extent.
    before: Cell<Option<&'static Mapped>>,
    next: Cell<Option<&'static Mapped>>,
    /// In the list of the task.
    earlier: Cell<Option<&'static Mapped>>,
    later: Cell<Option<&'static Mapped>>,
}

/// How much one step of a long call may still do: the step ends when nothing is left.
pub struct Budget(pub i64);

impl Budget {
    /// What the removal of one thing costs, beside a look at an entry of a page table, which costs 1.
    pub const PAGE: i64 = 16;
    const LINK: i64 = 4;
    const EXTENT: i64 = 32;
    /// About 20,000 instructions.
    pub const STEP: Budget = Budget(1024);

    pub fn spend(&mut self, cost: i64) {
        self.0 -= cost;
    }

    pub fn is_spent(&self) -> bool {
        self.0 <= 0
    }
}

/// What [`Extent::revoke`] needs of the machine.
pub trait Machine {
    /// Unmaps pages of `memory` from `from` on, below `to`, and unbinds frame pages of the task's threads in it. How far it came.
    fn unmap(
        &self,
        task: &'static Task,
        memory: Memory,
        from: u64,
        to: u64,
        budget: &mut Budget,
    ) -> u64;
}

/// What a revocation came to.
pub enum Revoked {
    All,
    /// There is more to do.
    Part,
    /// This task was made in what is revoked: it must be destroyed first.
    Task(&'static Task),
}

impl Extent {
    pub fn new(memory: Memory) -> Extent {
        Extent {
            memory: Cell::new(memory),
            holder: Cell::new(None),
            handle: Cell::new(0),
            parent: Cell::new(None),
            child: Cell::new(None),
            before: Cell::new(None),
            next: Cell::new(None),
            mapped: Cell::new(None),
            donated: Cell::new(None),
        }
    }

    #[inline]
    pub fn memory(&self) -> Memory {
        self.memory.get()
    }

    /// It is the right at this place of this task's table.
    pub(crate) fn held(&self, holder: &'static Task, handle: u32) {
        self.holder.set(Some(holder));
        self.handle.set(handle);
    }

    /// `child` was made from it.
    pub fn derive(&'static self, child: &'static Extent) {
        child.parent.set(Some(self));
        child.before.set(None);
        child.next.set(self.child.replace(Some(child)));
        if let Some(next) = child.next.get() {
            next.before.set(Some(child));
        }
    }

    fn leave_parent(&self) {
        let (before, next) = (self.before.take(), self.next.take());
        match (before, self.parent.take()) {
            (Some(before), _) => before.next.set(next),
            (None, Some(parent)) => parent.child.set(next),
            (None, None) => {}
        }
        if let Some(next) = next {
            next.before.set(before);
        }
    }

    /// The right is given up. What was made from it, and mapped with it, belongs to what it was made from.
    pub fn forget(&'static self) {
        let parent = self.parent.get();
        while let Some(child) = self.child.get() {
            child.leave_parent();
            if let Some(parent) = parent {
                parent.derive(child);
            }
        }
        while let Some(mapped) = self.mapped.get() {
            let task = mapped.leave();
            if let (Some(parent), Some(task)) = (parent, task) {
                match parent.mapped_in(task) {
                    Some(other) => other.widen(mapped.from.get(), mapped.to.get()),
                    None => {
                        mapped.enter(task, parent);
                        continue;
                    }
                }
            }
            mapped.spare(task);
        }
        while let Some(task) = self.donated.get() {
            task.returned();
            if let Some(parent) = parent {
                parent.donate(task);
            }
        }
        self.spare();
    }

    /// Its memory is for the holder's next extent.
    fn spare(&'static self) {
        self.leave_parent();
        if let Some(holder) = self.holder.take() {
            self.next.set(holder.spare_extents.replace(Some(self)));
        }
    }

    /// `task` was made in it.
    pub fn donate(&'static self, task: &'static Task) {
        task.donor.set(Some(self));
        task.next_donated.set(self.donated.replace(Some(task)));
    }

    /// What says where `task` has mapped something with it.
    #[inline]
    pub fn mapped_in(&'static self, task: &'static Task) -> Option<&'static Mapped> {
        let mut one = task.mapped_with.get();
        while let Some(mapped) = one {
            if mapped.extent.get().is_some_and(|extent| same(extent, self)) {
                return Some(mapped);
            }
            one = mapped.later.get();
        }
        None
    }

    /// Takes back what was made from it: rights, what is mapped with them, tasks that live in it. It stays itself, with what is
    /// mapped with it. Each call does as much as the budget allows, and leaves everything in order.
    pub fn revoke(&'static self, machine: &impl Machine, budget: &mut Budget) -> Revoked {
        while let Some(child) = self.child.get() {
            if budget.is_spent() {
                return Revoked::Part;
            }
            // Whatever was made from the child comes first. Each extent is moved up at most once: who made it is made from this.
            if let Some(grandchild) = child.child.get() {
                grandchild.leave_parent();
                self.derive(grandchild);
                budget.spend(Budget::LINK);
                continue;
            }
            if let Some(task) = child.donated.get() {
                return Revoked::Task(task);
            }
            if let Some(mapped) = child.mapped.get() {
                if let Some(task) = mapped.task.get() {
                    let (from, to) = (mapped.from.get(), mapped.to.get());
                    let end = machine.unmap(task, child.memory(), from, to, budget);
                    mapped.from.set(end);
                    if end < to {
                        return Revoked::Part;
                    }
                }
                let task = mapped.leave();
                mapped.spare(task);
                budget.spend(Budget::EXTENT);
                continue;
            }
            if let Some(holder) = child.holder.get() {
                holder.rights.set(child.handle.get(), Right::NONE);
            }
            child.spare();
            budget.spend(Budget::EXTENT);
        }
        Revoked::All
    }

    /// How many were made from it, and from these.
    #[cfg(test)]
    pub(crate) fn descendants(&'static self) -> usize {
        let mut count = 0;
        let mut at = self;
        loop {
            if let Some(child) = at.child.get() {
                at = child;
                count += 1;
                continue;
            }
            loop {
                if same(at, self) {
                    return count;
                }
                if let Some(next) = at.next.get() {
                    at = next;
                    count += 1;
                    break;
                }
                match at.parent.get() {
                    Some(parent) => at = parent,
                    None => return count,
                }
            }
        }
    }
}

impl Mapped {
    pub fn new() -> Mapped {
        Mapped {
            task: Cell::new(None),
            extent: Cell::new(None),
            from: Cell::new(0),
            to: Cell::new(0),
            before: Cell::new(None),
            next: Cell::new(None),
            earlier: Cell::new(None),
            later: Cell::new(None),
        }
    }

    /// `task` maps something from `from` up to `to` with the extent.
    pub fn start(&'static self, task: &'static Task, extent: &'static Extent, from: u64, to: u64) {
        self.from.set(from);
        self.to.set(to);
        self.enter(task, extent);
    }

    fn enter(&'static self, task: &'static Task, extent: &'static Extent) {
        self.task.set(Some(task));
        self.extent.set(Some(extent));
        self.next.set(extent.mapped.replace(Some(self)));
        if let Some(next) = self.next.get() {
            next.before.set(Some(self));
        }
        self.later.set(task.mapped_with.replace(Some(self)));
        if let Some(later) = self.later.get() {
            later.earlier.set(Some(self));
        }
    }

    /// More is mapped with the same right.
    #[inline]
    pub fn widen(&self, from: u64, to: u64) {
        self.from.set(self.from.get().min(from));
        self.to.set(self.to.get().max(to));
    }

    /// Out of both lists; whose it was.
    fn leave(&self) -> Option<&'static Task> {
        let (before, next) = (self.before.take(), self.next.take());
        let (earlier, later) = (self.earlier.take(), self.later.take());
        let (extent, task) = (self.extent.take(), self.task.take());
        match (before, extent) {
            (Some(before), _) => before.next.set(next),
            (None, Some(extent)) => extent.mapped.set(next),
            (None, None) => {}
        }
        if let Some(next) = next {
            next.before.set(before);
        }
        match (earlier, task) {
            (Some(earlier), _) => earlier.later.set(later),
            (None, Some(task)) => task.mapped_with.set(later),
            (None, None) => {}
        }
        if let Some(later) = later {
            later.earlier.set(earlier);
        }
        task
    }

    /// Its memory is for the next one of the same task.
    pub fn spare(&'static self, task: Option<&'static Task>) {
        if let Some(task) = task {
            self.later.set(task.spare_mapped.replace(Some(self)));
        }
    }
}

impl Default for Mapped {
    fn default() -> Self {
        Mapped::new()
    }
}

impl Task {
    /// Memory for an extent that is no longer used.
    pub fn spare_extent(&self, memory: Memory) -> Option<&'static Extent> {
        let spare = self.spare_extents.get()?;
        self.spare_extents.set(spare.next.take());
        spare.memory.set(memory);
        Some(spare)
    }

    /// Memory for what is mapped that is no longer used.
    pub fn spare_mapped(&self) -> Option<&'static Mapped> {
        let spare = self.spare_mapped.get()?;
        self.spare_mapped.set(spare.later.take());
        Some(spare)
    }

    /// The memory it was made in is the holder's again.
    pub(crate) fn returned(&self) {
        let Some(donor) = self.donor.take() else {
            return;
        };
        let mut link = &donor.donated;
        while let Some(other) = link.get() {
            if same(other, self) {
                link.set(self.next_donated.take());
                return;
            }
            link = &other.next_donated;
        }
    }

    /// The end of the task: its rights to memory are given up, and nothing says any more what it has mapped.
    pub(crate) fn forget_memory(&'static self) {
        self.rights.forget_all();
        while let Some(mapped) = self.mapped_with.get() {
            mapped.leave();
        }
        self.returned();
    }
}
