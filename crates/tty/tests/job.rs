//! Job control's decisions, one by one, with the errors of ioctl_tty(2) and POSIX.1-2017, 11.1.4.

use tty::job::{self, Caller, Control, Owner, Verdict};

const OWNER: Owner = Owner {
    session: Some(10),
    foreground: Some(20),
};

fn background() -> Caller {
    Caller {
        session: 10,
        group: 30,
        leader: false,
        controlled: true,
        has_terminal: true,
        deaf: false,
        orphaned: false,
        privileged: false,
    }
}

#[test]
fn the_background_is_stopped() {
    let caller = background();
    assert_eq!(job::read(&caller, &OWNER), Verdict::Stop(21));
    assert_eq!(job::write(&caller, &OWNER, true), Verdict::Stop(22));
    assert_eq!(job::write(&caller, &OWNER, false), Verdict::Go);
    assert_eq!(job::change(&caller, &OWNER), Verdict::Stop(22));
}

#[test]
fn the_foreground_and_strangers_go_on() {
    for caller in [
        Caller {
            group: 20,
            ..background()
        },
        Caller {
            controlled: false,
            ..background()
        },
    ] {
        assert_eq!(job::read(&caller, &OWNER), Verdict::Go);
        assert_eq!(job::write(&caller, &OWNER, true), Verdict::Go);
    }
    assert_eq!(
        job::read(
            &background(),
            &Owner {
                foreground: None,
                ..OWNER
            }
        ),
        Verdict::Go
    );
}

#[test]
fn who_can_not_be_stopped_gets_an_error_or_goes_on() {
    let deaf = Caller {
        deaf: true,
        orphaned: true,
        ..background()
    };
    assert_eq!(job::read(&deaf, &OWNER), Verdict::Fail(5));
    assert_eq!(job::write(&deaf, &OWNER, true), Verdict::Go);
    let orphaned = Caller {
        orphaned: true,
        ..background()
    };
    assert_eq!(job::read(&orphaned, &OWNER), Verdict::Fail(5));
    assert_eq!(job::write(&orphaned, &OWNER, true), Verdict::Fail(5));
}

#[test]
fn the_foreground_group_is_one_of_the_session() {
    let shell = Caller {
        group: 20,
        ..background()
    };
    let session_of = |group| {
        [(20, 10), (30, 10), (40, 11)]
            .iter()
            .find(|&&(g, _)| g == group)
            .map(|&(_, session)| session)
    };
    let set = |caller: &Caller, group| job::set_foreground(caller, &OWNER, group, session_of);
    assert_eq!(set(&shell, 30), Verdict::Go);
    assert_eq!(set(&shell, 40), Verdict::Fail(1));
    assert_eq!(set(&shell, 50), Verdict::Fail(3));
    assert_eq!(set(&shell, -1), Verdict::Fail(22));
    assert_eq!(
        set(
            &Caller {
                controlled: false,
                ..shell
            },
            30
        ),
        Verdict::Fail(25)
    );
    assert_eq!(set(&background(), 30), Verdict::Stop(22));
    assert_eq!(
        set(
            &Caller {
                deaf: true,
                ..background()
            },
            30
        ),
        Verdict::Go
    );
    assert_eq!(
        set(
            &Caller {
                orphaned: true,
                ..background()
            },
            30
        ),
        Verdict::Fail(25)
    );
}

#[test]
fn only_a_leader_without_a_terminal_takes_one() {
    let leader = Caller {
        leader: true,
        controlled: false,
        has_terminal: false,
        ..background()
    };
    let free = Owner::default();
    let other = Owner {
        session: Some(11),
        foreground: Some(40),
    };
    assert_eq!(job::set_control(&leader, &free, 0, true), Ok(Control::Take));
    assert_eq!(
        job::set_control(&leader, &OWNER, 0, true),
        Ok(Control::Same)
    );
    assert_eq!(job::set_control(&leader, &free, 0, false), Err(1));
    assert_eq!(job::set_control(&leader, &other, 1, true), Err(1));
    assert_eq!(
        job::set_control(
            &Caller {
                privileged: true,
                ..leader
            },
            &other,
            1,
            true
        ),
        Ok(Control::Steal)
    );
    assert_eq!(
        job::set_control(
            &Caller {
                privileged: true,
                ..leader
            },
            &other,
            0,
            true
        ),
        Err(1)
    );
    assert_eq!(job::set_control(&background(), &free, 0, true), Err(1));
    assert_eq!(
        job::set_control(
            &Caller {
                has_terminal: true,
                ..leader
            },
            &free,
            0,
            true
        ),
        Err(1)
    );
}

#[test]
fn a_stranger_learns_nothing() {
    let stranger = Caller {
        controlled: false,
        ..background()
    };
    assert_eq!(
        (
            job::foreground(&stranger, &OWNER),
            job::session(&stranger, &OWNER)
        ),
        (Err(25), Err(25))
    );
    assert_eq!(
        (
            job::foreground(&background(), &OWNER),
            job::session(&background(), &OWNER)
        ),
        (Ok(20), Ok(10))
    );
    assert_eq!(
        (job::give_up(&stranger), job::give_up(&background())),
        (Err(25), Ok(false))
    );
}
