//! Signals of a Linux personality, as state: what is pending, what is blocked, and what is delivered next.
//!
//! Nothing here runs a handler or stops a thread. [`Signals::deliver`] says what is to be done, and the caller, who
//! holds the threads' registers, does it. The tests run the same calls under Linux and compare.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

mod pending;
mod set;

pub use pending::Pending;
pub use set::{Set, Signal};

use alloc::collections::BTreeMap;
use set::{CONTINUE, IGNORED, STOPS, SYNCHRONOUS};

/// What a program wants done with a signal (sigaction(2)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Action {
    /// Which of the three.
    pub handler: Handler,
    /// Blocked beside the signal itself while the handler runs.
    pub mask: Set,
    /// The signal itself is not blocked while its handler runs (SA_NODEFER).
    pub nested: bool,
    /// The action becomes the default when a signal is handled (SA_RESETHAND).
    pub once: bool,
}

/// Where a signal goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Handler {
    /// What signal(7) lists as the signal's default action.
    #[default]
    Default,
    /// Nowhere.
    Ignore,
    /// To the program's function at this address.
    Function(u64),
}

/// To whom a signal is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<K> {
    /// The process: any of its threads may take it (kill(2)).
    Process,
    /// One thread (tgkill(2), and faults).
    Thread(K),
}

/// Why a call was refused, as errno(3) names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// ESRCH: there is no such thread.
    NoThread,
    /// EAGAIN: the queue is full, or nothing is pending.
    Again,
    /// EINVAL: the action of this signal cannot be changed.
    Invalid,
}

impl Error {
    /// Linux's number on x86-64 and AArch64.
    #[must_use]
    pub const fn number(self) -> i32 {
        match self {
            Error::NoThread => 3,
            Error::Again => 11,
            Error::Invalid => 22,
        }
    }
}

/// What a thread is to do before it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery<I> {
    /// Run the function; `restore` is the mask that stands in the signal's frame, which sigreturn(2) sets again.
    Run {
        /// The signal.
        signal: Signal,
        /// What was sent with it; none when there was no room to keep it.
        info: Option<I>,
        /// The function's address.
        function: u64,
        /// The mask from before.
        restore: Set,
    },
    /// The process ends; `core` says whether signal(7) has it leave a core file.
    End {
        /// The signal.
        signal: Signal,
        /// With a core file.
        core: bool,
    },
    /// The process stops until SIGCONT comes.
    Stop(Signal),
}

struct Thread<I> {
    blocked: Set,
    pending: Pending<I>,
}

/// The signals of one process. `K` names its threads; `I` is what is sent with a signal (siginfo_t).
pub struct Signals<K, I> {
    actions: [Action; Signal::MOST as usize],
    shared: Pending<I>,
    threads: BTreeMap<K, Thread<I>>,
    /// How many signals may be kept with what was sent (RLIMIT_SIGPENDING).
    limit: usize,
}

impl<K: Ord + Copy, I> Signals<K, I> {
    /// A process with one thread that blocks nothing. At most `limit` real-time signals are queued.
    #[must_use]
    pub fn new(first: K, limit: usize) -> Self {
        let mut threads = BTreeMap::new();
        let thread = Thread {
            blocked: Set::EMPTY,
            pending: Pending::new(),
        };
        threads.insert(first, thread);
        Signals {
            actions: [Action::default(); Signal::MOST as usize],
            shared: Pending::new(),
            threads,
            limit,
        }
    }

    /// A new thread, with the mask of the one that made it and nothing pending.
    ///
    /// # Errors
    /// [`Error::NoThread`] when `maker` is none of this process.
    pub fn add_thread(&mut self, new: K, maker: K) -> Result<(), Error> {
        let blocked = self.blocked(maker)?;
        let pending = Pending::new();
        self.threads.insert(new, Thread { blocked, pending });
        Ok(())
    }

    /// A thread has ended, and what was pending for it alone is gone.
    pub fn remove_thread(&mut self, thread: K) {
        self.threads.remove(&thread);
    }

    /// What a thread blocks.
    ///
    /// # Errors
    /// [`Error::NoThread`].
    pub fn blocked(&self, thread: K) -> Result<Set, Error> {
        let thread = self.threads.get(&thread).ok_or(Error::NoThread)?;
        Ok(thread.blocked)
    }

    /// Sets what a thread blocks. SIGKILL and SIGSTOP cannot be blocked and are left out without a word, as
    /// sigprocmask(2) says.
    ///
    /// # Errors
    /// [`Error::NoThread`].
    pub fn block(&mut self, thread: K, blocked: Set) -> Result<(), Error> {
        let thread = self.threads.get_mut(&thread).ok_or(Error::NoThread)?;
        thread.blocked = blocked.without(Set::UNBLOCKABLE);
        Ok(())
    }

    /// What is done with a signal.
    #[must_use]
    pub fn action(&self, signal: Signal) -> Action {
        self.actions[signal.index()]
    }

    /// Says what is to be done with a signal, and returns what was done before. Pending signals that are ignored from
    /// now on are thrown away (POSIX.1, 2.4.3).
    ///
    /// # Errors
    /// [`Error::Invalid`] for SIGKILL and SIGSTOP.
    pub fn set_action(&mut self, signal: Signal, action: Action) -> Result<Action, Error> {
        if Set::UNBLOCKABLE.has(signal) {
            return Err(Error::Invalid);
        }
        let before = self.actions[signal.index()];
        self.actions[signal.index()] = Action {
            mask: action.mask.without(Set::UNBLOCKABLE),
            ..action
        };
        if self.ignores(signal) {
            self.forget(Set::of(signal));
        }
        Ok(before)
    }

