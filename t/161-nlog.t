# require "nlog": log lines as datagrams.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== nlog: each level to each socket, with its colour
--- tcp_config
init_by_lua_block {
    nlog = require "nlog"
    local to = "127.0.0.1:$TEST_UDP_PEER_PORT"
    nlog.init {
        csock = { "127.0.0.1:$TEST_PORT2", to },
        dsock = { "127.0.0.1:$TEST_PORT3", to },
        hsock = { "127.0.0.1:$TEST_PORT4", to },
    }
}
--- udp_peer
expect_like /\A\x1b\[1;33m\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ERROR one\x1b\[0m\n\z/
expect_like /\A\x1b\[1;35m[-\d]+ [:\d]+ WARN 2\x1b\[0m\n\z/
expect_like /\A\x1b\[1;32m[-\d]+ [:\d]+ INFO three\x1b\[0m\n\z/
expect_like /\A\x1b\[0;00m[-\d]+ [:\d]+ DEBUG \x1b\[0m\n\z/
expect_like /\A\x1b\[1;33m[-\d]+ [:\d]+ ERROR d1\x1b\[0m\n\z/
expect_like /\A\x1b\[1;35m[-\d]+ [:\d]+ WARN d2\x1b\[0m\n\z/
expect_like /\A\x1b\[1;32m[-\d]+ [:\d]+ INFO d3\x1b\[0m\n\z/
expect_like /\A\x1b\[0;00m[-\d]+ [:\d]+ DEBUG d4\x1b\[0m\n\z/
expect_like /\A\x1b\[1;33m[-\d]+ [:\d]+ ERROR 000AFF61\x1b\[0m\n\z/
expect_like /\A\x1b\[1;35m[-\d]+ [:\d]+ WARN 3132\x1b\[0m\n\z/
expect_like /\A\x1b\[1;32m[-\d]+ [:\d]+ INFO \x1b\[0m\n\z/
expect_like /\A\x1b\[0;00m[-\d]+ [:\d]+ DEBUG 25\x1b\[0m\n\z/
--- tcp_server_config
process_by_lua_block {
    ngx.say(nlog.error("one"))
    nlog.warn(2)
    nlog.info("three")
    nlog.debug("")
    nlog.derror("d1")
    nlog.dwarn("d2")
    nlog.dinfo("d3")
    nlog.ddebug("d4")
    nlog.herror("\0\n\255a")
    nlog.hwarn(12)
    nlog.hinfo("")
    nlog.hdebug("%")
}
--- response
41
--- no_error_log
[error]


=== nlog: sql and http, the slower the more striking
--- tcp_config
init_by_lua_block {
    require "nlog"
    local to = "127.0.0.1:$TEST_UDP_PEER_PORT"
    nlog.init {
        csock = { "127.0.0.1:$TEST_PORT2", to },
        dsock = { "127.0.0.1:$TEST_PORT3", to },
        hsock = { "127.0.0.1:$TEST_PORT4", to },
    }
}
--- udp_peer
expect_like /\A[-\d]+ [:\d]+ db1 0\.009 \[sql\] SELECT 1\n\z/
expect_like /\A[-\d]+ [:\d]+ db1 \x1b\[1;32m0\.01\x1b\[0m \[sql\] SELECT 1\n\z/
expect_like /\A[-\d]+ [:\d]+ db1 \x1b\[1;35m0\.1\x1b\[0m \[sql\] SELECT 1\n\z/
expect_like /\A[-\d]+ [:\d]+ nil \x1b\[1;33m0\.5\x1b\[0m \[sql\] nil\n\z/
expect_like /\A[-\d]+ [:\d]+ web:80 0 \[http\] \/x \n\z/
expect_like /\A[-\d]+ [:\d]+ web:80 \x1b\[1;33m2\.5\x1b\[0m \[http\] \/x \x1b\[1;33mtimeout\x1b\[0m\n\z/
--- tcp_server_config
process_by_lua_block {
    nlog.sql("db1", 0.009, "SELECT 1")
    nlog.sql("db1", "0.010", "SELECT 1")
    nlog.sql("db1", 0.1, "SELECT 1")
    nlog.sql(nil, 0.5)
    nlog.http("web:80", "/x", "0.000")
    nlog.http("web:80", "/x", 2.5, "timeout")
    ngx.say("ok")
}
--- response
ok
--- no_error_log
[error]


=== nlog: before init() nothing is sent, and nothing fails
--- tcp_server_config
process_by_lua_block {
    local nlog = require "nlog"
    for _, name in ipairs { "error", "dwarn", "hinfo", "debug" } do
        ngx.say(nlog[name]("text"))
    end
    ngx.say(nlog.sql("host", 1, "SELECT 1"))
    ngx.say(nlog.http("host", "/", 1))
}
--- response
nilnot initialized
nilnot initialized
nilnot initialized
nilnot initialized
nilnot initialized
nilnot initialized
--- no_error_log
[error]


=== nlog: what is no text raises
--- tcp_server_config
process_by_lua_block {
    local nlog = require "nlog"
    for _, name in ipairs { "error", "dinfo", "hdebug" } do
        for _, value in ipairs { {}, true, print } do
            local ok, err = pcall(function() nlog[name](value) end)
            ngx.say((err:gsub("^.-%):", "")))
        end
    end
}
--- response
5: bad argument #1 to 'error' (string expected, got table)
5: bad argument #1 to 'error' (string expected, got boolean)
5: bad argument #1 to 'error' (string expected, got function)
5: bad argument #1 to 'dinfo' (string expected, got table)
5: bad argument #1 to 'dinfo' (string expected, got boolean)
5: bad argument #1 to 'dinfo' (string expected, got function)
5: bad argument #1 to 'hdebug' (string expected, got table)
5: bad argument #1 to 'hdebug' (string expected, got boolean)
5: bad argument #1 to 'hdebug' (string expected, got function)
--- no_error_log
[error]


=== nlog: init() wants three pairs of addresses
--- tcp_config
init_by_lua_block {
    local nlog = require "nlog"
    errors = {}
    for _, conf in ipairs { "x", { {} }, { { csock = {} } },
                            { { csock = { "127.0.0.1:1" } } },
                            { { csock = { "127.0.0.1:1", "host" } } } } do
        local ok, err = pcall(function()
            nlog.init(type(conf) == "table" and conf[1] or conf)
        end)
        errors[#errors + 1] = err:gsub("^.-%):", "")
    end
}
--- tcp_server_config
process_by_lua_block { ngx.say(table.concat(errors, "\n")) }
--- response_like
^8: bad argument #1 to 'init' \(table expected, got string\)
8: bad argument #1 to 'init' \(csock is no table of two addresses\)
8: bad argument #1 to 'init' \(csock is no table of two addresses\)
8: bad argument #1 to 'init' \(csock is no table of two addresses\)
8: bad argument #1 to 'init' \(csock: [^\n]*wrong format of ip:port[^\n]*\)
$
--- no_error_log
[error]


=== nlog: init() is for init_by_lua only
--- tcp_server_config
process_by_lua_block {
    local to = "127.0.0.1:$TEST_PORT2"
    ngx.say(pcall(require("nlog").init,
        { csock = { to, to }, dsock = { to, to }, hsock = { to, to } }))
}
--- response_like
^false.*only use in init_by_lua
--- no_error_log
[error]


=== nlog: with a level below a library of the user's own
--- tcp_config
lua_package_path "$prefix/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local mine = require "mine"
    ngx.say(mine.log("text"))
}
--- user_files
>>> lua/mine.lua
local nlog = require("nlog")
module("mine", package.seeall)
function log(text)
    return nlog.info(text)
end
--- response
nilnot initialized
--- no_error_log
[error]
