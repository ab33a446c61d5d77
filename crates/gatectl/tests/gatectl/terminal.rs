//! A run on a terminal of its own, as a person sees it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(30);

/// How wide it is.
pub(crate) const COLUMNS: u16 = 80;

pub(crate) struct Terminal {
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    shown: Vec<u8>,
    /// The program's end of it, which knows whether there is an echo.
    inner: OwnedFd,
    child: Child,
}

impl Terminal {
    /// Runs `command` with all three streams on the terminal, or standard output elsewhere.
    pub(crate) fn run(command: &Command, stdout: Option<Stdio>) -> Self {
        let outer = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&outer).unwrap();
        unlockpt(&outer).unwrap();
        let path = ptsname(&outer, Vec::new()).unwrap();
        let inner: OwnedFd =
            File::options().read(true).write(true).open(path.to_str().unwrap()).unwrap().into();
        let size = Winsize { ws_row: 24, ws_col: COLUMNS, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&inner, size).unwrap();
        let stdio = || Stdio::from(inner.try_clone().unwrap());
        // The terminal is to be the one that the program is controlled from.
        let mut wrapped = Command::new("setsid");
        wrapped.args(["--ctty", "--wait"]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => wrapped.env(name, value),
                None => wrapped.env_remove(name),
            };
        }
        wrapped.current_dir(command.get_current_dir().unwrap());
        let child =
            wrapped.stdin(stdio()).stdout(stdout.unwrap_or_else(stdio)).stderr(stdio()).spawn().unwrap();
        let keyboard = File::from(outer);
        let mut reader = keyboard.try_clone().unwrap();
        let (sender, screen) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            // It ends with an error, when nobody has the other end open.
            while let Ok(read @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer.get(..read).unwrap().to_vec()).is_err() {
                    break;
                }
            }
        });
        Self { keyboard, screen, shown: Vec::new(), inner, child }
    }

    /// Waits until this is on the screen.
    pub(crate) fn wait_for(&mut self, text: &str) {
        while !self.text().contains(text) {
            match self.screen.recv_timeout(PATIENCE) {
                Ok(bytes) => self.shown.extend(bytes),
                Err(_) => panic!("no {text:?} came, but: {:?}", self.text()),
            }
        }
    }

    /// Waits until what is typed is not shown, and types it.
    pub(crate) fn type_unseen(&mut self, text: &str) {
        let begin = Instant::now();
        while tcgetattr(&self.inner).unwrap().local_modes.contains(LocalModes::ECHO) {
            assert!(begin.elapsed() < PATIENCE, "what is typed would be shown");
            thread::yield_now();
        }
        self.keyboard.write_all(text.as_bytes()).unwrap();
    }

    /// The exit code, which no signal has, and all that was on the screen.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let code = self.child.wait().unwrap().code();
        drop(self.inner);
        while let Ok(bytes) = self.screen.recv_timeout(PATIENCE) {
            self.shown.extend(bytes);
        }
        (code, String::from_utf8(self.shown).unwrap())
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.shown).into_owned()
    }
}
