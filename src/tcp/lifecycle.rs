//! What happens once a configuration or a worker: after `tcp {}` has been read,
//! when a worker starts and when it exits.

use crate::nginx::conf::{Conf, ConfResult};
use crate::tcp::conf::MainConf;

/// The whole of `tcp {}` has been read and merged; nothing is opened yet.
pub fn configured(_main: &'static MainConf, _cf: &mut Conf) -> ConfResult {
    Ok(())
}

/// A worker, or the only process, has started.
pub fn worker_started(_main: &'static MainConf) {}

/// It is about to exit; the cycle and its zones are still there.
pub fn worker_exiting(_main: &'static MainConf) {}
