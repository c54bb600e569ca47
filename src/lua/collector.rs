//! How long garbage is left lying: LuaJIT begins a collection when the heap is
//! twice what the last one left. A worker's heap is small (a few hundred KiB)
//! next to what its messages throw away, so that would collect all the time;
//! here it may grow by `SLACK` at least.

use std::cell::Cell;
use std::ffi::c_int;

use mlua::ffi as lua;
use mlua::ffi::lua_State;

/// What a small heap may grow by before it is collected, in KiB.
const SLACK: c_int = 4096;
/// LuaJIT's own setting, in percent, and the most that ours makes of it.
const PAUSE: c_int = 200;
const MAX_PAUSE: c_int = 1600;
/// Resumes from one look at the heap's size to the next.
const INTERVAL: u32 = 1024;

/// Sets the collector's pause by the size of the heap, until a script sets it.
pub(super) struct Collector {
    countdown: Cell<u32>,
    pause: Cell<Option<c_int>>,
}

impl Collector {
    pub fn new() -> Collector {
        Collector { countdown: Cell::new(0), pause: Cell::new(Some(PAUSE)) }
    }

    /// Counts a resume.
    #[inline]
    pub fn tick(&self, state: *mut lua_State) {
        match self.countdown.get() {
            0 => self.adjust(state),
            n => self.countdown.set(n - 1),
        }
    }

    fn adjust(&self, state: *mut lua_State) {
        self.countdown.set(INTERVAL);
        let Some(expected) = self.pause.get() else { return };
        // SAFETY: the VM's main state; counting and setting raise nothing.
        unsafe {
            let size = lua::lua_gc(state, lua::LUA_GCCOUNT, 0).max(1);
            let pause = (100 + SLACK.saturating_mul(100) / size).clamp(PAUSE, MAX_PAUSE);
            let found = lua::lua_gc(state, lua::LUA_GCSETPAUSE, pause);
            if found == expected {
                self.pause.set(Some(pause));
            } else {
                // A script has called collectgarbage("setpause"): its choice.
                lua::lua_gc(state, lua::LUA_GCSETPAUSE, found);
                self.pause.set(None);
            }
        }
    }
}
