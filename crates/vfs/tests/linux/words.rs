//! Random descriptors, paths and modes: few enough that they meet, odd enough that each check is reached.
use crate::Both;
use libc::AT_FDCWD;

impl Both {
    pub fn note(&mut self, text: String) {
        let who = (self.process.who.fsuid, self.process.who.fsgid);
        self.log.push(format!("{who:?} {text}"));
    }

    pub fn fd(&mut self) -> i32 {
        match self.random.below(40) {
            0 => self.random.pick(&[-1, 99, i32::MAX, i32::MIN]),
            1 => self.random.below(9) as i32 + 3,
            _ => {
                let used: Vec<i32> = self
                    .process
                    .table
                    .used()
                    .map(|(fd, _)| fd)
                    .filter(|&fd| fd > 2)
                    .collect();
                if used.is_empty() {
                    3
                } else {
                    self.random.pick(&used)
                }
            }
        }
    }

    fn name(&mut self) -> Vec<u8> {
        match self.random.below(60) {
            0 => vec![b'l'; 255],
            1 => vec![b'l'; 256],
            2..=6 => b".".to_vec(),
            7..=12 => b"..".to_vec(),
            _ => self
                .random
                .pick(&["a", "b", "c", "d", "e"])
                .as_bytes()
                .to_vec(),
        }
    }

    pub fn text(&mut self) -> Vec<u8> {
        match self.random.below(150) {
            0 => return Vec::new(),
            1 => {
                return b"./"
                    .repeat(2047 + self.random.below(2))
                    .into_iter()
                    .chain(*b"a")
                    .collect()
            }
            _ => {}
        }
        let mut path = self.name();
        for _ in 0..self.random.pick(&[0, 0, 0, 1, 1, 2, 3]) {
            path.extend(self.random.pick(&["/", "/", "/", "//"]).as_bytes());
            path.extend(self.name());
        }
        path.extend(
            self.random
                .pick(&["", "", "", "", "", "", "", "/", "//"])
                .as_bytes(),
        );
        path
    }

    /// A descriptor and a path from it that stays within the tree.
    pub fn path(&mut self) -> (i32, Vec<u8>) {
        loop {
            let path = self.text();
            let fd = if self.random.below(3) == 0 {
                self.fd()
            } else {
                AT_FDCWD
            };
            if self.stays(fd, &path) {
                return (fd, path);
            }
        }
    }

    pub fn mode(&mut self) -> u32 {
        match self.random.below(4) {
            0 => self.random.below(0o10000) as u32,
            1 => self.random.below(0o1000) as u32,
            _ => self
                .random
                .pick(&[0o777, 0o755, 0o700, 0o1777, 0o2775, 0o6755, 0o666]),
        }
    }
}
