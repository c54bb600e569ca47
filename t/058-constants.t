# Numbers that scripts know by name, and ngx.null.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== constants: results
--- tcp_server_config
process_by_lua_block {
    ngx.say(ngx.OK, " ", ngx.ERROR, " ", ngx.AGAIN, " ", ngx.DONE, " ",
            ngx.DECLINED)
}
--- response
0 -1 -2 -4 -5
--- no_error_log
[error]


=== constants: log levels
--- tcp_server_config
process_by_lua_block {
    ngx.say(ngx.STDERR, ngx.EMERG, ngx.ALERT, ngx.CRIT, ngx.ERR, ngx.WARN,
            ngx.NOTICE, ngx.INFO, ngx.DEBUG)
}
--- response
012345678
--- no_error_log
[error]


=== constants: they are numbers, everywhere
--- tcp_config
init_by_lua_block { in_init = type(ngx.OK) .. ngx.ERR .. tostring(ngx.null) }
init_worker_by_lua_block {
    in_worker = type(ngx.OK) .. ngx.ERR .. tostring(ngx.null)
}
--- tcp_server_config
process_by_lua_block { ngx.say(in_init, " ", in_worker) }
--- response
number4userdata: NULL number4userdata: NULL
--- no_error_log
[error]


=== null: a value of its own that counts as true
--- tcp_server_config
process_by_lua_block {
    ngx.say(type(ngx.null), " ", tostring(ngx.null), " ",
            ngx.null == ngx.null, " ", ngx.null == nil, " ",
            ngx.null == false, " ", ngx.null and "true" or "false")
    local t = { [ngx.null] = "key" }
    ngx.say(t[ngx.null])
}
--- response
userdata userdata: NULL true false false true
key
--- no_error_log
[error]


=== null: the same value as cjson's
--- skip_if: system(q{luajit -e 'package.cpath = package.cpath .. ";/usr/lib/x86_64-linux-gnu/lua/5.1/?.so" require "cjson"' 2>/dev/null}) && 'no lua-cjson'
--- tcp_server_config
process_by_lua_block {
    local cjson = require "cjson"
    ngx.say(cjson.null == ngx.null, " ", cjson.encode({ ngx.null }), " ",
            cjson.decode("[null]")[1] == ngx.null)
}
--- response
true [null] true
--- no_error_log
[error]


=== ngx: a name that does not exist is nil
--- tcp_server_config
process_by_lua_block {
    ngx.say(ngx.nothing, " ", ngx.location, " ", ngx.HTTP_OK)
}
--- response
nil nil nil
--- no_error_log
[error]


=== ngx: the table is the same as require "ngx"
--- tcp_server_config
process_by_lua_block { ngx.say(require "ngx" == ngx) }
--- response
true
--- no_error_log
[error]
