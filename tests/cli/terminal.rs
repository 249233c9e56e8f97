//! The binary on a terminal: what it shows, and keys for it. Nothing here waits longer than [`PATIENCE`].

use std::{
    io::{Read, Write},
    num::NonZero,
    sync::mpsc::{self, Receiver},
    thread,
    time::Instant,
};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::support::{Operator, PATIENCE, binary};

const ROWS: u16 = 30;
const COLUMNS: u16 = 100;

/// A terminal with the binary on it.
pub struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    // The terminal is there as long as its master is.
    _master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    heard: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    /// Everything that was written, escape sequences too.
    written: Vec<u8>,
}

impl Terminal {
    /// The binary with `arguments`, separated by spaces.
    pub fn start(operator: &Operator, arguments: &str) -> Self {
        let size = PtySize { rows: ROWS, cols: COLUMNS, ..PtySize::default() };
        let pty = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(binary());
        command.args(arguments.split(' '));
        command.env_clear();
        operator.surroundings().iter().for_each(|(name, value)| command.env(name, value));
        let child = pty.slave.spawn_command(command).unwrap();
        let mut bytes = pty.master.try_clone_reader().unwrap();
        let (told, heard) = mpsc::channel();
        thread::spawn(move || {
            let mut some = [0; 4096];
            // Reading ends with the binary, or with the test.
            while let Ok(count @ 1..) = bytes.read(&mut some) {
                if told.send(some[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        let keys = pty.master.take_writer().unwrap();
        let screen = vt100::Parser::new(NonZero::new(ROWS).unwrap(), NonZero::new(COLUMNS).unwrap(), 0);
        Self { child, _master: pty.master, keys, heard, screen, written: Vec::new() }
    }

    /// Waits until the screen shows `text`.
    pub fn until(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.screen.screen().contents().contains(text) {
            let Ok(some) = self.heard.recv_timeout(deadline.saturating_duration_since(Instant::now())) else {
                panic!("{text:?} is not shown:\n{}", self.screen.screen().contents());
            };
            self.take(&some);
        }
    }

    /// Types.
    pub fn types(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits for the end; gives the exit code and everything that was written.
    pub fn end(mut self) -> (u32, String) {
        let deadline = Instant::now() + PATIENCE;
        while let Ok(some) = self.heard.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            self.take(&some);
        }
        if Instant::now() >= deadline {
            self.child.kill().unwrap();
        }
        let code = self.child.wait().unwrap().exit_code();
        (code, String::from_utf8_lossy(&self.written).into_owned())
    }

    fn take(&mut self, some: &[u8]) {
        self.screen.process(some);
        self.written.extend_from_slice(some);
    }
}
