//! Devices that hear from the world outside all the time, while a machine boots and while drivers are killed: nothing that
//! they hear lands in memory that is not theirs, and they find nothing in theirs that a driver did not put there.

use crate::boots::{image, machine, workspace, PATIENCE};
use crate::monitor::Monitor;
use meta::emulator;
use meta::image::build_program;
use meta::prompt::Guest;
use std::io::{Read, Write};
use std::net::UdpSocket;
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Duration;

/// In each frame that the flood sends, and nowhere else.
const MARK: &[u8; 16] = b"~frame of flood~";
/// RAM of the machine.
const RAM: usize = 256 << 20;
/// What an RTL8139 stores into at most: its ring, and room behind it.
const ARENA: usize = 97 << 10;

/// Something that goes on until it is dropped.
struct Flood {
    over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Flood {
    fn of(mut step: impl FnMut() + Send + 'static) -> Flood {
        let over = Arc::new(AtomicBool::new(false));
        let ends = over.clone();
        let thread = std::thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                step();
            }
        });
        Flood {
            over,
            thread: Some(thread),
        }
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(std::thread::JoinHandle::join);
    }
}

/// Between two frames: from genesis's last word to a driver's first an RTL8139 does not fill its ring with them, on a slow host
/// either.
const APART: Duration = Duration::from_millis(4);

/// Frames come to this card from the moment at which genesis has said its last word, to a machine with a program that uses no
/// card. Gives where in all memory parts of frames are.
fn marks(card: &str) -> Vec<usize> {
    let (workspace, machine) = (workspace(), machine("q35-bare"));
    let program = build_program(&workspace, machine.arch, "hostile")
        .unwrap_or_else(|error| panic!("{error:#}"));
    let (wire, free) = (socket(), socket());
    let port = |socket: &UdpSocket| socket.local_addr().expect("it has a port").port();
    let (theirs, ours) = (port(&free), port(&wire));
    drop(free);
    let end = |side, port| format!("{side}.type=inet,{side}.host=127.0.0.1,{side}.port={port}");
    let (local, remote) = (end("local", theirs), end("remote", ours));
    let monitor = Monitor::new("quiet");
    let mut extra: Vec<String> = [
        "-initrd",
        &program.display().to_string(),
        "-netdev",
        &format!("dgram,id=n0,{local},{remote}"),
        "-device",
        &format!("{card},netdev=n0"),
    ]
    .map(str::to_owned)
    .to_vec();
    extra.extend(monitor.arguments());
    // Slow enough for some frames to come between two drivers.
    extra.extend(["-icount", "shift=5,sleep=on"].map(str::to_owned));
    let mut frame = vec![0xff; 6];
    frame.extend([2, 0, 0, 0, 0, 1, 0x88, 0xb5]);
    frame.extend(MARK.repeat(3));
    let command = emulator::command(&workspace, &machine, &image(machine.arch), "stdio", &extra)
        .expect("a command");
    let mut guest = Guest::start(command).unwrap_or_else(|error| panic!("{error:#}"));
    let mut wait = |text: &str| {
        if let Err(error) = guest.wait_for(text, PATIENCE) {
            panic!("{card}: {error:#}\n{}", guest.transcript());
        }
    };
    wait("jumping to the nucleus");
    let flood = Flood::of(move || {
        let _ = wire.send_to(&frame, ("127.0.0.1", theirs));
        std::thread::sleep(APART);
    });
    wait("hostile: begins");
    std::thread::sleep(Duration::from_millis(300));
    let mut connected = monitor.connect();
    connected.carry_out_for_people("stop");
    drop(flood);
    let memory = connected.memory(0, RAM);
    // A frame has the mark again and again: wherever one looks in it, the mark begins somewhere.
    let twice = MARK.repeat(2);
    let is = |part: &[u8]| {
        MARK.contains(&part[0]) && twice.windows(MARK.len()).any(|turned| turned == part)
    };
    let places = (0..RAM - MARK.len()).step_by(32);
    places
        .filter(|at| is(&memory[*at..at + MARK.len()]))
        .collect()
}

fn socket() -> UdpSocket {
    UdpSocket::bind(("127.0.0.1", 0)).expect("a socket")
}

/// The card's driver begins after genesis's memory was overwritten and given back: what the card stores in between, or
/// elsewhere later, is still there.
#[test]
fn no_frame_lands_outside_of_the_cards_memory() {
    let marks = marks("rtl8139");
    let (first, last) = (marks.first().copied(), marks.last().copied());
    let span = last.unwrap_or(0) - first.unwrap_or(0);
    assert!(!marks.is_empty(), "no frame arrived at all");
    assert!(
        span < ARENA,
        "frames are in memory from {first:#x?} to {last:#x?}"
    );
}

/// These have no memory for frames but what a client supplies, and there is none.
#[test]
fn cards_without_buffers_store_no_frame() {
    for card in ["e1000", "virtio-net-pci"] {
        assert_eq!(marks(card), Vec::<usize>::new(), "{card}");
    }
}

/// A console whose other end never stops sending: at each moment the device has bytes for which it looks at its rings.
#[test]
fn a_console_that_always_hears_something_survives_its_drivers() {
    for name in ["virt-gicv3", "q35-bare"] {
        let (workspace, machine) = (workspace(), machine(name));
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().join("line");
        let listener = UnixListener::bind(&place).expect("a socket");
        let extra = [
            "-chardev".to_owned(),
            format!("socket,id=c0,path={}", place.display()),
            "-device".to_owned(),
            "virtio-serial-pci,disable-legacy=on".to_owned(),
            "-device".to_owned(),
            "virtconsole,chardev=c0".to_owned(),
        ];
        let command =
            emulator::command(&workspace, &machine, &image(machine.arch), "stdio", &extra)
                .expect("a command");
        let mut guest = Guest::start(command).unwrap_or_else(|error| panic!("{error:#}"));
        let (mut line, _) = listener.accept().expect("the emulator");
        line.set_write_timeout(Some(Duration::from_millis(100)))
            .expect("a time");
        let heard = Arc::new(AtomicUsize::new(0));
        let (mut other, count) = (line.try_clone().expect("a line"), heard.clone());
        let listens = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = other.read(&mut bytes) {
                count.fetch_add(n, Ordering::Relaxed);
            }
        });
        let flood = Flood::of(move || {
            let _ = line.write(b"flood");
            std::thread::sleep(Duration::from_micros(500));
        });
        let mut said = guest.wait_for_prompt(PATIENCE);
        for line in [
            "devices",
            "kill virtio-console",
            "kill virtio-console",
            "kill virtio-console",
            "tasks",
        ] {
            if said.is_err() {
                break;
            }
            std::thread::sleep(Duration::from_millis(200));
            said = guest.ask(line, PATIENCE);
        }
        drop(flood);
        let all = guest.end();
        let _ = listens.join();
        let tasks = said.unwrap_or_else(|error| panic!("{name}: {error:#}\n{all}"));
        let restarted =
            |l: &str| l.contains("virtio-console") && l.contains("running") && l.contains(" 3");
        assert!(tasks.lines().any(restarted), "{name}:\n{tasks}");
        assert!(
            !all.contains("it says:"),
            "{name}: the emulator complains:\n{all}"
        );
        assert!(
            heard.load(Ordering::Relaxed) > 0,
            "{name}: its self-test sent nothing"
        );
    }
}
