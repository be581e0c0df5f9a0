//! Rights to memory against a plain list of who made what from which.

use super::{state, World};
use crate::{
    extent::{Budget, Extent, Machine, Mapped, Revoked},
    rights::{Memory, Object},
    same,
    task::Task,
};
use abi::{layout::PAGE, system::may};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// What is mapped: by task and address, the physical page and the right it was mapped with (its number in the list).
#[derive(Default)]
struct Tables(RefCell<BTreeMap<(u32, u64), (u64, usize)>>);

impl Machine for Tables {
    fn unmap(
        &self,
        task: &'static Task,
        memory: Memory,
        from: u64,
        to: u64,
        budget: &mut Budget,
    ) -> u64 {
        let mut at = from;
        while at < to {
            if budget.is_spent() {
                return at;
            }
            budget.spend(1);
            let key = (task.number, at);
            let mut tables = self.0.borrow_mut();
            let inside = |page: u64| page.wrapping_sub(memory.base) < memory.size;
            if tables.get(&key).is_some_and(|(page, _)| inside(*page)) {
                tables.remove(&key);
                budget.spend(Budget::PAGE);
            }
            at += PAGE;
        }
        to
    }
}

/// A right as the list has it.
#[derive(Clone, Copy)]
struct Listed {
    extent: &'static Extent,
    world: usize,
    handle: u64,
    parent: Option<usize>,
    gone: bool,
}

struct Trial {
    worlds: Vec<World>,
    tables: Tables,
    list: Vec<Listed>,
    dice: u64,
}

impl Trial {
    fn new(seed: u64) -> Trial {
        let state = state();
        let worlds: Vec<World> = (0..4).map(|n| World::new(state, n)).collect();
        let mut trial = Trial {
            worlds,
            tables: Tables::default(),
            list: Vec::new(),
            dice: seed,
        };
        let all = Memory {
            base: 0x100_0000,
            size: 64 * PAGE,
            device: false,
        };
        trial.add(0, all, None);
        trial
    }

    fn roll(&mut self, sides: usize) -> usize {
        self.dice = self
            .dice
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.dice >> 33) as usize % sides
    }

    fn add(&mut self, world: usize, memory: Memory, parent: Option<usize>) {
        let here = &self.worlds[world];
        let extent = here
            .task
            .spare_extent(memory)
            .unwrap_or_else(|| here.place(Extent::new(memory)));
        let Ok(handle) = here.task.rights.add_memory(here.task, extent, may::ALL) else {
            return;
        };
        if let Some(parent) = parent {
            self.list[parent].extent.derive(extent);
        }
        self.list.push(Listed {
            extent,
            world,
            handle: handle.into(),
            parent,
            gone: false,
        });
    }

    fn some(&mut self) -> usize {
        let alive: Vec<usize> = (0..self.list.len())
            .filter(|n| !self.list[*n].gone)
            .collect();
        let pick = self.roll(alive.len());
        alive[pick]
    }

    /// Whether `n` was made from `from`, or from what was.
    fn below(&self, n: usize, from: usize) -> bool {
        let mut at = self.list[n].parent;
        while let Some(parent) = at {
            if parent == from {
                return true;
            }
            at = self.list[parent].parent;
        }
        false
    }

    fn map(&mut self) {
        let with = self.some();
        let memory = self.list[with].extent.memory();
        let page = memory.base + self.roll((memory.size / PAGE) as usize) as u64 * PAGE;
        let world = self.roll(self.worlds.len());
        let at = (1 + self.roll(2000) as u64) * PAGE;
        let (task, extent) = (self.worlds[world].task, self.list[with].extent);
        if self.tables.0.borrow().contains_key(&(task.number, at)) {
            return;
        }
        match extent.mapped_in(task) {
            Some(mapped) => mapped.widen(at, at + PAGE),
            None => {
                let mapped = task
                    .spare_mapped()
                    .unwrap_or_else(|| self.worlds[world].place(Mapped::new()));
                mapped.start(task, extent, at, at + PAGE);
            }
        }
        self.tables
            .0
            .borrow_mut()
            .insert((task.number, at), (page, with));
    }

    /// What the list says is left after a right is given up: its children are its parent's, and so is what is mapped with it.
    fn forget(&mut self) {
        let n = self.some();
        if n == 0 {
            return;
        }
        let Listed {
            world,
            handle,
            parent,
            ..
        } = self.list[n];
        self.worlds[world]
            .task
            .rights
            .drop_right(handle)
            .expect("it was there");
        self.list[n].gone = true;
        for other in &mut self.list {
            if other.parent == Some(n) {
                other.parent = parent;
            }
        }
        for (_, with) in self.tables.0.borrow_mut().values_mut() {
            if *with == n {
                *with = parent.expect("not the first");
            }
        }
    }

    fn revoke(&mut self) {
        let n = self.some();
        let below: Vec<bool> = (0..self.list.len()).map(|one| self.below(one, n)).collect();
        let before = self.tables.0.borrow().clone();
        let extent = self.list[n].extent;
        let mut steps = 0;
        loop {
            let mut budget = Budget(1 + self.roll(200) as i64);
            match extent.revoke(&self.tables, &mut budget) {
                Revoked::All => break,
                Revoked::Part => {}
                Revoked::Task(_) => panic!("no task was made in it"),
            }
            assert!(budget.is_spent(), "it stopped before its budget was spent");
            steps += 1;
            assert!(steps < 100_000);
        }
        let after = self.tables.0.borrow();
        for (key, (page, with)) in &before {
            let still = after.contains_key(key);
            if below[*with] {
                assert!(!still, "mapped with a right that was taken back");
            } else if !still {
                // Only where the same task mapped the same page with a right that was taken back: by its memory.
                let other = before.iter().any(|(other, (_, with))| {
                    let memory = self.list[*with].extent.memory();
                    other.0 == key.0 && below[*with] && page.wrapping_sub(memory.base) < memory.size
                });
                assert!(other, "mapped with a right that nobody took back");
            }
        }
        drop(after);
        for (one, gone) in below.into_iter().enumerate() {
            self.list[one].gone |= gone;
        }
    }

    /// Tables of rights, derivations and memory are as the list says.
    fn check(&self) {
        for (n, one) in self.list.iter().enumerate().filter(|(_, one)| !one.gone) {
            let right = self.worlds[one.world]
                .task
                .rights
                .get(one.handle)
                .expect("a handle");
            let Object::Memory(extent) = right.object else {
                panic!("right {n} is gone")
            };
            assert!(same(extent, one.extent));
            let below = (0..self.list.len())
                .filter(|other| !self.list[*other].gone && self.below(*other, n));
            assert_eq!(extent.descendants(), below.count());
        }
        let alive = |world: usize| {
            self.list
                .iter()
                .filter(|one| !one.gone && one.world == world)
                .count()
        };
        for (n, world) in self.worlds.iter().enumerate() {
            assert_eq!(
                world.task.rights.used() as usize,
                alive(n),
                "rights that nobody made"
            );
        }
    }
}

