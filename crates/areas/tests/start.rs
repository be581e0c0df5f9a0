//! The stack against this process's own, and `#!` lines against what Linux executes.
use areas::script::Script;
use areas::stack::{auxiliary, build, Start};
use areas::Errno;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The part of this process's stack from argc to the top, and where argc is: found below AT_RANDOM and AT_EXECFN by the
/// auxiliary vector, which Linux shows in a file, too.
fn own() -> (u64, Vec<u8>) {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let line = maps.lines().find(|line| line.ends_with("[stack]")).unwrap();
    let (start, end) = line
        .split_whitespace()
        .next()
        .unwrap()
        .split_once('-')
        .unwrap();
    let [start, end] = [start, end].map(|text| u64::from_str_radix(text, 16).unwrap());
    let memory = std::fs::File::open("/proc/self/mem").unwrap();
    let mut bytes = vec![0; (end - start) as usize];
    std::os::unix::fs::FileExt::read_exact_at(&memory, &mut bytes, start).unwrap();
    (start, bytes)
}

fn words(bytes: &[u8]) -> Vec<u64> {
    bytes
        .chunks_exact(8)
        .map(|word| u64::from_le_bytes(word.try_into().unwrap()))
        .collect()
}

#[test]
fn the_stack_says_what_linux_says() {
    let (start, bytes) = own();
    let top = start + bytes.len() as u64;
    let vector = std::fs::read("/proc/self/auxv").unwrap();
    let at = bytes
        .windows(vector.len())
        .step_by(8)
        .rposition(|part| part == vector)
        .unwrap()
        * 8;
    let pairs: Vec<(u64, u64)> = words(&vector)
        .chunks_exact(2)
        .map(|pair| (pair[0], pair[1]))
        .collect();
    let value = |kind| pairs.iter().find(|pair| pair.0 == kind).unwrap().1;
    let line = std::fs::read("/proc/self/cmdline").unwrap();
    let variables = std::fs::read("/proc/self/environ").unwrap();
    let list = |text: &'static [u8]| {
        text.split(|byte| *byte == 0)
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
    };
    let arguments = list(line.leak());
    let environment = list(variables.leak());
    let path = &bytes[(value(auxiliary::EXECFN) - start) as usize..];
    let path = &path[..path.iter().position(|byte| *byte == 0).unwrap()];
    let random = &bytes[(value(auxiliary::RANDOM) - start) as usize..][..16];
    let others: Vec<_> = pairs
        .iter()
        .copied()
        .filter(|pair| !matches!(pair.0, 0 | 25 | 31))
        .collect();
    let told = Start {
        arguments: &arguments,
        environment: &environment,
        path,
        random: random.try_into().unwrap(),
        auxiliary: &others,
    };
    let ours = build(&told, top, 8 << 20).unwrap();
    assert_eq!(ours.pointer % 16, 0);
    assert_eq!(ours.pointer + ours.bytes.len() as u64, top);
    // The strings lie where Linux put them, and so the pointers to them are the same.
    let counted = 8 * (1 + arguments.len() + 1 + environment.len() + 1);
    assert_eq!(
        words(&ours.bytes[..counted]),
        words(&bytes[at - counted..at])
    );
    assert_eq!(
        (start + (at - counted) as u64) % 16,
        0,
        "Linux aligns argc alike"
    );
    let strings = (top - value_of(&ours.bytes[8..16])) as usize;
    assert_eq!(
        ours.bytes[ours.bytes.len() - strings..],
        bytes[bytes.len() - strings..]
    );
    let found = words(&ours.bytes[counted..counted + 16 * (others.len() + 3)]);
    for (kind, expected) in pairs.iter().filter(|pair| pair.0 != auxiliary::RANDOM) {
        assert!(
            found.chunks_exact(2).any(|pair| pair == [*kind, *expected]),
            "entry {kind}"
        );
    }
}

fn value_of(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().unwrap())
}

