//! Bad handles, foreign pointers, misaligned and endless ranges.

use crate::{report::Report, Ground};
use abi::layout::{DIRECT_MAP, NUCLEUS, PAGE, PROGRAM, STACK_TOP, USER_END};
use abi::system::{call, info, map, part, trigger, Error};
use runtime::sys;

/// A call that must be refused.
fn refused(report: &mut Report, what: &str, number: u64, words: [u64; 6], error: Error) {
    // SAFETY: a refused call changes nothing; one that is not refused is a failure of the nucleus.
    let result = unsafe { sys::any(number, words) };
    report.same(what, result, Err(error));
}

pub fn all(report: &mut Report, ground: &mut Ground) {
    numbers(report);
    handles(report, ground);
    pointers(report, ground);
    ranges(report, ground);
    mappings(report, ground);
    starts(report, ground);
    waiting(report);
    interrupts(report, ground);
    full_table(report);
}

fn numbers(report: &mut Report) {
    for number in [
        call::COUNT,
        call::COUNT + 1,
        1000,
        1 << 32,
        1 << 63,
        u64::MAX,
    ] {
        refused(report, "no such call", number, [0; 6], Error::NoCall);
    }
    refused(
        report,
        "reply without a call",
        call::PORTAL_REPLY,
        [0; 6],
        Error::Denied,
    );
}

fn handles(report: &mut Report, ground: &Ground) {
    let this = u64::from(ground.this);
    let first_word = [
        call::NOTIFY,
        call::WAIT,
        call::TASK_CREATE,
        call::TASK_DESTROY,
        call::THREAD_CREATE,
        call::MEMORY_PART,
        call::MEMORY_MAP,
        call::MEMORY_UNMAP,
        call::MEMORY_REVOKE,
        call::MEMORY_PROTECT,
        call::MEMORY_DEVICE,
        call::MEMORY_ADDRESS,
        call::RIGHT_COPY,
        call::RIGHT_DROP,
        call::INTERRUPT_BIND,
        call::INTERRUPT_DONE,
        call::PORTS_GRANT,
        call::FAULT_BIND,
        call::POWER,
        call::LOG,
        call::INFO,
        call::HANDLER_BIND,
        call::FRAME_BIND,
        call::THREAD_WAKE,
        call::THREAD_KICK,
        call::FLOAT_ALLOW,
        call::FLOAT_FRAME,
    ];
    for number in first_word {
        for handle in [
            200,
            255,
            256,
            257,
            1 << 31,
            u64::from(u32::MAX),
            1 << 32,
            u64::MAX,
        ] {
            refused(
                report,
                "a handle of nothing",
                number,
                [handle, 0, 0, 0, 0, 0],
                Error::BadHandle,
            );
        }
    }
    let not_a_task = [
        call::NOTIFY,
        call::WAIT,
        call::TASK_CREATE,
        call::MEMORY_PART,
        call::MEMORY_DEVICE,
        call::MEMORY_ADDRESS,
        call::INTERRUPT_BIND,
        call::INTERRUPT_DONE,
        call::PORTS_GRANT,
        call::POWER,
        call::LOG,
        call::INFO,
        call::FRAME_BIND,
        call::THREAD_WAKE,
        call::THREAD_KICK,
    ];
    for number in not_a_task {
        refused(
            report,
            "a task as something else",
            number,
            [this, 0, 0, 0, 0, 0],
            Error::BadHandle,
        );
    }
    for handle in [ground.this, 200, 255, 256, u32::MAX] {
        report.same(
            "calling what is no portal",
            sys::portal_call(handle, [0; 8]),
            Err(Error::BadHandle),
        );
    }
    let memory = u64::from(ground.memory.right);
    refused(
        report,
        "memory as a task",
        call::MEMORY_UNMAP,
        [memory, PROGRAM, PAGE, 0, 0, 0],
        Error::BadHandle,
    );
    refused(
        report,
        "a copy of nothing",
        call::RIGHT_COPY,
        [this, 200, 0, 0, 0, 0],
        Error::BadHandle,
    );
    for mask in [1 << 32, u64::MAX] {
        refused(
            report,
            "a copy with deeds that are not",
            call::RIGHT_COPY,
            [this, memory, mask, 0, 0, 0],
            Error::BadArgument,
        );
    }
    for handle in [this, memory, 200, 256, u64::MAX] {
        refused(
            report,
            "a part of no platform",
            call::PLATFORM_PART,
            [handle, part::LINES, 0, 1, 0, 0],
            Error::BadHandle,
        );
    }
}

