//! The crate against Linux: the same random calls in a window of 64 pages of this process and in the crate, compared in
//! result, error and map after each call, and at the end of each sequence in what a touch of each page does.
mod oracle;

use areas::{map_flags as map, Access, Areas, Bounds, File, Request, Supply, PAGE};
use noise::Random;
use oracle::{Linux, Touch, BASE, PAGES};

/// Where a result that is not in the window counts as.
const ELSEWHERE: u64 = 1;

struct Pair {
    linux: Linux,
    crate_: Areas,
    fresh: u64,
    /// Bytes of shared anonymous memory by its number: what lies beyond is SIGBUS, which the crate leaves to its user.
    sizes: std::collections::HashMap<u64, u64>,
    noise: Random,
    log: Vec<String>,
    succeeded: usize,
    failed: usize,
}

fn main() {
    let (mut calls, mut succeeded, mut failed, mut touches) = (0, 0, 0, 0);
    let linux = Linux::new();
    let mut pair = Pair {
        linux,
        crate_: Areas::new(bounds()),
        fresh: 1000,
        sizes: Default::default(),
        noise: noise::seeded(7),
        log: Vec::new(),
        succeeded,
        failed,
    };
    for _ in 0..noise::rounds(120) {
        pair.reset();
        for _ in 0..60 {
            pair.step();
            calls += 1;
        }
        touches += pair.touch();
    }
    succeeded += pair.succeeded;
    failed += pair.failed;
    println!("{calls} calls, {succeeded} succeeded, {failed} failed alike; {touches} touches");
    assert!(
        succeeded > calls / 3 && failed > calls / 10,
        "both kinds of result come"
    );
}

fn bounds() -> Bounds {
    Bounds {
        high: 0x60_0000_0000,
        end: oracle::TASK_END,
        ..Bounds::usual()
    }
}

impl Pair {
    fn reset(&mut self) {
        self.crate_ = Areas::new(bounds());
        self.log.clear();
        for (page, pages, kind) in [
            (-1, PAGES + 2, map::PRIVATE),
            (-1, 1, map::SHARED),
            (PAGES, 1, map::SHARED),
        ] {
            let address = BASE.wrapping_add_signed(page * PAGE as i64);
            let flags = kind | map::FIXED | map::ANONYMOUS;
            self.mmap(address, pages as u64 * PAGE, 0, flags, 0, None);
        }
    }

    fn mmap(
        &mut self,
        address: u64,
        length: u64,
        protection: u32,
        flags: u32,
        offset: u64,
        file: Option<usize>,
    ) {
        let opened = file.map(|file| File {
            id: file as u64,
            readable: true,
            writable: file == 0,
            no_exec: false,
        });
        self.fresh += 1;
        self.sizes
            .insert(self.fresh, length.wrapping_add(PAGE - 1) & !(PAGE - 1));
        let request = Request {
            address,
            length,
            protection,
            flags,
            offset,
            file: opened,
            fresh: self.fresh,
        };
        let linux = self
            .linux
            .mmap(address, length, protection, flags, offset, file);
        let ours = self.crate_.mmap(&request).map_err(|error| error.0);
        self.placed(format!("{request:x?}"), length, linux, ours);
    }

    /// Compares results of calls that say where; what is not in the window is unmapped again.
    fn placed(
        &mut self,
        what: String,
        length: u64,
        linux: Result<u64, i32>,
        ours: Result<u64, i32>,
    ) {
        let inside = |at: u64| (BASE - PAGE..BASE + (PAGES as u64 + 1) * PAGE).contains(&at);
        if let Some(at) = linux.ok().filter(|at| !inside(*at)) {
            self.linux.munmap(at, length).unwrap();
        }
        if let Some(at) = ours.ok().filter(|at| !inside(*at)) {
            self.crate_.munmap(at, length).unwrap();
        }
        let seen =
            |result: Result<u64, i32>| result.map(|at| if inside(at) { at } else { ELSEWHERE });
        self.compare(what, seen(linux), seen(ours));
    }

