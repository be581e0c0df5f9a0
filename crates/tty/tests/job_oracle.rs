//! Job control's decisions against Linux's: a session of its own gets a pseudo-terminal, and processes in its foreground,
//! its background and in orphaned groups use it, with the signal ignored and not. Every process ends after seconds.

#[allow(dead_code)] // This test needs only a part of it.
mod pty;

use pty::Pty;
use tty::job::{self, Caller, Owner, Verdict};
use tty::termios::lflag;
use tty::When;

const TCFLSH: libc::c_ulong = 0x540b;

/// What a process does to the terminal.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Read,
    Write,
    Change,
    Foreground,
}

#[derive(Clone, Copy, Debug)]
struct Case {
    deed: Deed,
    background: bool,
    deaf: bool,
    orphaned: bool,
}

fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for deed in [Deed::Read, Deed::Write, Deed::Change, Deed::Foreground] {
        for bits in 0..8 {
            let (background, deaf, orphaned) = (bits & 1 != 0, bits & 2 != 0, bits & 4 != 0);
            // The session's own group counts as orphaned for each of its members alike.
            if background || !orphaned {
                all.push(Case {
                    deed,
                    background,
                    deaf,
                    orphaned,
                });
            }
        }
    }
    all
}

/// A verdict as a number: 0, the error, or minus the signal that stops.
fn number(verdict: Verdict) -> i32 {
    match verdict {
        Verdict::Go => 0,
        Verdict::Fail(error) => error,
        Verdict::Stop(signal) => -i32::from(signal),
    }
}

fn decided(case: &Case, tostop: bool) -> i32 {
    let owner = Owner {
        session: Some(10),
        foreground: Some(10),
    };
    let group = if case.background { 20 } else { 10 };
    let caller = Caller {
        session: 10,
        group,
        leader: false,
        controlled: true,
        has_terminal: true,
        deaf: case.deaf,
        orphaned: case.orphaned,
        privileged: false,
    };
    number(match case.deed {
        Deed::Read => job::read(&caller, &owner),
        Deed::Write => job::write(&caller, &owner, tostop),
        Deed::Change => job::change(&caller, &owner),
        Deed::Foreground => job::set_foreground(&caller, &owner, group as i32, |_| Some(10)),
    })
}

fn outcome(result: isize) -> i32 {
    match std::io::Error::last_os_error().raw_os_error() {
        Some(error) if result < 0 && error != libc::EAGAIN => error,
        _ => 0,
    }
}

fn act(deed: Deed, terminal: i32) -> i32 {
    let mut byte = b'x';
    // SAFETY: one byte is read or written, and one `int` is read.
    unsafe {
        let group = libc::getpgrp();
        outcome(match deed {
            Deed::Read => libc::read(terminal, (&raw mut byte).cast(), 1),
            Deed::Write => libc::write(terminal, (&raw const byte).cast(), 1),
            Deed::Change => libc::ioctl(terminal, TCFLSH as _, 0) as isize,
            Deed::Foreground => libc::ioctl(terminal, libc::TIOCSPGRP, &group) as isize,
        })
    }
}

/// In a process of its own: the deed, and then the end, with the outcome as its status or down the pipe.
fn member(case: &Case, terminal: i32, pipe: i32) -> ! {
    // SAFETY: only system calls are made between fork and the end, which are async-signal-safe.
    unsafe {
        libc::alarm(5);
        let deaf = if case.deaf {
            libc::SIG_IGN
        } else {
            libc::SIG_DFL
        };
        libc::signal(libc::SIGTTIN, deaf);
        libc::signal(libc::SIGTTOU, deaf);
        if case.background {
            libc::setpgid(0, 0);
        }
        if case.orphaned {
            let parent = libc::getpid();
            if libc::fork() != 0 {
                libc::_exit(0);
            }
            libc::alarm(5);
            // Until somebody outside the session has become the parent.
            while libc::getppid() == parent {
                libc::usleep(100);
            }
            let found = act(case.deed, terminal);
            libc::write(pipe, (&raw const found).cast(), 4);
            libc::_exit(0);
        }
        libc::_exit(act(case.deed, terminal))
    }
}

fn observe(case: &Case, terminal: i32, from: i32, to: i32) -> i32 {
    let (mut status, mut found) = (0, -1000);
    // SAFETY: as in `member`; what is written to are an `int` each.
    unsafe {
        let child = libc::fork();
        if child == 0 {
            member(case, terminal, to);
        }
        libc::waitpid(child, &mut status, libc::WUNTRACED);
        if libc::WIFSTOPPED(status) {
            found = -libc::WSTOPSIG(status);
            libc::kill(child, libc::SIGKILL);
            libc::waitpid(child, &mut status, 0);
        } else if case.orphaned {
            libc::read(from, (&raw mut found).cast(), 4);
        } else if libc::WIFEXITED(status) {
            found = libc::WEXITSTATUS(status);
        }
        let own = libc::getpgrp();
        libc::ioctl(terminal, libc::TIOCSPGRP, &own);
    }
    found
}

