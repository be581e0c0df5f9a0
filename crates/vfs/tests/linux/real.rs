//! Linux's own calls, made directly so that each result is the kernel's and each identity the thread's.
use std::ffi::CString;

pub type Real<T> = Result<T, i32>;

fn raw(number: i64, a: [i64; 5]) -> Real<i64> {
    // SAFETY: each caller in this file gives pointers to memory that lives during the call and is as long as it says.
    let got = unsafe { libc::syscall(number, a[0], a[1], a[2], a[3], a[4]) };
    if got >= 0 {
        return Ok(got);
    }
    Err(std::io::Error::last_os_error().raw_os_error().unwrap_or(0))
}

/// A call with a descriptor, a path and two numbers.
pub fn at(number: i64, fd: i32, path: &[u8], x: i64, y: i64) -> Real<i64> {
    let path = CString::new(path).unwrap();
    raw(number, [fd.into(), path.as_ptr() as i64, x, y, 0])
}

/// A call with two descriptors and paths.
pub fn two(number: i64, from: (i32, &[u8]), to: (i32, &[u8]), flags: u32) -> Real<i64> {
    let (a, b) = (CString::new(from.1).unwrap(), CString::new(to.1).unwrap());
    raw(
        number,
        [
            from.0.into(),
            a.as_ptr() as i64,
            to.0.into(),
            b.as_ptr() as i64,
            flags.into(),
        ],
    )
}

pub fn symlinkat(target: &[u8], fd: i32, path: &[u8]) -> Real<i64> {
    let (a, b) = (CString::new(target).unwrap(), CString::new(path).unwrap());
    raw(
        libc::SYS_symlinkat,
        [a.as_ptr() as i64, fd.into(), b.as_ptr() as i64, 0, 0],
    )
}

pub fn chdir(path: &[u8]) -> Real<i64> {
    let path = CString::new(path).unwrap();
    raw(libc::SYS_chdir, [path.as_ptr() as i64, 0, 0, 0, 0])
}

/// A call with numbers only.
pub fn plain(number: i64, a: i64, b: i64, c: i64) -> Real<i64> {
    let safe = [
        libc::SYS_close,
        libc::SYS_dup,
        libc::SYS_dup3,
        libc::SYS_fcntl,
        libc::SYS_lseek,
        libc::SYS_ftruncate,
        libc::SYS_fchdir,
        libc::SYS_fchmod,
        libc::SYS_umask,
        libc::SYS_close_range,
        libc::SYS_unshare,
        libc::SYS_setfsuid,
        libc::SYS_setfsgid,
    ];
    assert!(safe.contains(&number));
    raw(number, [a, b, c, 0, 0])
}

/// A call that fills a buffer: read(2) and its kin, with what it returned.
pub fn fill(number: i64, fd: i32, size: usize, offset: i64) -> Real<Vec<u8>> {
    let mut into = vec![0; size];
    let got = raw(
        number,
        [fd.into(), into.as_mut_ptr() as i64, size as i64, offset, 0],
    )?;
    into.truncate(got as usize);
    Ok(into)
}

pub fn put(number: i64, fd: i32, bytes: &[u8], offset: i64) -> Real<i64> {
    raw(
        number,
        [
            fd.into(),
            bytes.as_ptr() as i64,
            bytes.len() as i64,
            offset,
            0,
        ],
    )
}

pub fn readlinkat(fd: i32, path: &[u8], size: usize) -> Real<Vec<u8>> {
    let path = CString::new(path).unwrap();
    let mut into = vec![0; size];
    let got = raw(
        libc::SYS_readlinkat,
        [
            fd.into(),
            path.as_ptr() as i64,
            into.as_mut_ptr() as i64,
            size as i64,
            0,
        ],
    )?;
    into.truncate(got as usize);
    Ok(into)
}

pub fn getcwd(size: usize) -> Real<Vec<u8>> {
    let mut into = vec![0; size];
    let got = raw(
        libc::SYS_getcwd,
        [into.as_mut_ptr() as i64, size as i64, 0, 0, 0],
    )?;
    into.truncate(got as usize - 1);
    Ok(into)
}

pub fn stat(fd: i32, path: &[u8], flags: u32) -> Real<libc::stat> {
    let path = CString::new(path).unwrap();
    let mut stat = std::mem::MaybeUninit::<libc::stat>::zeroed();
    raw(
        libc::SYS_newfstatat,
        [
            fd.into(),
            path.as_ptr() as i64,
            stat.as_mut_ptr() as i64,
            flags.into(),
            0,
        ],
    )?;
    // SAFETY: zeros are a valid `stat`, and the kernel wrote a whole one.
    Ok(unsafe { stat.assume_init() })
}

pub fn setgroups(groups: &[u32]) -> Real<i64> {
    raw(
        libc::SYS_setgroups,
        [groups.len() as i64, groups.as_ptr() as i64, 0, 0, 0],
    )
}

pub fn getgroups() -> Vec<u32> {
    let mut groups = vec![0u32; 65_536];
    let got = raw(
        libc::SYS_getgroups,
        [groups.len() as i64, groups.as_mut_ptr() as i64, 0, 0, 0],
    )
    .unwrap();
    groups.truncate(got as usize);
    groups
}

pub fn ids() -> (u32, u32) {
    // SAFETY: these calls take nothing and always succeed.
    unsafe { (libc::geteuid(), libc::getegid()) }
}

/// Sets how many descriptors there may be, and returns the limit before.
pub fn limit_files(most: u64) -> u64 {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the pointer is to a `rlimit` that lives during the call.
    let got = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) };
    assert_eq!(got, 0);
    let before = std::mem::replace(&mut limit.rlim_cur, most);
    // SAFETY: as above.
    let set = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) };
    assert_eq!(set, 0);
    before
}

/// Whether a directory is on ext4 or tmpfs with pages of 4096 bytes. Others may count a directory as one link, or keep
/// holes in larger pieces.
pub fn counts_exactly(path: &std::path::Path) -> bool {
    use std::os::unix::ffi::OsStrExt;
    let path = CString::new(path.as_os_str().as_bytes()).unwrap();
    let mut about = std::mem::MaybeUninit::<libc::statfs>::zeroed();
    // SAFETY: both pointers are to memory that lives during the call, the second to a whole `statfs`.
    let got = unsafe { libc::statfs(path.as_ptr(), about.as_mut_ptr()) };
    assert_eq!(got, 0);
    // SAFETY: zeros are a valid `statfs`, and the kernel wrote a whole one.
    let about = unsafe { about.assume_init() };
    let known = [0xef53, 0x0102_1994].contains(&about.f_type);
    known && about.f_bsize == 4096
}
