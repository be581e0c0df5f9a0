//! The same calls, drawn at random, on Linux's pipes, event counters and epoll, and on ours: each result, error, byte
//! and condition is compared, and the order of what epoll reports.

use noise::Random;
use pipes::{poll, Epoll, Error, EventCounter, Pipe, Wake};
use std::io::Error as IoError;

const PIPES: usize = 3;
const COUNTERS: usize = 2;
/// Pipes have a descriptor for each end: readers at even places, writers at odd ones; counters follow.
const DESCRIPTORS: usize = 2 * PIPES + COUNTERS;

/// Both worlds. A closed descriptor is -1.
struct Both {
    linux: [i32; DESCRIPTORS],
    list: i32,
    pipes: Vec<Pipe>,
    counters: Vec<EventCounter>,
    epoll: Epoll<usize>,
    unlimited: bool,
}

impl Drop for Both {
    fn drop(&mut self) {
        for descriptor in self.linux.into_iter().chain([self.list]) {
            close(descriptor);
        }
    }
}

fn close(descriptor: i32) {
    if descriptor >= 0 {
        // SAFETY: the number is of a descriptor that this test opened, and nobody uses it afterwards.
        unsafe { libc::close(descriptor) };
    }
}

/// What a call of Linux returned, or its errno.
fn answer(result: isize) -> Result<isize, i32> {
    if result < 0 {
        return Err(IoError::last_os_error().raw_os_error().expect("an errno"));
    }
    Ok(result)
}

fn number<T>(result: Result<T, Error>) -> Result<T, i32> {
    result.map_err(Error::number)
}

fn start(random: &mut Random) -> Both {
    let mut linux = [-1; DESCRIPTORS];
    let mut pipes = Vec::new();
    for pair in linux.chunks_exact_mut(2).take(PIPES) {
        let packets = random.below(4) == 0;
        let flags = libc::O_NONBLOCK | if packets { libc::O_DIRECT } else { 0 };
        // SAFETY: `pair` has room for the two numbers.
        let made = unsafe { libc::pipe2(pair.as_mut_ptr(), flags) };
        assert_eq!(made, 0, "{}", IoError::last_os_error());
        pipes.push(Pipe::new(packets));
    }
    let mut counters = Vec::new();
    for place in &mut linux[2 * PIPES..] {
        let (count, one_by_one) = (random.below(3) as u32, random.below(2) == 0);
        let flags = libc::EFD_NONBLOCK | if one_by_one { libc::EFD_SEMAPHORE } else { 0 };
        // SAFETY: eventfd takes numbers only.
        *place = unsafe { libc::eventfd(count, flags) };
        assert!(*place >= 0, "{}", IoError::last_os_error());
        counters.push(EventCounter::new(count, one_by_one));
    }
    // SAFETY: these calls take numbers only.
    let (list, unlimited) = unsafe { (libc::epoll_create1(0), libc::geteuid() == 0) };
    assert!(list >= 0, "{}", IoError::last_os_error());
    Both {
        linux,
        list,
        pipes,
        counters,
        epoll: Epoll::default(),
        unlimited,
    }
}

impl Both {
    /// What holds of one of our descriptors.
    fn holds(pipes: &mut [Pipe], counters: &[EventCounter], place: usize) -> u32 {
        match (place / 2, place % 2) {
            (pipe, 0) if pipe < PIPES => pipes[pipe].conditions_of_reader(),
            (pipe, _) if pipe < PIPES => pipes[pipe].conditions_of_writer(),
            _ => counters[place - 2 * PIPES].conditions(),
        }
    }

    fn wake(&mut self, reader: usize, writer: usize, wake: Wake) {
        for (place, conditions) in [(reader, wake.readers), (writer, wake.writers)] {
            if let Some(conditions) = conditions {
                self.epoll.woken(place, conditions);
            }
        }
    }

    fn step(&mut self, random: &mut Random) {
        let place = random.below(DESCRIPTORS);
        if self.linux[place] < 0 {
            return;
        }
        match random.below(16) {
            0..=2 => self.ask_list(random),
            3..=5 => self.control(place, random),
            6 => self.conditions(place),
            7 if place < 2 * PIPES => self.size(place, random),
            8 if random.below(6) == 0 => self.close(place),
            _ if place >= 2 * PIPES => self.count(place, random),
            _ if place.is_multiple_of(2) => self.read(place, random),
            _ => self.write(place, random),
        }
    }

