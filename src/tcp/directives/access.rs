//! `allow` and `deny`.

use std::rc::Rc;

use crate::nginx::conf::block::Module;
use crate::nginx::conf::command::{Command, ONE, SERVER, TCP, set};
use crate::nginx::conf::{Conf, ConfResult};
use crate::tcp::access::{Rules, Verdict};

/// `ngx_tcp_access_module`
pub struct Access;

#[derive(Default)]
pub struct AccessServerConf {
    /// None where there are none; shared with the servers that inherit them.
    pub rules: Option<Rc<Rules>>,
}

impl Module for Access {
    type Main = ();
    type Server = AccessServerConf;

    const COMMANDS: &'static [Command<Self>] = &[
        set(c"allow", TCP | SERVER | ONE, |cf, server: &mut AccessServerConf| {
            rule(cf, server, Verdict::Allow)
        }),
        set(c"deny", TCP | SERVER | ONE, |cf, server: &mut AccessServerConf| {
            rule(cf, server, Verdict::Deny)
        }),
        Command::END,
    ];

    fn merge(
        _: &mut Conf,
        above: &mut AccessServerConf,
        server: &mut AccessServerConf,
    ) -> ConfResult {
        if server.rules.is_none() {
            server.rules.clone_from(&above.rules);
        }
        Ok(())
    }
}

fn rule(cf: &Conf, server: &mut AccessServerConf, verdict: Verdict) -> ConfResult {
    // Nobody shares them before the levels are merged.
    Rc::make_mut(server.rules.get_or_insert_default()).add(cf, verdict)
}