#[test]
fn rights_to_memory_are_as_a_list_of_them_says() {
    for seed in 0..20 {
        let mut trial = Trial::new(seed);
        for _ in 0..400 {
            match trial.roll(10) {
                0..=3 => {
                    let from = trial.some();
                    let memory = trial.list[from].extent.memory();
                    let pages = (memory.size / PAGE) as usize;
                    let first = trial.roll(pages) as u64;
                    let length = 1 + trial.roll(pages - first as usize) as u64;
                    let part = memory.part(first * PAGE, length * PAGE).expect("inside");
                    let world = trial.roll(4);
                    trial.add(world, part, Some(from));
                }
                4..=7 => trial.map(),
                8 => trial.forget(),
                _ => trial.revoke(),
            }
            trial.check();
        }
    }
}

/// What is taken back comes back: a hundred rounds need no more memory than one.
#[test]
fn nothing_is_used_up() {
    let mut trial = Trial::new(7);
    let mut used = Vec::new();
    for _ in 0..100 {
        trial.dice = 7;
        for _ in 0..20 {
            let from = trial.some();
            let memory = trial.list[from].extent.memory();
            let world = trial.roll(4);
            trial.add(world, memory, Some(from));
            trial.map();
        }
        let mut budget = Budget(i64::MAX);
        let all = trial.list[0].extent.revoke(&trial.tables, &mut budget);
        assert!(matches!(all, Revoked::All));
        trial.tables.0.borrow_mut().clear();
        trial.list.truncate(1);
        used.push(
            trial
                .worlds
                .iter()
                .map(|world| world.used.get())
                .sum::<usize>(),
        );
    }
    assert!(
        used[0] > 0 && used.iter().all(|one| *one == used[0]),
        "{used:?}"
    );
}

/// A chain of rights, each made from the one before: no step is longer than another.
#[test]
fn a_chain_is_taken_back_in_steps() {
    let mut trial = Trial::new(1);
    for n in 0..200 {
        let memory = trial.list[n].extent.memory();
        trial.add(n % 4, memory, Some(n));
    }
    let mut steps = 0;
    loop {
        steps += 1;
        let mut budget = Budget(100);
        match trial.list[0].extent.revoke(&trial.tables, &mut budget) {
            Revoked::All => break,
            _ => assert!((-100..=0).contains(&budget.0), "{}", budget.0),
        }
    }
    assert!((50..400).contains(&steps), "{steps} steps");
    assert_eq!(trial.list[0].extent.descendants(), 0);
}

/// A task that is made in memory is named, so that it can be destroyed, whoever gave its right up.
#[test]
fn a_task_in_it_is_named() {
    let mut trial = Trial::new(1);
    let all = trial.list[0].extent.memory();
    let part = all.part(0, 16 * PAGE).expect("inside");
    trial.add(1, part, Some(0));
    let inner = trial.worlds[3].task;
    trial.list[1].extent.donate(inner);
    let revoke = |trial: &Trial| {
        trial.list[0]
            .extent
            .revoke(&trial.tables, &mut Budget(1000))
    };
    assert!(matches!(revoke(&trial), Revoked::Task(task) if same(task, inner)));
    inner.returned();
    assert!(matches!(revoke(&trial), Revoked::All));
    // Given up, it is the first right's task: that one stays.
    trial.add(1, part, Some(0));
    let given = trial.list[2];
    given.extent.donate(inner);
    trial.worlds[1]
        .task
        .rights
        .drop_right(given.handle)
        .expect("there");
    assert!(matches!(revoke(&trial), Revoked::All));
    inner.returned();
}