    fn compare(&mut self, what: String, linux: Result<u64, i32>, ours: Result<u64, i32>) {
        self.log.push(format!("{what} = {linux:x?}"));
        *(if linux.is_ok() {
            &mut self.succeeded
        } else {
            &mut self.failed
        }) += 1;
        let (there, here) = (self.linux.map(), oracle::lines(&self.crate_));
        if linux != ours || there != here {
            let last = self.log.join("\n");
            panic!("{last}\nours {ours:x?}\nLinux {there:#x?}\nours {here:#x?}");
        }
    }

    /// An address in the window with so many pages after it, seldom an odd one.
    fn range(&mut self) -> (u64, u64) {
        let page = self.noise.below(PAGES as usize) as u64;
        let most = (PAGES as u64 - page).min(if self.noise.below(4) == 0 { 64 } else { 8 });
        let pages = 1 + self.noise.below(most as usize) as u64;
        let length = pages * PAGE
            - if self.noise.below(3) == 0 {
                self.noise.below(4096) as u64
            } else {
                0
            };
        let odd = self.noise.below(40);
        let address = BASE + page * PAGE + u64::from(odd == 0) * 8;
        (
            address,
            match odd {
                1 => 0,
                2 => u64::MAX,
                3 => u64::MAX - 4095,
                _ => length,
            },
        )
    }

    fn protection(&mut self) -> u32 {
        self.noise.pick(&[0, 1, 1, 3, 3, 3, 5, 5, 7, 2, 4, 6])
    }

    fn step(&mut self) {
        match self.noise.below(16) {
            0..=5 => self.step_mmap(),
            6..=7 => {
                let (address, length) = self.range();
                let length = if self.noise.below(30) == 0 {
                    1 << 63
                } else {
                    length
                };
                let linux = self.linux.munmap(address, length);
                let ours = self
                    .crate_
                    .munmap(address, length)
                    .map(|()| 0)
                    .map_err(|error| error.0);
                self.compare(format!("munmap {address:x} {length:x}"), linux, ours);
            }
            8..=10 => {
                let (address, length) = self.range();
                let more = [
                    0,
                    0,
                    0,
                    0,
                    0,
                    8,
                    0x10,
                    0x0100_0000,
                    0x0200_0000,
                    0x0300_0000,
                ];
                let prot = self.protection() | self.noise.pick(&more);
                // With protection keys, PROT_EXEC with PROT_SEM is not the same as PROT_EXEC alone: such areas do not join.
                let prot = if prot == 12 { 4 } else { prot };
                let linux = self.linux.mprotect(address, length, prot);
                let ours = self
                    .crate_
                    .mprotect(address, length, prot)
                    .map(|()| 0)
                    .map_err(|error| error.0);
                self.compare(
                    format!("mprotect {address:x} {length:x} {prot:x}"),
                    linux,
                    ours,
                );
            }
            11..=13 => self.step_mremap(),
            14 => {
                let (address, length) = self.range();
                let advice = self
                    .noise
                    .pick(&[0, 1, 2, 4, 8, 10, 11, 16, 17, 18, 19, 5, 77]);
                let linux = self.linux.madvise(address, length, advice);
                let ours = self
                    .crate_
                    .madvise(address, length, advice)
                    .map(|()| 0)
                    .map_err(|error| error.0);
                self.compare(
                    format!("madvise {address:x} {length:x} {advice}"),
                    linux,
                    ours,
                );
            }
            _ => {
                let (address, length) = self.range();
                let flags = self.noise.below(10) as u32;
                let linux = self.linux.msync(address, length, flags);
                let ours = self
                    .crate_
                    .msync(address, length, flags)
                    .map(|()| 0)
                    .map_err(|error| error.0);
                self.compare(format!("msync {address:x} {length:x} {flags}"), linux, ours);
                let linux = self.linux.mincore(address, length);
                let ours = self
                    .crate_
                    .mincore(address, length)
                    .map(|()| 0)
                    .map_err(|error| error.0);
                self.compare(format!("mincore {address:x} {length:x}"), linux, ours);
            }
        }
    }

