# require "db_ml": mysql with a pool and a log of its queries.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== db_ml: init, query, done; the connection comes back
--- peers: mariadb
--- tcp_config
init_by_lua_block {
    mysql = require "mysql"
    db_ml = require "db_ml"
}
--- tcp_server_config
process_by_lua_block {
    local opts = {
        host = "127.0.0.1", port = $TEST_MARIADB_PORT, user = "tcp",
        password = "secret", database = "test", connect_timeout = 10000,
        send_timeout = 10000, read_timeout = 10000, pool_size = 5,
        keepalive_timeout = 10000,
    }
    for i = 1, 2 do
        local db = db_ml.new()
        ngx.say(db:init(opts))
        local res, err, errno, sqlstate = db:query("SELECT 42 AS answer")
        ngx.say(res[1].answer, " ", tostring(err), " ", type(db.elapsed_sql), " ",
                db.elapsed_sql >= 0)
        if i == 2 then
            ngx.say(db.db:get_reused_times() > 0)
        end
        ngx.say(db:done())
    end
}
--- response
1ok
42 nil number true
1
1ok
42 nil number true
true
1
--- no_error_log
[error]


=== db_ml: required in the script, as a global
--- peers: mariadb
--- tcp_server_config
process_by_lua_block {
    package.loaded.db_ml = nil
    require "db_ml"
    local db = db_ml.new()
    assert(db:init { host = "127.0.0.1", port = $TEST_MARIADB_PORT, user = "tcp",
                     password = "secret" })
    ngx.say(db:query("SELECT 1 AS a")[1].a)
    ngx.say(db:done(true))
    ngx.say(db:query("SELECT 1 AS a"))
    ngx.say(db:done())
    ngx.say(db:done(true))
}
--- response
1
1
nilcannot send query in the current context: nilnilnil
nilcannot be reused in the current connection state: nil
nilclosed
--- no_error_log
[error]


=== db_ml: what fails, and what nlog is told
--- peers: mariadb
--- tcp_config
init_by_lua_block {
    lines = {}
    nlog = {
        sql = function(host, elapsed, sql)
            lines[#lines + 1] = host .. " " .. elapsed:match("^%d+%.%d%d%d$")
                :gsub("%d", "0") .. " " .. sql
        end,
        derror = function(text) lines[#lines + 1] = text end,
    }
    db_ml = require "db_ml"
}
--- tcp_server_config
process_by_lua_block {
    local opts = { host = "127.0.0.1", port = $TEST_MARIADB_PORT, user = "tcp",
                   password = "secret", database = "test" }
    local db = db_ml.new()
    assert(db:init(opts))
    db:query("SELECT 1")
    ngx.say(db:query("SELEC"))
    assert(db:query("SELECT 1; SELECT 2 AS b"))
    ngx.say(db:read_result()[1].b)
    db:done()
    opts.password = "wrong"
    local ok, err, errno, sqlstate = db:init(opts)
    ngx.say(tostring(ok), " ", errno, " ", sqlstate)
    opts.port = $TEST_CLOSED_PORT
    ngx.say(db:init(opts))
    ngx.say(table.concat(lines, "\n"))
    for i = 1, #lines do lines[i] = nil end
}
--- response_like
^nilYou have an error in your SQL syntax[^\n]*106442000
2
nil 1045 28000
nilfailed to connect: connection refused(?:nil)*
127\.0\.0\.1 0\.000 SELECT 1
127\.0\.0\.1 0\.000 SELEC
bad result: You have an error in your SQL syntax[^\n]*:SELEC
127\.0\.0\.1 0\.000 SELECT 1; SELECT 2 AS b
connect failed: Access denied for user 'tcp'[^\n]*
connect failed: failed to connect: connection refused
$


=== db_ml: nothing to log to is nothing to fail for
--- peers: mariadb
--- tcp_server_config
process_by_lua_block {
    local db = require("db_ml").new()
    assert(db:init { path = "$TEST_MARIADB_SOCKET", user = "tcp",
                     password = "secret" })
    require "nlog"
    ngx.say(db:query("SELECT 1 AS a")[1].a)
    nlog = false
    ngx.say(db:query("SELECT 2 AS a")[1].a)
    ngx.say(db:done())
}
--- response
1
2
1
--- no_error_log
[error]


=== db_ml: an object without a connection
--- tcp_server_config
process_by_lua_block {
    local db_ml = require "db_ml"
    local db = setmetatable({}, { __index = db_ml })
    ngx.say(db:init {})
    ngx.say(db:query("SELECT 1"))
    ngx.say(db:read_result())
    ngx.say(db:done())
    db = db_ml.new()
    ngx.say(db:query("SELECT 1"))
    ngx.say(db:init {})
}
--- response_like
^nilnot initialized
nilnot initialized
nilnot initialized
nilnot initialized
nilcannot send query in the current context: nilnilnil
nilno hostnilnil
--- no_error_log
[error]
