//! An error log that nginx sets up: a file, stderr, syslog or memory.

use std::ptr;

use ngx::ffi::{ngx_log_set_log, ngx_log_t};

use super::{CONF_OK, Conf, ConfError};

impl Conf {
    /// The log whose target is the directive's first argument, as `error_log`
    /// takes it. nginx would refuse levels of ours, so it sees the target only.
    pub fn open_log(&mut self, level: usize) -> Result<*mut ngx_log_t, ConfError> {
        let mut log = ptr::null_mut();
        // SAFETY: the directive has at least one argument (its row says so), so
        // two words are left; nginx makes the log in the cycle's pool because
        // the head is NULL.
        unsafe {
            let args = (*self.as_ptr()).args;
            (*args).nelts = 2;
            if ngx_log_set_log(self.as_ptr(), &raw mut log) != CONF_OK || log.is_null() {
                return Err(ConfError::Logged);
            }
            (*log).log_level = level;
        }
        Ok(log)
    }
}
