//! What job control decides, from facts that the caller knows: who may use a terminal from the background, and who may make
//! it its own (POSIX.1-2017, 11.1 General Terminal Interface; ioctl_tty(2)).

/// A process, as far as it matters to a terminal. Sessions and groups are their numbers as the process sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    pub session: u32,
    pub group: u32,
    /// It leads its session.
    pub leader: bool,
    /// The terminal in question is its controlling terminal.
    pub controlled: bool,
    /// It has a controlling terminal, this or another.
    pub has_terminal: bool,
    /// It ignores or blocks the signal in question: SIGTTIN for [`read`], else SIGTTOU.
    pub deaf: bool,
    /// Nobody outside its group and in its session is the parent of one of its group.
    pub orphaned: bool,
    /// CAP_SYS_ADMIN.
    pub privileged: bool,
}

/// A terminal's owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    pub session: Option<u32>,
    pub foreground: Option<u32>,
}

/// What happens to the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Go,
    /// SIGTTIN (21) or SIGTTOU (22) goes to the caller's whole group, and the call is restarted or fails with EINTR.
    Stop(u8),
    /// It fails with this number (errno(3)).
    Fail(i32),
}

const EPERM: i32 = 1;
const ESRCH: i32 = 3;
const EIO: i32 = 5;
const EINVAL: i32 = 22;
const ENOTTY: i32 = 25;
const SIGTTIN: u8 = 21;
const SIGTTOU: u8 = 22;

fn background(caller: &Caller, owner: &Owner, signal: u8) -> Verdict {
    let foreground = owner.foreground.is_none_or(|group| group == caller.group);
    if !caller.controlled || foreground {
        Verdict::Go
    } else if caller.deaf {
        // A read that can't be stopped would take bytes from the foreground.
        if signal == SIGTTIN {
            Verdict::Fail(EIO)
        } else {
            Verdict::Go
        }
    } else if caller.orphaned {
        Verdict::Fail(EIO)
    } else {
        Verdict::Stop(signal)
    }
}

/// May it read?
#[must_use]
pub fn read(caller: &Caller, owner: &Owner) -> Verdict {
    background(caller, owner, SIGTTIN)
}

/// May it write? `tostop` is the flag TOSTOP of the terminal.
#[must_use]
pub fn write(caller: &Caller, owner: &Owner, tostop: bool) -> Verdict {
    if tostop {
        background(caller, owner, SIGTTOU)
    } else {
        Verdict::Go
    }
}

/// May it change the terminal: TCSETS and its like, TCFLSH, TCXONC, TCSBRK? TIOCSWINSZ does not ask.
#[must_use]
pub fn change(caller: &Caller, owner: &Owner) -> Verdict {
    background(caller, owner, SIGTTOU)
}

/// TIOCGPGRP on the slave: the foreground group, 0 if there is none.
///
/// # Errors
/// ENOTTY if it is not the caller's controlling terminal.
pub fn foreground(caller: &Caller, owner: &Owner) -> Result<u32, i32> {
    if caller.controlled {
        Ok(owner.foreground.unwrap_or(0))
    } else {
        Err(ENOTTY)
    }
}

/// TIOCGSID on the slave: the session.
///
/// # Errors
/// ENOTTY if it is not the caller's controlling terminal, or has no session.
pub fn session(caller: &Caller, owner: &Owner) -> Result<u32, i32> {
    owner.session.filter(|_| caller.controlled).ok_or(ENOTTY)
}

/// TIOCSPGRP: `group` becomes the foreground group. `session_of` says in which session a group is, if it exists.
pub fn set_foreground(
    caller: &Caller,
    owner: &Owner,
    group: i32,
    session_of: impl FnOnce(u32) -> Option<u32>,
) -> Verdict {
    match change(caller, owner) {
        Verdict::Go => {}
        Verdict::Fail(_) => return Verdict::Fail(ENOTTY),
        stop => return stop,
    }
    let Ok(group) = u32::try_from(group) else {
        return Verdict::Fail(EINVAL);
    };
    if !caller.controlled || owner.session != Some(caller.session) {
        return Verdict::Fail(ENOTTY);
    }
    match session_of(group) {
        None => Verdict::Fail(ESRCH),
        Some(session) if session != caller.session => Verdict::Fail(EPERM),
        Some(_) => Verdict::Go,
    }
}

/// What TIOCSCTTY does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// It is the caller's already.
    Same,
    /// It becomes the terminal of the caller's session, and the caller's group its foreground.
    Take,
    /// The same, and the session that had it loses it.
    Steal,
}

/// TIOCSCTTY: the terminal becomes the caller's controlling terminal. `argument` 1 asks to take it from another session;
/// `readable` is whether the descriptor was opened for reading.
///
/// # Errors
/// EPERM if the caller leads no session, has a terminal, or may not take this one.
pub fn set_control(
    caller: &Caller,
    owner: &Owner,
    argument: u64,
    readable: bool,
) -> Result<Control, i32> {
    if caller.leader && owner.session == Some(caller.session) {
        return Ok(Control::Same);
    }
    if !caller.leader || caller.has_terminal {
        return Err(EPERM);
    }
    let steal = owner.session.is_some();
    if steal && !(argument == 1 && caller.privileged) || !readable && !caller.privileged {
        return Err(EPERM);
    }
    Ok(if steal { Control::Steal } else { Control::Take })
}

/// TIOCNOTTY: whether SIGHUP and SIGCONT go to the foreground group, as a session loses its terminal with its leader.
///
/// # Errors
/// ENOTTY if it is not the caller's controlling terminal.
pub fn give_up(caller: &Caller) -> Result<bool, i32> {
    if caller.controlled {
        Ok(caller.leader)
    } else {
        Err(ENOTTY)
    }
}