#[test]
fn too_much_is_refused() {
    let long = vec![b'a'; areas::stack::STRING];
    assert_eq!(
        build(&told(&[&long]), 1 << 40, 8 << 20).unwrap_err(),
        Errno::E2BIG
    );
    assert!(build(&told(&[&long[1..]]), 1 << 40, 8 << 20).is_ok());
    assert_eq!(
        build(&told(&vec![&long[1..]; 17]), 1 << 40, 8 << 20).unwrap_err(),
        Errno::E2BIG
    );
    assert_eq!(
        build(&told(&[b"a"]), 16, 8 << 20).unwrap_err(),
        Errno::EFAULT
    );
    assert_eq!(
        words(&build(&told(&[]), 1 << 40, 8 << 20).unwrap().bytes)[0],
        1
    );
}

#[test]
fn first_lines_are_read_as_linux_reads_them() {
    let folder = std::env::temp_dir().join(format!("areas-script-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let long = |length| [b"#!/bin/echo ".as_slice(), &vec![b'a'; length]].concat();
    let path = |slashes| [b"#!".as_slice(), &vec![b'/'; slashes], b"bin/echo"].concat();
    let mut cases: Vec<Vec<u8>> = [
        "#!/bin/echo\n",
        "#!/bin/echo",
        "#! \t/bin/echo  one two \t\nrest",
        "#!/bin/echo\tone\n",
        "#!",
        "#!\n",
        "#! \t \n",
        "#!/bin/echo \n",
        "#!/bin/echo a\0b\n",
        "#!/bin/echo\0b\n",
        "#!\0\n",
        "# !/bin/echo\n",
        "#!/bin/echo ",
        "#!/bin/echo a  ",
        "#!/bin/echo a \0\n",
        "#! ",
        "#!/bin/echo a\n\0",
        "",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into();
    cases.extend([200, 242, 243, 244, 245, 300].map(long));
    cases.extend((240..252).map(path));
    for more in [" b", " ", "\n", "\t \n", "\0", " \0", "  b c \n"] {
        cases.extend((238..252).map(|slashes| [&path(slashes), more.as_bytes()].concat()));
    }
    cases.push([b"#!".as_slice(), &[b' '; 300]].concat());
    for case in &cases {
        let file = folder.join("script");
        std::fs::write(&file, case).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        let linux = run(&file);
        let ours = Script::read(case).map(|script| {
            let mut line = script
                .argument
                .map_or(Vec::new(), |argument| [argument, b" "].concat());
            line.extend([file.to_str().unwrap().as_bytes(), b"\n"].concat());
            (
                String::from_utf8_lossy(script.interpreter)
                    .trim_start_matches('/')
                    .to_string(),
                line,
            )
        });
        match (linux, ours) {
            (Ok(line), Ok((interpreter, ours))) => {
                assert_eq!((interpreter.as_str(), ours), ("bin/echo", line), "{case:?}")
            }
            (Err(number), Err(error)) => {
                assert_eq!(number, error.0, "{}", String::from_utf8_lossy(case))
            }
            (linux, ours) => panic!(
                "{}: {linux:?}, ours {ours:?}",
                String::from_utf8_lossy(case)
            ),
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

/// What the script prints, or why it is not executed. Another test's child may hold the file open to write for a moment.
fn run(file: &std::path::Path) -> Result<Vec<u8>, i32> {
    for _ in 0..100 {
        match Command::new(file).arg0("script").output() {
            Ok(output) => return Ok(output.stdout),
            Err(error) if error.raw_os_error() == Some(26) => {
                std::thread::sleep(std::time::Duration::from_millis(5))
            }
            Err(error) => return Err(error.raw_os_error().unwrap()),
        }
    }
    Err(26)
}

fn told<'a>(arguments: &'a [&'a [u8]]) -> Start<'a> {
    Start {
        arguments,
        environment: &[],
        path: b"x",
        random: [0; 16],
        auxiliary: &[],
    }
}
