//! A session: one client connection and the coroutine that serves it.
//!
//! accept -> start -> (wait -> wake)* -> finish -> flush -> linger -> close.
//! The script starts at accept. A native that cannot go on registers what it
//! waits for in `wait`; the event's handler finishes the work and wakes the
//! coroutine, last. `finish` drops the coroutine and with it whatever it
//! waited for.

mod close;
pub mod park;
pub mod read;
pub mod write;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use self::write::Flushed;
use super::conf::ServerConf;
use super::current;
use crate::lua::{Coroutine, Resumed, Values};
use crate::nginx::connection::{Connection, Handler};
use crate::nginx::event::{Expire, Timer};
use crate::nginx::guard::guard;
use crate::nginx::log::{Level, Log};
use crate::nginx::time::{current_msec, now};
use crate::nginx::{Msec, stat};
use crate::socket::TcpSocket;
use crate::text::pattern::Scanner;

/// How many calls of one resume may complete at once before the coroutine
/// waits for its next turn: a client that floods must not starve the others.
const BUDGET: u32 = 64;
/// How many bytes count as much as a call.
const BYTES_PER_CALL: usize = 16 * 1024;

/// What the coroutine waits for.
#[derive(Debug)]
pub enum Wait {
    /// Nothing: it runs, or has ended.
    Nothing,
    /// Bytes from the client, by this pattern.
    Receive(Scanner),
    /// That the kernel takes what was printed; then the call returns this.
    Flush(Flushed),
    /// A time.
    Sleep,
    /// The next request, or that the client goes.
    NextRequest,
    /// Its next turn.
    Turn,
    /// Nothing ever: ngx.exit() was called.
    Exit,
}

/// Where the session is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Accepted; the script has not started.
    Accepted,
    /// The script runs or waits.
    Serving,
    /// The script has ended; what it printed still goes out.
    Flushing,
    /// Everything is sent; the client may still be sending.
    Lingering,
    Closed,
}

/// One client connection.
pub struct Session {
    pub socket: TcpSocket,
    pub conf: &'static ServerConf,
    stage: Cell<Stage>,
    wait: RefCell<Wait>,
    coroutine: RefCell<Option<Coroutine>>,
    timer: Timer<Session>,
    budget: Cell<u32>,
    read_deadline: Cell<Option<Msec>>,
    write_deadline: Cell<Option<Msec>>,
    /// The script has been told that nothing more can be read.
    end_told: Cell<bool>,
    /// ngx.eof() was called.
    eof_sent: Cell<bool>,
    parked: Cell<bool>,
    in_light_session: Cell<bool>,
    start_time: Cell<(i64, u32)>,
    context: Cell<Option<crate::lua::registry::Ref>>,
}

/// Begins a session on a connection that nginx has just accepted.
pub fn accept(connection: Connection, conf: &'static ServerConf) {
    if let Some(log) = Log::configured(conf.error_log()) {
        connection.set_log(log);
    }
    if connection.log().enabled(Level::Info) {
        connection.write_log(
            Level::Info,
            0,
            format_args!(
                "client {} connected to {}",
                String::from_utf8_lossy(connection.client_text()),
                String::from_utf8_lossy(connection.server_text())
            ),
        );
    }
    connection.set_log_context();
    let session = Rc::new(Session {
        socket: TcpSocket::new(connection),
        conf,
        stage: Cell::new(Stage::Accepted),
        wait: RefCell::new(Wait::Nothing),
        coroutine: RefCell::new(None),
        timer: Timer::new(),
        budget: Cell::new(BUDGET),
        read_deadline: Cell::new(None),
        write_deadline: Cell::new(None),
        end_told: Cell::new(false),
        eof_sent: Cell::new(false),
        parked: Cell::new(false),
        in_light_session: Cell::new(false),
        start_time: Cell::new(now()),
        context: Cell::new(None),
    });
    session.connection().set_handler(&session);
    if session.connection().post_after_accept() {
        return;
    }
    if !guard("the start of a session", false, || {
        session.start();
        true
    }) {
        session.close();
    }
}

impl Session {
    /// The client's connection.
    pub fn connection(&self) -> &Connection {
        &self.socket.connection
    }

    /// Starts the script.
    fn start(self: &Rc<Self>) {
        self.stage.set(Stage::Serving);
        // The first receive tries the socket before it asks for events: most
        // clients have sent their request by then.
        self.connection().set_read_ready(true);
        self.connection().set_action(c"loading Lua code");
        self.begin_light_session();
        let made = match self.conf.engine() {
            Some(engine) => engine.coroutine_for(self.conf),
            None => Err(b"no Lua VM".to_vec()),
        };
        match made {
            Ok(coroutine) => {
                self.connection().set_action(c"running Lua");
                self.coroutine.replace(Some(coroutine));
                self.run(|coroutine| coroutine.start());
            }
            Err(text) => {
                self.connection().log().write_bytes(Level::Err, 0, &text);
                self.finish();
            }
        }
    }

    /// Resumes the coroutine: the call that waits returns `values`.
    #[inline(always)]
    pub(crate) fn wake(self: &Rc<Self>, values: Values) {
        *self.wait.borrow_mut() = Wait::Nothing;
        self.run(|coroutine| coroutine.resume(values));
    }

