//! `demo_echo`, the directive of the protocol demo.

use crate::nginx::conf::block::Module;
use crate::nginx::conf::command::{Command, ONE, SERVER, set};
use crate::nginx::conf::{Conf, ConfError, ConfResult};

/// `ngx_tcp_demo_module`
pub struct DemoModule;

#[derive(Default)]
pub struct DemoServerConf {
    pub echo: Option<Vec<u8>>,
}

impl Module for DemoModule {
    type Main = ();
    type Server = DemoServerConf;

    const COMMANDS: &'static [Command<Self>] =
        &[set(c"demo_echo", SERVER | ONE, echo), Command::END];

    fn merge(_: &mut Conf, _: &mut DemoServerConf, _: &mut DemoServerConf) -> ConfResult {
        Ok(())
    }
}

fn echo(cf: &mut Conf, server: &mut DemoServerConf) -> ConfResult {
    if server.echo.is_some() {
        return Err(ConfError::duplicate());
    }
    server.echo = Some(cf.arg(1).to_vec());
    Ok(())
}
