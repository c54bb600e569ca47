//! What a process knows of itself: its role, number and whether it is leaving.

use ngx::ffi::{
    NGX_CONF_UNSET, ngx_core_conf_t, ngx_core_module, ngx_cycle, ngx_exiting, ngx_pid,
    ngx_process, ngx_process_events_and_timers, ngx_quit, ngx_terminate, ngx_worker,
};

/// Whether this worker has been asked to leave, gracefully or at once.
pub fn exiting() -> bool {
    // SAFETY: words that signal handlers and this thread write; any value read
    // is one that was stored.
    unsafe { ngx_exiting != 0 || ngx_quit != 0 || ngx_terminate != 0 }
}

/// Whether this worker has begun to leave gracefully: nginx looks for what it
/// has left open, also if it was told to go at once after that.
pub fn exiting_gracefully() -> bool {
    // SAFETY: as in exiting().
    unsafe { ngx_exiting != 0 }
}

/// The process id.
pub fn pid() -> i32 {
    // SAFETY: set once when the process starts.
    unsafe { ngx_pid }
}

/// The number of this worker, from 0; None outside of workers.
pub fn worker_id() -> Option<usize> {
    // NGX_PROCESS_SINGLE is 0, NGX_PROCESS_WORKER is 3 (ngx_process_cycle.h).
    // SAFETY: set once when the process starts.
    unsafe { matches!(ngx_process, 0 | 3).then(|| ngx_worker) }
}

/// `worker_processes` of the running configuration.
pub fn worker_count() -> usize {
    // SAFETY: ngx_cycle is set before any module runs, and the core module's
    // configuration lives as long as the cycle.
    unsafe {
        let cycle = ngx_cycle as *const ngx::ffi::ngx_cycle_t;
        if cycle.is_null() || (*cycle).conf_ctx.is_null() {
            return 1;
        }
        let index = ngx_core_module.index;
        let ccf = *(*cycle).conf_ctx.add(index) as *const ngx_core_conf_t;
        if ccf.is_null() || (*ccf).worker_processes == NGX_CONF_UNSET as isize {
            return 1;
        }
        if (*ccf).master == 0 { 1 } else { (*ccf).worker_processes as usize }
    }
}

/// One turn of nginx's event loop, after that has ended: to its first event or
/// timer.
pub fn process_events() {
    // SAFETY: the running cycle, in a worker that exits and whose connections are
    // closed: what is left are the events of what it does last.
    unsafe { ngx_process_events_and_timers(ngx_cycle) }
}

/// nginx's prefix (`nginx -p`), with a slash at its end.
pub fn prefix() -> Vec<u8> {
    // SAFETY: as in worker_count(); the prefix is made with the cycle.
    unsafe {
        let cycle = ngx_cycle as *const ngx::ffi::ngx_cycle_t;
        if cycle.is_null() { Vec::new() } else { (*cycle).prefix.as_bytes().to_vec() }
    }
}

/// The folder of nginx.conf, with a slash at its end.
pub fn conf_prefix() -> Vec<u8> {
    // SAFETY: as in prefix().
    unsafe {
        let cycle = ngx_cycle as *const ngx::ffi::ngx_cycle_t;
        if cycle.is_null() {
            Vec::new()
        } else {
            (*cycle).conf_prefix.as_bytes().to_vec()
        }
    }
}

/// The name of this machine.
pub fn hostname() -> &'static [u8] {
    // SAFETY: as in worker_count(); nginx sets it with the cycle, and a process uses
    // the name at once.
    unsafe {
        let cycle = ngx_cycle as *const ngx::ffi::ngx_cycle_t;
        if cycle.is_null() { b"" } else { super::conf::bytes(&(*cycle).hostname) }
    }
}

/// nginx's version, `1.22.1`.
pub fn nginx_version_text() -> &'static str {
    ngx::ffi::NGINX_VERSION.to_str().unwrap_or_default()
}

/// nginx's version as a number, 1022001 for 1.22.1.
pub fn nginx_version() -> u32 {
    ngx::ffi::nginx_version
}

/// Whether nginx was built with debug logging.
pub fn has_debug() -> bool {
    cfg!(ngx_feature = "debug")
}

/// The arguments that nginx was configured with.
pub fn configure_arguments() -> &'static str {
    ngx::ffi::NGX_CONFIGURE.to_str().unwrap_or_default().trim_start()
}