    fn read(&mut self, place: usize, random: &mut Random) {
        let length = length(random);
        let mut buffer = vec![0u8; length];
        // SAFETY: the buffer has room for `length` bytes.
        let linux = unsafe { libc::read(self.linux[place], buffer.as_mut_ptr().cast(), length) };
        let linux = answer(linux).map(|got| buffer[..got as usize].to_vec());
        let ours = self.pipes[place / 2].read(length);
        let wake = ours
            .as_ref()
            .map(|outcome| outcome.wake)
            .unwrap_or_default();
        assert_eq!(
            number(ours.map(|outcome| outcome.value)),
            linux,
            "read of {length}"
        );
        self.wake(place, place + 1, wake);
    }

    fn write(&mut self, place: usize, random: &mut Random) {
        let from: Vec<u8> = (0..length(random)).map(|_| random.word() as u8).collect();
        // SAFETY: the buffer holds as many bytes as are said.
        let linux = unsafe { libc::write(self.linux[place], from.as_ptr().cast(), from.len()) };
        let (ours, wake) = self.pipes[place / 2].write(&from);
        let ours = number(ours.map(|done| done as isize));
        assert_eq!(ours, answer(linux), "write of {}", from.len());
        self.wake(place - 1, place, wake);
    }

    fn count(&mut self, place: usize, random: &mut Random) {
        let room = random.pick(&[0, 7, 8, 8, 8, 8, 8, 12]);
        let descriptor = self.linux[place];
        let counter = &mut self.counters[place - 2 * PIPES];
        let wake = if random.below(2) == 0 {
            let mut buffer = [0u8; 16];
            // SAFETY: the buffer has 16 bytes, and `room` is at most 12.
            let linux = unsafe { libc::read(descriptor, buffer.as_mut_ptr().cast(), room) };
            let count = u64::from_ne_bytes(*buffer.first_chunk().expect("8 of 16 bytes"));
            let ours = counter.read(room);
            let wake = ours.map(|(_, wake)| wake).unwrap_or_default();
            let ours = number(ours.map(|(taken, _)| taken));
            assert_eq!(ours, answer(linux).map(|_| count), "read of a counter");
            wake
        } else {
            let more = random.pick(&[0, 1, 2, 1 << 40, u64::MAX - 1, u64::MAX - 2, u64::MAX]);
            let mut from = [0u8; 16];
            from[..8].copy_from_slice(&more.to_ne_bytes());
            // Whether more than 8 bytes are refused is different between versions of Linux.
            let room = room.min(8);
            // SAFETY: the buffer has 16 bytes, and `room` is at most 8.
            let linux = unsafe { libc::write(descriptor, from.as_ptr().cast(), room) };
            let ours = counter.write(&from[..room]);
            assert_eq!(number(ours.map(|_| 8)), answer(linux), "write of a counter");
            ours.unwrap_or_default()
        };
        self.wake(place, place, wake);
    }

    fn conditions(&mut self, place: usize) {
        let mut asked = libc::pollfd {
            fd: self.linux[place],
            events: -1,
            revents: 0,
        };
        // SAFETY: one structure is passed, as is said.
        let found = unsafe { libc::poll(&mut asked, 1, 0) };
        assert!(found >= 0, "{}", IoError::last_os_error());
        let ours = Self::holds(&mut self.pipes, &self.counters, place);
        assert_eq!(
            ours,
            u32::from(asked.revents as u16),
            "conditions of {place}"
        );
    }

    fn size(&mut self, place: usize, random: &mut Random) {
        let bytes = random.pick(&[0u32, 1, 4096, 4097, 20_000, 65_536, 1 << 20, u32::MAX]);
        let descriptor = self.linux[place];
        let pipe = &mut self.pipes[place / 2];
        let mut left: libc::c_int = 0;
        // SAFETY: FIONREAD writes one int.
        let asked = unsafe { libc::ioctl(descriptor, libc::FIONREAD, &mut left) };
        assert_eq!((asked, left as usize), (0, pipe.readable()));
        // SAFETY: these take and return numbers.
        let before = unsafe { libc::fcntl(descriptor, libc::F_GETPIPE_SZ) };
        assert_eq!(before as usize, pipe.capacity());
        // SAFETY: as above.
        let linux = unsafe { libc::fcntl(descriptor, libc::F_SETPIPE_SZ, bytes) };
        let ours = pipe.resize(bytes, self.unlimited);
        let wake = ours
            .as_ref()
            .map(|outcome| outcome.wake)
            .unwrap_or_default();
        let ours = number(ours.map(|outcome| outcome.value as isize));
        assert_eq!(ours, answer(linux as isize), "size {bytes}");
        self.wake(place & !1, place | 1, wake);
    }

