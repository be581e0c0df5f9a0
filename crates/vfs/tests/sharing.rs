//! What a second process shares with the first, and what remains of files without names. The expectations are those
//! of fork(2), execve(2) and unlink(2).
use vfs::flags::*;
use vfs::{Call, Credentials, Errno, FileSystem, Memory, Protection, Vfs};

fn start() -> (Vfs<Memory>, vfs::Process) {
    let mut vfs = Vfs::new(Memory::new(0o755, 0, 0, 16, 8, 0), Protection::default());
    let process = vfs.process(Credentials::default(), 4);
    (vfs, process)
}

#[test]
fn fork_shares_offsets_and_exec_closes() {
    let (mut vfs, mut parent) = start();
    let mut call = Call {
        vfs: &mut vfs,
        process: &mut parent,
        now: 1,
    };
    assert_eq!(call.openat(AT_FDCWD, b"a", O_RDWR | O_CREAT, 0o600), Ok(0));
    assert_eq!(call.openat(AT_FDCWD, b"a", O_RDWR | O_CLOEXEC, 0), Ok(1));
    assert_eq!(call.write(0, b"abcdef"), Ok(6));
    let mut child = vfs.fork(&parent);
    let mut call = Call {
        vfs: &mut vfs,
        process: &mut child,
        now: 2,
    };
    assert_eq!(call.lseek(0, -4, SEEK_CUR), Ok(2));
    vfs.exec(&mut child);
    assert_eq!(
        Call {
            vfs: &mut vfs,
            process: &mut child,
            now: 3
        }
        .fstat(1),
        Err(Errno::EBADF)
    );
    let mut call = Call {
        vfs: &mut vfs,
        process: &mut parent,
        now: 4,
    };
    let mut into = [0; 9];
    assert_eq!(call.read(0, &mut into), Ok(4));
    assert_eq!(&into[..4], b"cdef");
    assert!(call.fstat(1).is_ok());
    vfs.exit(child);
    vfs.exit(parent);
    assert_eq!(vfs.open_files(), 0);
}

#[test]
fn a_file_lives_until_it_is_closed_and_space_is_bounded() {
    let (mut vfs, mut process) = start();
    let mut call = Call {
        vfs: &mut vfs,
        process: &mut process,
        now: 1,
    };
    let fd = call
        .openat(AT_FDCWD, b"a", O_RDWR | O_CREAT, 0o600)
        .unwrap();
    let node = call.fstat(fd).unwrap().node;
    assert_eq!(call.write(fd, &[7; 100_000]), Ok(16 * 4096));
    assert_eq!(call.write(fd, b"x"), Err(Errno::ENOSPC));
    call.unlinkat(AT_FDCWD, b"a", 0).unwrap();
    assert_eq!(call.fstat(fd).unwrap().nlink, 0);
    call.close(fd).unwrap();
    assert!(call.vfs.fs.stat(node).is_err());
    let fd = call
        .openat(AT_FDCWD, b"b", O_RDWR | O_CREAT, 0o600)
        .unwrap();
    assert_eq!(call.write(fd, b"x"), Ok(1));
    for name in 0..6 {
        assert_eq!(call.mkdirat(AT_FDCWD, &[b'e' + name], 0o700), Ok(()));
    }
    assert_eq!(call.mkdirat(AT_FDCWD, b"z", 0o700), Err(Errno::ENOSPC));
}
