//! Looking up names with nginx's resolver.
//!
//! nginx calls the handler of a context from inside `ngx_resolve_name()` when it
//! knows the answer, and else from a loop over all who wait for the name: there
//! nobody may end another one's context. So what comes later is only noted, and
//! told in the next turn of the event loop, where a script may do anything.

use std::cell::{Cell, RefCell, UnsafeCell};
use std::ffi::CStr;
use std::fmt;
use std::mem;
use std::net::IpAddr;
use std::ptr;
use std::rc::Rc;

use ngx::ffi::{
    NGX_OK, NGX_RESOLVE_NXDOMAIN, ngx_int_t, ngx_resolve_name, ngx_resolve_name_done,
    ngx_resolve_start, ngx_resolver_ctx_t, ngx_resolver_strerror, ngx_str_t,
};

use super::Msec;
use super::address::Address;
use super::conf::resolver::ResolverConf;
use super::event::LoopEvent;
use super::guard::guard;
use super::local::Local;

/// For `resolver_timeout 0`, which sets no limit: nginx would arm no timer, and
/// an exiting worker not wait. The longest time that timers compare rightly.
const FOR_EVER: Msec = i32::MAX as Msec;

/// RFC 1035, 2.3.4; nginx would send longer labels as if they were pointers.
const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;

/// Whoever asks for a name.
pub trait Resolving: 'static {
    /// The answer, from the event loop: no script and no call of `start` is
    /// below. The query may be dropped now, or may have been since it came.
    fn resolved(self: Rc<Self>, answer: Answer);
}

/// All addresses of a name, with port 0, in the order nginx gives them.
pub type Answer = Result<Vec<Address>, ResolveError>;

/// What has become of a lookup.
pub enum Started {
    /// nginx had the answer in its cache, or the name is an address.
    Now(Vec<Address>),
    /// It is asking, or knows that there is no such name: `resolved` comes.
    Later(Query),
}

/// Why a lookup did not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartError {
    /// The configuration names no name server.
    NoResolver,
    /// nginx had no memory.
    Failed,
}

/// Why a name has no address: the server's RCODE, or a timeout (110).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResolveError(ngx_int_t);

/// A lookup that goes on; dropping it takes it back. An exiting worker waits
/// for it.
pub struct Query(Rc<Lookup>);

/// Lives as long as its query, which ends `ctx` when it is dropped.
struct Lookup {
    /// NULL while nginx is being asked and after it has answered.
    ctx: Cell<*mut ngx_resolver_ctx_t>,
    /// nginx writes it in lower case, and reads it as long as it has the context.
    name: UnsafeCell<Box<[u8]>>,
    answer: Cell<Option<Answer>>,
    who: Cell<Option<Rc<dyn Resolving>>>,
}

static ANSWERED: Local<RefCell<Vec<Rc<Lookup>>>> = Local::new(RefCell::new(Vec::new()));
static EVENT: Local<LoopEvent> = Local::new(LoopEvent::new(tell));

/// Looks `name` up, for at most `timeout` milliseconds (0: without a limit).
pub fn start(
    conf: ResolverConf,
    name: &[u8],
    timeout: Msec,
    who: Rc<dyn Resolving>,
) -> Result<Started, StartError> {
    if let Some(ip) = literal(name) {
        return Ok(Started::Now(vec![Address::ip(ip, 0)]));
    }
    if !conf.is_defined() {
        return Err(StartError::NoResolver);
    }
    let lookup = Rc::new(Lookup {
        ctx: Cell::new(ptr::null_mut()),
        name: UnsafeCell::new(name.into()),
        answer: Cell::new(None),
        who: Cell::new(Some(who)),
    });
    if is_domain_name(name) {
        lookup.ask(conf, timeout)?;
    } else {
        lookup.answer.set(Some(Err(ResolveError::NOT_FOUND)));
    }
    match lookup.answer.take() {
        Some(Ok(addresses)) => return Ok(Started::Now(addresses)),
        Some(error) => {
            lookup.answer.set(Some(error));
            post(lookup.clone());
        }
        None => {}
    }
    Ok(Started::Later(Query(lookup)))
}

impl Drop for Query {
    fn drop(&mut self) {
        self.0.who.take();
        let ctx = self.0.ctx.replace(ptr::null_mut());
        if !ctx.is_null() {
            // SAFETY: nginx has not answered, so that the context is live, and
            // no loop of nginx's over contexts is below (see the module's text).
            unsafe { ngx_resolve_name_done(ctx) };
        }
    }
}

impl Lookup {
    fn ask(self: &Rc<Self>, conf: ResolverConf, timeout: Msec) -> Result<(), StartError> {
        // SAFETY: a resolver lives as long as its cycle; without a temporary
        // context nginx allocates one.
        let ctx = unsafe { ngx_resolve_start(conf.as_ptr(), ptr::null_mut()) };
        // NGX_NO_RESOLVER, which is -1, was looked for by is_defined().
        if ctx.is_null() || ctx.addr() == usize::MAX {
            return Err(StartError::Failed);
        }
        // SAFETY: a fresh context. The name is not touched by us any more, and
        // like the lookup it stays where it is until the context is ended: by
        // on_answer(), by the query, or by nginx when it fails.
        let rc = unsafe {
            let name = &mut *self.name.get();
            (*ctx).name = ngx_str_t { len: name.len(), data: name.as_mut_ptr() };
            (*ctx).handler = Some(on_answer);
            (*ctx).data = Rc::as_ptr(self).cast_mut().cast();
            (*ctx).timeout = if timeout == 0 { FOR_EVER } else { timeout.min(FOR_EVER) };
            ngx_resolve_name(ctx)
        };
        if rc != NGX_OK as ngx_int_t {
            return Err(StartError::Failed); // and the context is freed
        }
        let answer = self.answer.take();
        if answer.is_none() {
            self.ctx.set(ctx);
        }
        self.answer.set(answer);
        Ok(())
    }
}