    #[inline(always)]
    fn run(self: &Rc<Self>, run: impl FnOnce(&Coroutine) -> Resumed) {
        self.budget.set(BUDGET);
        let resumed = current::enter_session(self, || {
            let coroutine = self.coroutine.borrow();
            coroutine.as_ref().map(run)
        });
        match resumed {
            Some(Resumed::Waiting) => self.suspended(),
            Some(Resumed::Yielded) => {
                self.wait.replace(Wait::Turn);
                self.suspended();
            }
            Some(Resumed::Failed(kind, text)) => {
                let line = [b"lua entry thread aborted: ", kind.as_bytes(), b": ", &text]
                    .concat();
                self.connection().log().write_bytes(Level::Err, 0, &line);
                self.finish();
            }
            Some(Resumed::Finished) | None => self.finish(),
        }
    }

    /// The coroutine waits: sees that what it waits for can come.
    #[inline(always)]
    fn suspended(self: &Rc<Self>) {
        self.flush_joined();
        let c = self.connection();
        // Given back before anything that may end the session.
        let wait = self.wait.borrow();
        match *wait {
            Wait::Receive(_) => {
                let in_budget = self.budget.get() > 0;
                if in_budget && !c.read_ready() && c.watch_read() {
                    self.socket.release_large_input();
                    return;
                }
                // Out of budget: the other connections first. What it asks for
                // may be in the buffer already, with nothing left in the
                // kernel to tell of.
                c.post_read();
            }
            // Nothing: a script yielded our mark without a wait.
            Wait::Turn | Wait::Nothing => c.post_write(),
            Wait::Sleep => {
                drop(wait);
                self.watch_for_abort();
            }
            Wait::Flush(_) => {
                drop(wait);
                if self.socket.queued() == 0 || self.socket.writable().is_err() {
                    c.post_write();
                }
                self.watch_for_abort();
            }
            Wait::NextRequest => {
                drop(wait);
                self.park();
            }
            Wait::Exit => {
                drop(wait);
                self.finish();
            }
        }
    }

    /// Takes one from the budget; false when it is used up and the call that
    /// asks has to wait for its turn.
    pub(crate) fn spend(&self) -> bool {
        let left = self.budget.get();
        self.budget.set(left.saturating_sub(1));
        left > 0
    }

    /// Takes from the budget for bytes: many at once are as much work as many
    /// calls.
    #[inline]
    pub(crate) fn spend_bytes(&self, n: usize) {
        let calls = (n / BYTES_PER_CALL) as u32;
        if calls > 0 {
            self.budget.set(self.budget.get().saturating_sub(calls));
        }
    }

    /// Registers what the running coroutine is about to wait for.
    pub(crate) fn wait_for(&self, wait: Wait) {
        *self.wait.borrow_mut() = wait;
    }

    /// Makes the coroutine sleep.
    pub(crate) fn sleep(self: &Rc<Self>, msec: Msec) {
        self.wait_for(Wait::Sleep);
        self.timer.arm(self.clone(), msec);
    }

    /// Takes back a wait: the coroutine could not be suspended after all.
    pub(crate) fn abandon_wait(&self) {
        self.timer.cancel();
        self.wait.replace(Wait::Nothing);
    }

    /// Asks the running coroutine: is it the entry coroutine itself? If so it
    /// is not used again for another session.
    pub(crate) fn is_entry(&self, state: *const std::ffi::c_void) -> bool {
        match &*self.coroutine.borrow() {
            Some(coroutine) if coroutine.is(state) => {
                coroutine.mark_escaped();
                true
            }
            _ => false,
        }
    }

    /// When the light session began: seconds and milliseconds.
    pub(crate) fn start_time(&self) -> (i64, u32) {
        self.start_time.get()
    }

    /// The table behind ngx.ctx, once a script has used it.
    pub(crate) fn context(&self) -> &Cell<Option<crate::lua::registry::Ref>> {
        &self.context
    }

    fn begin_light_session(&self) {
        if !self.in_light_session.replace(true) {
            self.connection().count_request();
            self.start_time.set(now());
            stat::REQUESTS.increment();
            stat::READING.increment();
        }
    }

    fn end_light_session(&self) {
        if self.in_light_session.replace(false) {
            stat::READING.decrement();
        }
    }
}

impl Handler for Session {
    fn on_read(self: &Rc<Self>) {
        if self.connection().close_requested() {
            // nginx quits, is out of connections, or worker_shutdown_timeout
            // is over.
            return self.close();
        }
        match self.stage.get() {
            Stage::Accepted => self.start(),
            Stage::Serving => self.on_read_serving(),
            Stage::Flushing => {
                self.connection().take_read_timedout();
                self.rest_read_event();
            }
            Stage::Lingering => self.on_read_lingering(),
            Stage::Closed => {}
        }
    }

    fn on_write(self: &Rc<Self>) {
        match self.stage.get() {
            Stage::Serving | Stage::Flushing => self.on_write_pending(),
            Stage::Accepted | Stage::Lingering | Stage::Closed => {}
        }
    }

    fn on_panic(self: &Rc<Self>) {
        self.close();
    }
}

impl Expire for Session {
    fn on_expire(self: &Rc<Self>) {
        if matches!(*self.wait.borrow(), Wait::Sleep) {
            self.wake(Values::NONE);
        }
    }

    fn on_panic(self: &Rc<Self>) {
        self.close();
    }
}

/// Milliseconds left until `deadline`, if it has not come.
fn left_until(deadline: Msec) -> Option<Msec> {
    let left = deadline.wrapping_sub(current_msec()) as isize;
    (left > 0).then_some(left as Msec)
}