    fn step_mmap(&mut self) {
        let (address, mut length) = self.range();
        if self.noise.below(60) == 0 {
            length = 1 << 63;
        }
        let file = self.noise.pick(&[None, None, Some(0), Some(0), Some(1)]);
        let kind = self.noise.pick(&[1, 1, 2, 2, 2, 2, 3, 0]);
        let place =
            self.noise.pick(&[map::FIXED; 8]) | self.noise.pick(&[0, 0, 0, map::FIXED_NOREPLACE]);
        let place = self
            .noise
            .pick(&[place, place, place, map::FIXED_NOREPLACE, 0]);
        let more = self
            .noise
            .pick(&[0, 0, 0, 0, map::NO_RESERVE, map::GROWS_DOWN]);
        let anonymous = if file.is_none() { map::ANONYMOUS } else { 0 };
        // Pages of the file follow the window's now and then, so that neighbours join.
        let page = address.wrapping_sub(BASE) / PAGE;
        let page = if self.noise.below(2) == 0 {
            page
        } else {
            self.noise.below(64) as u64
        };
        let odd = self
            .noise
            .pick(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8]);
        let protection = self.protection();
        self.mmap(
            address,
            length,
            protection,
            kind | place | more | anonymous,
            page * PAGE + odd,
            file,
        );
    }

    fn step_mremap(&mut self) {
        let (address, old) = self.range();
        let (mut to, mut new) = self.range();
        let flags = self.noise.pick(&[0, 0, 1, 3, 3, 3, 3, 3, 2, 5, 7, 4, 8]);
        if self.noise.below(3) > 0 {
            new = old;
            let room = (PAGES as u64 * PAGE).saturating_sub(new) / PAGE;
            to = BASE + self.noise.below(room as usize + 1) as u64 * PAGE;
        }
        let end = address.wrapping_add(old);
        let single = self
            .crate_
            .iter()
            .any(|area| area.start <= address && end <= area.end);
        if flags & 2 != 0 && !single && !self.linux.moves_many {
            return;
        }
        let linux = self.linux.mremap(address, old, new, flags, to);
        let ours = self
            .crate_
            .mremap(address, old, new, flags, to)
            .map_err(|error| error.0);
        self.placed(
            format!("mremap {address:x} {old:x} {new:x} {flags} {to:x}"),
            new,
            linux,
            ours,
        );
    }

    /// Reads and writes a byte of each page through system calls, which answer EFAULT instead of a signal.
    fn touch(&mut self) -> usize {
        for page in (0..PAGES as u64).rev() {
            let address = BASE + page * PAGE + self.noise.below(4096) as u64;
            let next = self.crate_.iter().find(|area| address < area.end);
            let exec_only = next.is_some_and(|area| {
                area.protection == 4 && (area.start <= address || area.grows_down)
            });
            // With protection keys Linux keeps what is only executable from being read.
            if exec_only {
                continue;
            }
            let ours = self.crate_.lookup(address, Access::Read);
            if let Ok(Supply::Page { id, offset }) = ours {
                if self.sizes.get(&id).is_some_and(|size| offset >= *size) {
                    continue;
                }
            }
            let expected = match ours {
                Ok(Supply::Page { id: 0 | 1, offset }) => Ok(oracle::byte_of(offset / PAGE)),
                Ok(_) => Ok(0),
                Err(_) => Err(()),
            };
            assert_eq!(
                self.linux.touch(address, Touch::Read),
                expected,
                "{}\nread {address:x} {ours:x?}",
                self.log.join("\n")
            );
            let ours = self.crate_.lookup(address, Access::Write);
            let written = self
                .linux
                .touch(address, Touch::Write(expected.unwrap_or(0)));
            assert_eq!(
                written.is_ok(),
                ours.is_ok(),
                "{}\nwrite {address:x} {ours:x?}",
                self.log.join("\n")
            );
        }
        assert_eq!(
            self.linux.map(),
            oracle::lines(&self.crate_),
            "stacks grew alike"
        );
        2 * PAGES as usize
    }
}