/// The session's leader, in a process of its own: takes the terminal, and writes each outcome down the pipe.
fn lead(cases: &[Case], terminal: i32, to: i32) -> ! {
    let say = |found: i32| {
        // SAFETY: four bytes of an `int` are read.
        unsafe { libc::write(to, (&raw const found).cast(), 4) };
    };
    let mut inner = [0; 2];
    // SAFETY: as in `member`.
    unsafe {
        libc::alarm(20);
        libc::setsid();
        libc::signal(libc::SIGTTOU, libc::SIG_IGN);
        libc::pipe(inner.as_mut_ptr());
        let mut group: i32 = libc::getpgrp();
        say(outcome(
            libc::ioctl(terminal, libc::TIOCGPGRP, &mut group) as isize
        ));
        say(act(Deed::Foreground, terminal));
        say(outcome(libc::ioctl(terminal, libc::TIOCSCTTY, 0) as isize));
        say(outcome(libc::ioctl(terminal, libc::TIOCSCTTY, 0) as isize));
        for group in [-1, 0x3fff_ffff] {
            say(outcome(
                libc::ioctl(terminal, libc::TIOCSPGRP, &group) as isize
            ));
        }
    }
    for case in cases {
        say(observe(case, terminal, inner[0], inner[1]));
    }
    // SAFETY: as in `member`.
    unsafe {
        // It goes to the foreground group, and so to the leader itself.
        libc::signal(libc::SIGHUP, libc::SIG_IGN);
        say(outcome(libc::ioctl(terminal, libc::TIOCNOTTY) as isize));
        libc::_exit(0)
    }
}

/// What comes down the pipe until its end.
fn session(cases: &[Case], pty: &Pty) -> Vec<i32> {
    let mut pipe = [0; 2];
    let mut all = Vec::new();
    // SAFETY: `pipe` has room for two descriptors, the child makes system calls only, and an `int` is read at a time.
    unsafe {
        assert_eq!(libc::pipe(pipe.as_mut_ptr()), 0);
        let child = libc::fork();
        if child == 0 {
            lead(cases, pty.slave(), pipe[1]);
        }
        libc::close(pipe[1]);
        let mut found: i32 = 0;
        while libc::read(pipe[0], (&raw mut found).cast(), 4) == 4 {
            all.push(found);
        }
        libc::close(pipe[0]);
        libc::waitpid(child, std::ptr::null_mut(), 0);
    }
    all
}

/// What the crate says of a leader before and after it has the terminal.
fn of_the_leader() -> Vec<i32> {
    let mut caller = Caller {
        session: 10,
        group: 10,
        leader: true,
        controlled: false,
        has_terminal: false,
        deaf: true,
        orphaned: true,
        privileged: false,
    };
    let (free, owner) = (
        Owner::default(),
        Owner {
            session: Some(10),
            foreground: Some(10),
        },
    );
    let error = |of: Result<job::Control, i32>| of.err().unwrap_or(0);
    let mut all = vec![
        job::foreground(&caller, &free).err().unwrap_or(0),
        number(job::set_foreground(&caller, &free, 10, |_| Some(10))),
        error(job::set_control(&caller, &free, 0, true)),
    ];
    (caller.controlled, caller.has_terminal) = (true, true);
    all.push(error(job::set_control(&caller, &owner, 0, true)));
    all.push(number(job::set_foreground(&caller, &owner, -1, |_| None)));
    all.push(number(job::set_foreground(
        &caller,
        &owner,
        0x3fff_ffff,
        |_| None,
    )));
    all
}

#[test]
fn who_may_use_a_terminal_is_as_on_linux() {
    let cases = cases();
    for tostop in [false, true] {
        let pty = Pty::open();
        let mut settings = pty.get();
        settings.lflag |= if tostop { lflag::TOSTOP } else { 0 };
        assert_eq!(pty.set(&settings, When::Now), Ok(()));
        let found = session(&cases, &pty);
        let first = of_the_leader();
        assert_eq!(
            found.len(),
            first.len() + cases.len() + 1,
            "the session ended early: {found:?}"
        );
        assert_eq!(found[..first.len()], first);
        for (case, &found) in cases.iter().zip(&found[first.len()..]) {
            assert_eq!(
                found,
                decided(case, tostop),
                "{case:?}, TOSTOP {tostop}: Linux, then the crate"
            );
        }
        assert_eq!(found.last(), Some(&0));
    }
}
