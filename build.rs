//! Passes what nginx was configured with (from nginx-sys) on as `ngx_feature`
//! cfgs. rustc itself keeps every symbol but the `ngx_module*` arrays out of
//! the cdylib; `t/005-module.t` checks that.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=DEP_NGINX_FEATURES");
    let features = env::var("DEP_NGINX_FEATURES").unwrap_or_default();
    for feature in features.split(',').map(str::trim).filter(|f| !f.is_empty()) {
        println!("cargo::rustc-cfg=ngx_feature=\"{feature}\"");
    }
}