fn pointers(report: &mut Report, ground: &Ground) {
    let tells = u64::from(ground.tells);
    let bad = [
        (DIRECT_MAP, 16),
        (NUCLEUS, 16),
        (USER_END - 8, 16),
        (USER_END, 1),
        (0x1000, 16),
        (0, 16),
        (u64::MAX - 4, 16),
        (u64::MAX, 1),
        (1 << 63, 8),
        (0x7fff_ffff_ffff, 2),
        (STACK_TOP, 1),
        (PROGRAM, 257),
        (PROGRAM, u64::MAX),
    ];
    for (address, length) in bad {
        refused(
            report,
            "a log line that is not ours",
            call::LOG,
            [tells, address, length, 0, 0, 0],
            Error::BadArgument,
        );
    }
    let bad = [
        DIRECT_MAP,
        NUCLEUS,
        USER_END - 8,
        0x1000,
        0,
        PROGRAM,
        u64::MAX - 8,
    ];
    for what in [info::MEMORY, info::MODULES, info::LOG] {
        for address in bad {
            let words = [tells, what, address, 64, 0, 0];
            refused(
                report,
                "an answer to where we may not write",
                call::INFO,
                words,
                Error::BadArgument,
            );
        }
    }
    refused(
        report,
        "an unknown question",
        call::INFO,
        [tells, 99, STACK_TOP - 64, 8, 0, 0],
        Error::BadArgument,
    );
}

fn ranges(report: &mut Report, ground: &Ground) {
    let memory = u64::from(ground.memory.right);
    let bad = [
        (0, 0),
        (1, PAGE),
        (0, 1),
        (0, PAGE + 1),
        (PAGE / 2, PAGE),
        (0, 1 << 60),
        (1 << 60, PAGE),
        (u64::MAX, PAGE),
        (u64::MAX - PAGE + 1, PAGE),
        (PAGE, u64::MAX - PAGE + 1),
        (0, u64::MAX),
    ];
    for (offset, length) in bad {
        let words = [memory, offset, length, 0, 0, 0];
        refused(
            report,
            "no part of memory",
            call::MEMORY_PART,
            words,
            Error::BadArgument,
        );
        let words = [
            u64::from(ground.this),
            memory,
            offset,
            length,
            0x7000_0000,
            0,
        ];
        refused(
            report,
            "mapping no part of memory",
            call::MEMORY_MAP,
            words,
            Error::BadArgument,
        );
    }
    if let Some(platform) = ground.platform {
        let device = |base, size| [u64::from(platform), base, size, 0, 0, 0];
        for (base, size) in [
            (1, PAGE),
            (0, 0),
            (u64::MAX - 4095, PAGE),
            (1 << 50, PAGE),
            (0, u64::MAX),
        ] {
            refused(
                report,
                "no device",
                call::MEMORY_DEVICE,
                device(base, size),
                Error::BadArgument,
            );
        }
        let ram = sys::memory_address(ground.memory.right).unwrap_or(0);
        refused(
            report,
            "RAM as a device",
            call::MEMORY_DEVICE,
            device(ram, PAGE),
            Error::Denied,
        );
        refused(
            report,
            "RAM below a device",
            call::MEMORY_DEVICE,
            device(ram - PAGE, 1 << 32),
            Error::Denied,
        );
    }
}