/// nginx's entry, at most once a context.
unsafe extern "C" fn on_answer(ctx: *mut ngx_resolver_ctx_t) {
    guard("the handler of a name", (), || {
        // SAFETY: ask() has set the data to a lookup in an Rc, which lives at
        // least until the context is ended: here. nginx fills the context before
        // the call and does not look at it after it.
        let (lookup, was_waiting) = unsafe {
            let lookup = (*ctx).data.cast_const().cast::<Lookup>();
            let answer = read(&*ctx);
            ngx_resolve_name_done(ctx);
            (*lookup).answer.set(Some(answer));
            let was_waiting = !(*lookup).ctx.replace(ptr::null_mut()).is_null();
            Rc::increment_strong_count(lookup);
            (Rc::from_raw(lookup), was_waiting)
        };
        if was_waiting {
            post(lookup);
        }
    });
}

/// # Safety
/// - nginx has filled the context with an answer.
unsafe fn read(ctx: &ngx_resolver_ctx_t) -> Answer {
    if ctx.state != NGX_OK as ngx_int_t {
        return Err(ResolveError(ctx.state));
    }
    // SAFETY: naddrs addresses at addrs, each of its length, until the handler
    // returns.
    unsafe {
        let addrs = std::slice::from_raw_parts(ctx.addrs, ctx.naddrs);
        Ok(addrs
            .iter()
            .map(|a| Address::from_raw(a.sockaddr.cast(), a.socklen))
            .collect())
    }
}

fn post(lookup: Rc<Lookup>) {
    ANSWERED.borrow_mut().push(lookup);
    EVENT.post();
}

/// Tells whoever still wants to know.
fn tell() {
    // Those that come meanwhile have their turn.
    let answered = mem::take(&mut *ANSWERED.borrow_mut());
    for lookup in answered {
        if let (Some(who), Some(answer)) = (lookup.who.take(), lookup.answer.take()) {
            guard("the answer of a resolver", (), || who.resolved(answer));
        }
    }
    if ANSWERED.borrow().is_empty() {
        EVENT.let_worker_exit();
    }
}

/// Drops what was not told yet, when the process has done with the VM.
pub fn free_all() {
    EVENT.disarm();
    let answered = ANSWERED.take();
    answered.iter().for_each(|lookup| drop(lookup.who.take()));
}

impl ResolveError {
    const NOT_FOUND: ResolveError = ResolveError(NGX_RESOLVE_NXDOMAIN as ngx_int_t);

    /// The RCODE; 110 after a timeout.
    pub fn code(&self) -> isize {
        self.0
    }

    /// nginx's words: `Host not found`.
    pub fn text(&self) -> String {
        // SAFETY: nginx has a static text for every number.
        let text = unsafe { CStr::from_ptr(ngx_resolver_strerror(self.0)) };
        text.to_string_lossy().into_owned()
    }
}

/// `3: Host not found`
impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code(), self.text())
    }
}

/// The address that a text is.
pub fn literal(name: &[u8]) -> Option<IpAddr> {
    // Most names can be told from one at a glance.
    if !name.last()?.is_ascii_digit() && !name.contains(&b':') {
        return None;
    }
    std::str::from_utf8(name).ok()?.parse().ok()
}

fn is_domain_name(name: &[u8]) -> bool {
    let name = name.strip_suffix(b".").unwrap_or(name);
    name.len() <= MAX_NAME
        && name.split(|&b| b == b'.').all(|label| (1..=MAX_LABEL).contains(&label.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domain_names() {
        let label = "a".repeat(63);
        let longest = [&label[..], &label, &label, &label[..61]].join(".");
        for (name, is_one) in [
            ("a", true),
            ("one.test", true),
            ("one.test.", true),
            ("_a-b c\0.test", true),
            (&label, true),
            (&longest, true),
            (&format!("{longest}."), true),
            (&format!("{longest}a"), false),
            (&format!("{label}a.test"), false),
            ("", false),
            (".", false),
            ("..", false),
            (".test", false),
            ("a..test", false),
            ("a..", false),
        ] {
            assert_eq!(is_domain_name(name.as_bytes()), is_one, "{name}");
        }
    }

    #[test]
    fn addresses_as_text() {
        for (text, ip) in [
            ("127.0.0.1", Some("127.0.0.1")),
            ("::1", Some("::1")),
            ("fe80::1%lo", None),
            ("[::1]", None),
            ("1.2.3", None),
            ("1.2.3.4.", None),
            ("1.2.3.256", None),
            ("localhost", None),
            ("", None),
        ] {
            let expected = ip.map(|ip| ip.parse().unwrap());
            assert_eq!(literal(text.as_bytes()), expected, "{text}");
        }
    }
}