    fn close(&mut self, place: usize) {
        if place >= 2 * PIPES {
            return;
        }
        close(self.linux[place]);
        self.linux[place] = -1;
        // The last descriptor of a file takes it off the list.
        let _ = self.epoll.remove(place);
        let pipe = &mut self.pipes[place / 2];
        let wake = if place.is_multiple_of(2) {
            pipe.closed_by_reader()
        } else {
            pipe.closed_by_writer()
        };
        self.wake(place & !1, place | 1, wake);
    }

    fn control(&mut self, place: usize, random: &mut Random) {
        let wanted = [
            poll::IN,
            poll::OUT,
            poll::READ_NORMAL,
            poll::WRITE_NORMAL,
            poll::EDGE,
            poll::ONE_SHOT,
        ]
        .into_iter()
        .filter(|_| random.below(3) == 0)
        .fold(0, |all, bit| all | bit);
        let exclusive = if random.below(12) == 0 {
            poll::EXCLUSIVE
        } else {
            0
        };
        let wanted = wanted | exclusive;
        let data = random.word();
        let mut event = libc::epoll_event {
            events: wanted,
            u64: data,
        };
        let operation = random.pick(&[
            libc::EPOLL_CTL_ADD,
            libc::EPOLL_CTL_MOD,
            libc::EPOLL_CTL_DEL,
        ]);
        // SAFETY: the structure lives across the call.
        let linux = unsafe { libc::epoll_ctl(self.list, operation, self.linux[place], &mut event) };
        let holds = Self::holds(&mut self.pipes, &self.counters, place);
        let ours = match operation {
            libc::EPOLL_CTL_ADD => self.epoll.add(place, wanted, data, holds),
            libc::EPOLL_CTL_MOD => self.epoll.change(place, wanted, data, holds),
            _ => self.epoll.remove(place),
        };
        let ours = number(ours.map(|()| 0));
        assert_eq!(
            ours,
            answer(linux as isize),
            "control {operation} of {place}, {wanted:#x}"
        );
    }

    fn ask_list(&mut self, random: &mut Random) {
        let most = random.below(DESCRIPTORS);
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; DESCRIPTORS];
        // SAFETY: the array has room for `most` structures.
        let linux = unsafe { libc::epoll_wait(self.list, events.as_mut_ptr(), most as i32, 0) };
        let linux: Result<Vec<(u32, u64)>, i32> = answer(linux as isize).map(|found| {
            let found = events.iter().take(found as usize);
            found.map(|event| (event.events, event.u64)).collect()
        });
        let (pipes, counters) = (&mut self.pipes, &self.counters);
        let ours = self
            .epoll
            .take(most, |place| Self::holds(pipes, counters, place));
        let ours = number(ours).map(|found| {
            let found = found.iter();
            found.map(|found| (found.conditions, found.data)).collect()
        });
        assert_eq!(ours, linux, "at most {most}");
    }
}

/// Lengths around the limits of a piece and of a pipe.
fn length(random: &mut Random) -> usize {
    let near = random.pick(&[
        0, 1, 2, 100, 4094, 4095, 4096, 4097, 8192, 10_000, 61_440, 65_536, 70_000,
    ]);
    near + random.below(3)
}

/// Writing where nobody reads is to be an error, not the end of this process.
fn ignore_broken_pipes() {
    // SAFETY: ignoring a signal has no handler that could run.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}

#[test]
fn pipes_counters_and_epoll_do_what_linux_does() {
    ignore_broken_pipes();
    let mut random = noise::seeded(0x7069_7065);
    for _ in 0..noise::rounds(150) {
        let mut both = start(&mut random);
        for _ in 0..300 {
            both.step(&mut random);
        }
    }
}
