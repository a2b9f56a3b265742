//! The program on a terminal: a pseudo-terminal whose screen is kept as a person would see it.

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Instant;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::world::{PATIENCE, Run};

/// Rows and columns.
const SIZE: (u16, u16) = (60, 160);

struct View {
    parser: vt100::Parser,
    /// Every byte that ever came.
    bytes: Vec<u8>,
    closed: bool,
}

/// A process on a terminal of its own.
pub struct Terminal {
    pub child: Child,
    keyboard: File,
    view: Arc<(Mutex<View>, Condvar)>,
    /// What came before this was looked at already.
    from: usize,
}

impl Terminal {
    /// Starts the program with the terminal as all three of its streams.
    pub fn start(run: Run) -> Self {
        Self::start_with_output(run, None)
    }

    /// Starts the program on a terminal of this many rows and columns.
    pub fn start_sized(run: Run, size: (u16, u16)) -> Self {
        Self::start_with(run, None, size)
    }

    /// Starts the program on a terminal, with standard output elsewhere if so told.
    pub fn start_with_output(run: Run, output: Option<File>) -> Self {
        Self::start_with(run, output, SIZE)
    }

    #[expect(unsafe_code, reason = "the terminal is taken between fork and exec")]
    fn start_with(mut run: Run, output: Option<File>, size: (u16, u16)) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let both = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let line = rustix::fs::open(name, both, Mode::empty()).unwrap();
        rustix::termios::tcsetwinsize(&line, winsize(size)).unwrap();
        let stream = || Stdio::from(line.try_clone().unwrap());
        run.command.stdin(stream()).stderr(stream());
        run.command.stdout(output.map_or_else(stream, Stdio::from));
        // SAFETY: both calls are async-signal-safe and allocate nothing.
        unsafe {
            run.command.pre_exec(|| {
                rustix::process::setsid()?;
                rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?;
                Ok(())
            });
        }
        let child = run.command.spawn().unwrap();
        drop(run);
        drop(line);
        Terminal {
            child,
            view: watch(&master, size),
            keyboard: File::from(master),
            from: 0,
        }
    }

    pub fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Gives the terminal another size, as dragging its window does.
    pub fn resize(&mut self, size: (u16, u16)) {
        let mut view = self.view.0.lock().unwrap();
        let (rows, columns) = nonzero(size);
        view.parser.set_size(rows, columns);
        drop(view);
        rustix::termios::tcsetwinsize(&self.keyboard, winsize(size)).unwrap();
    }

    /// Waits until the screen is as `fits` wants it.
    #[track_caller]
    pub fn wait_until(&mut self, fits: impl Fn(&str) -> bool) -> String {
        let view = self.view.0.lock().unwrap();
        let wrong = |view: &mut View| !view.closed && !fits(&view.parser.screen().contents());
        let (view, late) = self
            .view
            .1
            .wait_timeout_while(view, PATIENCE, wrong)
            .unwrap();
        let screen = view.parser.screen().contents();
        assert!(!late.timed_out() && fits(&screen), "the screen:\n{screen}");
        screen
    }

    /// Types a line.
    pub fn type_line(&mut self, line: &str) {
        self.press(line);
        self.press("\r");
    }

    /// Waits until these words come, after whatever was waited for last.
    #[track_caller]
    pub fn wait_for(&mut self, words: &str) {
        let view = self.view.0.lock().unwrap();
        let from = self.from;
        let end = |view: &View| {
            let new = &view.bytes[from..];
            let at = new.windows(words.len()).position(|w| w == words.as_bytes());
            at.map(|at| from + at + words.len())
        };
        let start = Instant::now();
        let missing = |view: &mut View| end(view).is_none() && !view.closed;
        let left = PATIENCE.saturating_sub(start.elapsed());
        let (view, _) = self.view.1.wait_timeout_while(view, left, missing).unwrap();
        match end(&view) {
            Some(end) => {
                drop(view);
                self.from = end;
            }
            None => panic!(
                "{words:?} did not come (closed: {}); the screen:\n{}",
                view.closed,
                view.parser.screen().contents()
            ),
        }
    }

    /// The screen now, with its colours.
    pub fn cells(&self) -> vt100::Screen {
        self.view.0.lock().unwrap().parser.screen().clone()
    }

    /// What a person sees now.
    pub fn screen(&self) -> String {
        self.view.0.lock().unwrap().parser.screen().contents()
    }

    /// Everything that was ever sent to the terminal.
    pub fn sent(&self) -> String {
        String::from_utf8_lossy(&self.view.0.lock().unwrap().bytes).into_owned()
    }

    /// Takes the terminal away, as closing its window does, and waits for the end of the process.
    pub fn hang_up(mut self) {
        rustix::process::kill_process(
            rustix::process::Pid::from_child(&self.child),
            rustix::process::Signal::HUP,
        )
        .unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for the end of the process.
    #[track_caller]
    pub fn end(mut self) -> ExitStatus {
        let view = self.view.0.lock().unwrap();
        let open = |view: &mut View| !view.closed;
        let (view, late) = self
            .view
            .1
            .wait_timeout_while(view, PATIENCE, open)
            .unwrap();
        let screen = view.parser.screen().contents();
        assert!(!late.timed_out(), "it goes on:\n{screen}");
        drop(view);
        self.child.wait().unwrap()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn winsize((rows, columns): (u16, u16)) -> rustix::termios::Winsize {
    rustix::termios::Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

fn nonzero((rows, columns): (u16, u16)) -> (NonZeroU16, NonZeroU16) {
    let sound = |n| NonZeroU16::new(n).unwrap();
    (sound(rows), sound(columns))
}

fn watch(master: &OwnedFd, size: (u16, u16)) -> Arc<(Mutex<View>, Condvar)> {
    let (rows, columns) = nonzero(size);
    let view = View {
        parser: vt100::Parser::new(rows, columns, 0),
        bytes: Vec::new(),
        closed: false,
    };
    let view = Arc::new((Mutex::new(view), Condvar::new()));
    let (shared, mut source) = (view.clone(), File::from(master.try_clone().unwrap()));
    thread::spawn(move || {
        let mut piece = [0; 4096];
        loop {
            // A terminal that nobody holds any more is an error to read from.
            let got = source.read(&mut piece).unwrap_or(0);
            // A test that failed has left its screen behind.
            let Ok(mut view) = shared.0.lock() else {
                return;
            };
            view.parser.process(&piece[..got]);
            view.bytes.extend(&piece[..got]);
            view.closed = got == 0;
            shared.1.notify_all();
            if got == 0 {
                return;
            }
        }
    });
    view
}
