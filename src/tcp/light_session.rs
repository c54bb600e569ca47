//! A light session: one request of a connection, from the connection's start or
//! the request's first byte to its answer. Sessions of every protocol have one.

use std::cell::Cell;

use crate::nginx::connection::Connection;
use crate::nginx::stat;
use crate::nginx::time::now;

/// The light session of a connection: the open one, or the last.
pub struct LightSession {
    state: Cell<State>,
    start_time: Cell<(i64, u32)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// None is open.
    Idle,
    Open,
    /// It has ended, and its line is not written.
    Ended,
}

impl LightSession {
    /// None is open.
    pub fn idle() -> LightSession {
        LightSession { state: Cell::new(State::Idle), start_time: Cell::new(now()) }
    }

    /// Begins one, unless it is open.
    pub fn begin(&self, connection: &Connection) {
        if self.state.replace(State::Open) != State::Open {
            connection.count_request();
            self.start_time.set(now());
            stat::REQUESTS.increment();
            stat::READING.increment();
        }
    }

    /// Whether one is open.
    pub fn is_open(&self) -> bool {
        self.state.get() == State::Open
    }

    /// Ends the open one.
    pub fn end(&self) {
        if self.state.get() == State::Open {
            self.state.set(State::Ended);
            stat::READING.decrement();
        }
    }

    /// Whether one has ended since this was last asked.
    pub fn take_ended(&self) -> bool {
        let ended = self.state.get() == State::Ended;
        if ended {
            self.state.set(State::Idle);
        }
        ended
    }

    /// When it began: seconds and milliseconds.
    pub fn start_time(&self) -> (i64, u32) {
        self.start_time.get()
    }
}
