//! Who holds a lock: a process, by its id and the time when it was started, so
//! that another with the same id is not taken for it.

use std::cell::Cell;
use std::fs;
use std::process;

/// A process; 0 is none.
pub(super) type Owner = u64;

/// The process that runs now. Read anew by `forget()`, after a fork.
pub(super) struct Identity(Cell<Owner>);

impl Identity {
    pub fn new() -> Identity {
        Identity(Cell::new(this_process()))
    }

    #[cfg(test)]
    pub fn of(owner: Owner) -> Identity {
        Identity(Cell::new(owner))
    }

    #[inline(always)]
    pub fn get(&self) -> Owner {
        self.0.get()
    }

    /// The process has forked.
    pub fn refresh(&self) {
        self.0.set(this_process());
    }
}

fn this_process() -> Owner {
    let pid = process::id();
    let started = status(pid).map_or(0, |status| status.started);
    u64::from(started) << 32 | u64::from(pid)
}

/// Whether it can still release what it holds. A process that cannot be asked
/// about lives.
pub(super) fn is_alive(owner: Owner) -> bool {
    let (pid, started) = (owner as u32, (owner >> 32) as u32);
    match status(pid) {
        Some(status) => {
            !matches!(status.state, b'Z' | b'X' | b'x')
                && (status.started == started || started == 0)
        }
        // Without /proc nothing is known of anybody.
        None => status(process::id()).is_none(),
    }
}

struct Status {
    state: u8,
    started: u32,
}

/// What /proc/PID/stat says, see proc(5). The name of the program, in
/// parentheses, may have spaces and parentheses.
fn status(pid: u32) -> Option<Status> {
    let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let end = memchr::memrchr(b')', &text)?;
    let rest = std::str::from_utf8(text.get(end + 1..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let state = *fields.next()?.as_bytes().first()?;
    // Field 3 was the state, field 22 is the time.
    let started: u64 = fields.nth(22 - 4)?.parse().ok()?;
    Some(Status { state, started: started as u32 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives() {
        let me = this_process();
        assert_eq!(me as u32, process::id());
        assert!(is_alive(me));
        assert!(!is_alive(me ^ 1 << 32), "another process had this id");
    }

    #[test]
    fn a_killed_child_does_not_live_before_it_is_reaped() {
        let mut child = process::Command::new("sleep").arg("100").spawn().expect("sleep");
        let started = status(child.id()).expect("started").started;
        let owner = u64::from(started) << 32 | u64::from(child.id());
        assert!(is_alive(owner));
        child.kill().expect("killed");
        while is_alive(owner) {
            std::thread::yield_now();
        }
        child.wait().expect("reaped");
        assert!(!is_alive(owner));
    }
}