fn mappings(report: &mut Report, ground: &mut Ground) {
    let (this, memory) = (u64::from(ground.this), u64::from(ground.memory.right));
    let mut bad = |what, length, address, flags, error| {
        refused(
            report,
            what,
            call::MEMORY_MAP,
            [this, memory, 0, length, address, flags],
            error,
        )
    };
    for address in [
        0,
        1,
        0x7000_0001,
        DIRECT_MAP,
        NUCLEUS,
        USER_END,
        USER_END - PAGE + 1,
        u64::MAX - 4095,
        1 << 47,
    ] {
        bad(
            "mapping at a bad address",
            PAGE,
            address,
            0,
            Error::BadArgument,
        );
    }
    bad(
        "mapping across the end",
        2 * PAGE,
        USER_END - PAGE,
        0,
        Error::BadArgument,
    );
    bad(
        "mapping too much at once",
        map::MOST + PAGE,
        0x7000_0000,
        0,
        Error::BadArgument,
    );
    bad(
        "writable and executable",
        PAGE,
        0x7000_0000,
        map::WRITE | map::EXECUTE,
        Error::BadArgument,
    );
    bad(
        "RAM as a device",
        PAGE,
        0x7000_0000,
        map::DEVICE,
        Error::BadArgument,
    );
    bad(
        "unknown flags",
        PAGE,
        0x7000_0000,
        1 << 20,
        Error::BadArgument,
    );
    bad("over the program", PAGE, PROGRAM, map::WRITE, Error::Exists);
    for (address, length) in [
        (0, PAGE),
        (1, PAGE),
        (PROGRAM, 1),
        (NUCLEUS, PAGE),
        (DIRECT_MAP, PAGE),
        (PAGE, u64::MAX),
    ] {
        refused(
            report,
            "unmapping",
            call::MEMORY_UNMAP,
            [this, address, length, 0, 0, 0],
            Error::BadArgument,
        );
    }
    if ground.platform.is_some() {
        let module = u64::from(abi::system::root::MODULE_0);
        let words = [this, module, 0, PAGE, 0x7000_0000, map::WRITE];
        refused(
            report,
            "writing a module",
            call::MEMORY_MAP,
            words,
            Error::Denied,
        );
        refused(
            report,
            "a module for DMA",
            call::MEMORY_ADDRESS,
            [module, 0, 0, 0, 0, 0],
            Error::Denied,
        );
        refused(
            report,
            "a task in a module",
            call::TASK_CREATE,
            [module, 0, 0, 0, 0, 0],
            Error::Denied,
        );
    }
    donated(report, ground);
}

/// Memory that holds the nucleus's objects is out of everyone's reach.
fn donated(report: &mut Report, ground: &mut Ground) {
    let size = 0x2_0000;
    let at = ground.memory.next;
    let Ok(memory) = ground.memory.take(size) else {
        return report.yes("memory for a task", false);
    };
    let own = ground.this;
    report.same(
        "mapping before donating",
        sys::memory_map(own, memory, 0, PAGE, 0x7000_0000, map::WRITE),
        Ok(()),
    );
    report.same(
        "donating what is mapped",
        sys::task_create(memory, 0).err(),
        Some(Error::Denied),
    );
    report.same(
        "unmapping",
        sys::memory_unmap(own, 0x7000_0000, PAGE),
        Ok(()),
    );
    let Ok(task) = sys::task_create(memory, 0) else {
        return report.yes("making a task", false);
    };
    let whole = ground.memory.right;
    for right in [(memory, 0), (whole, at), (whole, at + size - PAGE)] {
        let result = sys::memory_map(own, right.0, right.1, PAGE, 0x7000_0000, 0);
        report.same("mapping what was donated", result, Err(Error::Denied));
    }
    report.same(
        "donating it again",
        sys::task_create(memory, 0).err(),
        Some(Error::Denied),
    );
    report.same("destroying it", sys::task_destroy(task), Ok(()));
    report.same(
        "its handle is gone",
        sys::task_destroy(task),
        Err(Error::BadHandle),
    );
    report.same(
        "mapping afterwards",
        sys::memory_map(own, memory, 0, size, 0x7000_0000, map::WRITE),
        Ok(()),
    );
    report.same(
        "unmapping afterwards",
        sys::memory_unmap(own, 0x7000_0000, size),
        Ok(()),
    );
    let small = sys::memory_part(memory, 0, PAGE);
    report.same(
        "too small",
        small.and_then(|small| sys::task_create(small, 0)).err(),
        Some(Error::NoRoom),
    );
}