    /// What execve(2) leaves: handlers become the default, what is ignored stays ignored.
    pub fn execute(&mut self) {
        for action in &mut self.actions {
            let handler = match action.handler {
                Handler::Ignore => Handler::Ignore,
                _ => Handler::Default,
            };
            *action = Action {
                handler,
                ..Action::default()
            };
        }
    }

    fn ignores(&self, signal: Signal) -> bool {
        match self.actions[signal.index()].handler {
            Handler::Ignore => true,
            Handler::Default => IGNORED.has(signal),
            Handler::Function(_) => false,
        }
    }

    fn forget(&mut self, set: Set) {
        self.shared.forget(set);
        for thread in self.threads.values_mut() {
            thread.pending.forget(set);
        }
    }

    /// Sends a signal and says which thread is to look, if one can take it now. `from_queue` is true for
    /// sigqueue(3) and its kin, which fail rather than lose what they send.
    ///
    /// # Errors
    /// [`Error::NoThread`]; [`Error::Again`] when the queue is full.
    pub fn send(
        &mut self,
        target: Target<K>,
        signal: Signal,
        info: I,
        from_queue: bool,
    ) -> Result<Option<K>, Error> {
        // A process is asked through its first thread whether the signal is blocked, as Linux does.
        let asked = match target {
            Target::Thread(thread) => Some(thread),
            Target::Process => self.threads.keys().next().copied(),
        };
        let asked = asked.ok_or(Error::NoThread)?;
        let blocked = self.blocked(asked)?.has(signal);
        if STOPS.has(signal) {
            self.forget(CONTINUE);
        } else if CONTINUE.has(signal) {
            self.forget(STOPS);
        }
        if !blocked && self.ignores(signal) {
            return Ok(None);
        }
        let kept = self.kept();
        let pending = match target {
            Target::Process => &mut self.shared,
            Target::Thread(thread) => {
                let thread = self.threads.get_mut(&thread).ok_or(Error::NoThread)?;
                &mut thread.pending
            }
        };
        let room = kept < self.limit || !signal.is_real_time();
        if pending.set().has(signal) && !signal.is_real_time() {
            return Ok(None);
        }
        match (room, from_queue) {
            (true, _) => pending.add(signal, Some(info)),
            (false, true) => return Err(Error::Again),
            (false, false) => pending.add(signal, None),
        }
        Ok(self.taker(target, signal))
    }

    /// How many signals are kept with what was sent.
    fn kept(&self) -> usize {
        let threads = self.threads.values();
        self.shared.len() + threads.map(|thread| thread.pending.len()).sum::<usize>()
    }

    fn taker(&self, target: Target<K>, signal: Signal) -> Option<K> {
        let takes = |thread: &K| {
            !self
                .threads
                .get(thread)
                .is_none_or(|t| t.blocked.has(signal))
        };
        match target {
            Target::Thread(thread) => Some(thread).filter(takes),
            Target::Process => self.threads.keys().copied().find(takes),
        }
    }

    /// What is pending for a thread, blocked or not (sigpending(2) shows the blocked ones).
    ///
    /// # Errors
    /// [`Error::NoThread`].
    pub fn pending(&self, thread: K) -> Result<Set, Error> {
        let thread = self.threads.get(&thread).ok_or(Error::NoThread)?;
        Ok(thread.pending.set().with(self.shared.set()))
    }

    /// Takes the next pending signal of `wanted`, as sigtimedwait(2) does without waiting.
    ///
    /// # Errors
    /// [`Error::NoThread`]; [`Error::Again`] when none of them is pending.
    pub fn take(&mut self, thread: K, wanted: Set) -> Result<(Signal, Option<I>), Error> {
        let wanted = wanted.without(Set::UNBLOCKABLE);
        self.take_outside(thread, wanted.complement())?
            .ok_or(Error::Again)
    }

    /// The thread's own signals come first, those of its process after them.
    fn take_outside(
        &mut self,
        thread: K,
        blocked: Set,
    ) -> Result<Option<(Signal, Option<I>)>, Error> {
        let thread = self.threads.get_mut(&thread).ok_or(Error::NoThread)?;
        let own = thread.pending.take(blocked, SYNCHRONOUS);
        Ok(own.or_else(|| self.shared.take(blocked, SYNCHRONOUS)))
    }

    /// What a thread is to do before it returns to its program; none when nothing that it takes is pending. After
    /// [`Delivery::Run`] the caller asks again: a second signal gets a frame above the first one's.
    ///
    /// # Errors
    /// [`Error::NoThread`].
    pub fn deliver(&mut self, thread: K) -> Result<Option<Delivery<I>>, Error> {
        loop {
            let blocked = self.blocked(thread)?;
            let Some((signal, info)) = self.take_outside(thread, blocked)? else {
                return Ok(None);
            };
            let action = self.actions[signal.index()];
            match action.handler {
                Handler::Ignore => {}
                Handler::Default if IGNORED.has(signal) => {}
                Handler::Default if STOPS.has(signal) => return Ok(Some(Delivery::Stop(signal))),
                Handler::Default => {
                    let core = signal.leaves_core();
                    return Ok(Some(Delivery::End { signal, core }));
                }
                Handler::Function(function) => {
                    if action.once {
                        self.actions[signal.index()].handler = Handler::Default;
                    }
                    let own = if action.nested {
                        Set::EMPTY
                    } else {
                        Set::of(signal)
                    };
                    self.block(thread, blocked.with(action.mask).with(own))?;
                    return Ok(Some(Delivery::Run {
                        signal,
                        info,
                        function,
                        restore: blocked,
                    }));
                }
            }
        }
    }
}