fn starts(report: &mut Report, ground: &Ground) {
    let this = u64::from(ground.this);
    let bad = [
        (0, 0x1000),
        (NUCLEUS, 0x1000),
        (PROGRAM, 0x1008),
        (PROGRAM, DIRECT_MAP),
        (u64::MAX, 16),
        (USER_END, 16),
    ];
    for (entry, stack) in bad {
        let words = [this, entry, stack, 0, 1, 0];
        refused(
            report,
            "a thread that starts nowhere",
            call::THREAD_CREATE,
            words,
            Error::BadArgument,
        );
        refused(
            report,
            "a portal that leads nowhere",
            call::PORTAL_CREATE,
            [entry, stack, 0, 0, 0, 0],
            Error::BadArgument,
        );
    }
    for priority in [32, 33, u64::MAX] {
        let words = [this, PROGRAM, STACK_TOP, 0, priority, 0];
        refused(
            report,
            "no such priority",
            call::THREAD_CREATE,
            words,
            Error::BadArgument,
        );
    }
    let own = sys::portal_create(PROGRAM, STACK_TOP, 0);
    let result = own.and_then(|own| sys::portal_call(own, [0; 8]));
    report.same("calling oneself", result, Err(Error::TooDeep));
}

/// Lines and messages: never without the platform's right, and then only those that are.
fn interrupts(report: &mut Report, ground: &Ground) {
    let Ok(notification) = sys::notification_create() else {
        return report.yes("a notification", false);
    };
    let notification = u64::from(notification);
    let (line, message) = (trigger::LEVEL, trigger::MESSAGE);
    for right in [ground.this, ground.memory.right, notification as u32] {
        for flags in [line, message] {
            let words = [right.into(), 0, flags, notification, 1, 0];
            refused(
                report,
                "an interrupt without the platform",
                call::INTERRUPT_BIND,
                words,
                Error::BadHandle,
            );
        }
    }
    let Some(platform) = ground.platform else {
        return;
    };
    let bad = [
        (message, u64::from(u32::MAX), 1),
        (message, 1 << 31, 1),
        (message, 1 << 30, 1),
        (message, 1 << 32, 1),
        (message, 64, 1),
        (message, 0, 0),
        (message | trigger::LEVEL, 0, 1),
        (message | trigger::LOW, 0, 1),
        (8, 0, 1),
        (u64::MAX, 0, 1),
    ];
    for (flags, number, bits) in bad {
        refused(
            report,
            "a message that cannot be",
            call::INTERRUPT_BIND,
            [platform.into(), number, flags, notification, bits, 0],
            Error::BadArgument,
        );
    }
}

fn waiting(report: &mut Report) {
    let Ok(notification) = sys::notification_create() else {
        return report.yes("a notification", false);
    };
    report.same(
        "a time that was",
        sys::wait(notification, 0),
        Err(Error::Timeout),
    );
    report.same("setting bits", sys::notify(notification, 5), Ok(()));
    report.same("more bits", sys::notify(notification, 8), Ok(()));
    report.same("all of them", sys::wait(notification, u64::MAX), Ok(13));
    report.same("now none", sys::wait(notification, 0), Err(Error::Timeout));
    report.same(
        "the highest bit",
        sys::notify(notification, 1 << 63),
        Ok(()),
    );
    report.same(
        "is no error",
        sys::wait(notification, u64::MAX),
        Ok(1 << 63),
    );
    let now = sys::now();
    if now > 0 {
        report.same(
            "a little while",
            sys::wait(notification, now + 2_000_000),
            Err(Error::Timeout),
        );
        report.yes("is not shorter", sys::now() >= now + 2_000_000);
        report.yes("nor much longer", sys::now() < now + 12_000_000);
    } else {
        runtime::println!("hostile: no clock here: waiting was not tried");
    }
    report.same("dropping it", sys::right_drop(notification), Ok(()));
    report.same(
        "it is gone",
        sys::notify(notification, 1),
        Err(Error::BadHandle),
    );
}

fn full_table(report: &mut Report) {
    let mut last = Ok(0);
    let mut first = None;
    for _ in 0..300 {
        last = sys::notification_create();
        match last {
            Ok(handle) => first = first.or(Some(handle)),
            Err(_) => break,
        }
    }
    report.same("a full table", last, Err(Error::NoRoom));
    if let Some(first) = first {
        for handle in first..256 {
            let _ = sys::right_drop(handle);
        }
    }
}
