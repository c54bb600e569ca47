# require "load_balance": whose turn it is. require "http_lb": requests to them.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== check_config: fills in what is missing, once
--- tcp_server_config
process_by_lua_block {
    local load_balance = require "load_balance"
    local conf = {
        backend_name = "defaults " .. tostring({}),
        server = {
            { host = "a", port = 80, weight = 1 },
            { host = "b", port = 81, weight = 2, read_timeout = 1, pool_size = 7,
              keepalive_timeout = 9, max_head_size = 64, max_body_size = 99,
              connect_timeout = 2, send_timeout = 3, pool_name = "mine" },
        },
    }
    ngx.say(load_balance.check_config(conf))
    ngx.say(load_balance.check_config(conf))
    for _, server in ipairs(conf.server) do
        local names, values = {}, {}
        for name in pairs(server) do names[#names + 1] = name end
        table.sort(names)
        for i, name in ipairs(names) do
            values[i] = name .. "=" .. server[name]
        end
        ngx.say(table.concat(values, " "))
    end
    ngx.say(conf.failed_time, " ", conf.max_tries, " ", conf.is_checked)
}
--- response
trueok
truechecked
connect_timeout=5000 host=a keepalive_timeout=0 max_body_size=4096 max_head_size=512 pool_name=a:80 pool_size=50 port=80 read_timeout=5000 send_timeout=5000 weight=1
connect_timeout=2 host=b keepalive_timeout=9 max_body_size=99 max_head_size=64 pool_name=mine pool_size=7 port=81 read_timeout=1 send_timeout=3 weight=2
60 3 true
--- no_error_log
[error]


=== check_config: what is wrong
--- tcp_server_config
process_by_lua_block {
    local load_balance = require "load_balance"
    local n = 0
    local function wrong(server, conf)
        n = n + 1
        conf = conf or {}
        conf.backend_name = conf.backend_name or "wrong" .. n
        if server then
            server.host = server.host or "a"
            server.port = server.port or 80
            server.weight = server.weight or 1
        end
        conf.server = conf.server or { server }
        ngx.say(load_balance.check_config(conf))
    end
    ngx.say(load_balance.check_config("x"))
    ngx.say(load_balance.check_config { backend_name = "x" })
    wrong(nil)
    wrong(nil, { server = { "a" } })
    wrong { host = "" }
    wrong { host = 1 }
    wrong { port = "80" }
    wrong { port = -1 }
    wrong { port = 65536 }
    wrong { weight = 0 }
    wrong { weight = "1" }
    wrong { pool_name = "" }
    wrong { connect_timeout = 0 }
    wrong { send_timeout = "1" }
    wrong { read_timeout = -1 }
    wrong { pool_size = 0 }
    wrong { keepalive_timeout = -1 }
    wrong { max_head_size = 63 }
    wrong { max_body_size = 63 }
    wrong({}, { failed_time = 0 })
    wrong({}, { max_tries = 0 })
    wrong({}, { backend_name = "" })
    wrong({}, { backend_name = 1 })
    wrong({}, { backend_name = "there" .. tostring(ngx) })
    wrong({}, { backend_name = "there" .. tostring(ngx) })
}
--- response_like
^falseno configuration table
falseno server table
falseno server array
falseno server table
falsewrong server\["host"\]
falsewrong server\["host"\]
falsewrong server\["port"\]
falsewrong server\["port"\]
falsewrong server\["port"\]
falsewrong server\["weight"\]
falsewrong server\["weight"\]
falsewrong server\["pool_name"\]
falsewrong server\["connect_timeout"\]
falsewrong server\["send_timeout"\]
falsewrong server\["read_timeout"\]
falsewrong server\["pool_size"\]
falsewrong server\["keepalive_timeout"\]
falsewrong server\["max_head_size"\]
falsewrong server\["max_body_size"\]
falsewrong conf_tb\["failed_time"\]
falsewrong conf_tb\["max_tries"\]
falsewrong conf_tb\["backend_name"\]
falsewrong conf_tb\["backend_name"\]
(trueok|falseduplicated backend_name there.*)
falseduplicated backend_name there.*
$
--- no_error_log
[error]


=== check_config_all: raises
--- tcp_server_config
process_by_lua_block {
    local load_balance = require "load_balance"
    load_balance.check_config_all {
        { backend_name = tostring({}), server = {
            { host = "a", port = 1, weight = 1 } } },
    }
    ngx.say(pcall(function() load_balance.check_config_all { a = { server = {} } } end))
}
--- response_like
^falseprocess_by_lua_block\(nginx\.conf:\d+\):7: check_config_all: no server array
--- no_error_log
[error]


=== calculate_server: each as often in a row as its weight
--- tcp_server_config
process_by_lua_block {
    local load_balance = require "load_balance"
    local conf = { backend_name = tostring({}), server = {
        { host = "a", port = 1, weight = 3 },
        { host = "b", port = 1, weight = 1 },
        { host = "c", port = 1, weight = 2 },
    } }
    assert(load_balance.check_config(conf))
    local turns = {}
    for i = 1, 13 do turns[i] = load_balance.calculate_server(conf) end
    ngx.say(turns)
}
--- response
1112331112331
--- no_error_log
[error]


=== set_status: a server that is down is left out for failed_time
--- tcp_server_config
process_by_lua_block {
    local load_balance = require "load_balance"
    local name = tostring({})
    local conf = { backend_name = name, failed_time = 1, server = {
        { host = "a", port = 1, weight = 1 },
        { host = "b", port = 1, weight = 2 },
        { host = "c", port = 1, weight = 1 },
    } }
    assert(load_balance.check_config(conf))
    local function turns(n)
        local list = {}
        for i = 1, n do list[i] = load_balance.calculate_server(conf) end
        ngx.say(list)
    end
    turns(2)
    load_balance.set_status(conf, 2, false)
    load_balance.set_status(conf, 2, false)
    local status = load_balance.get_status(name)
    ngx.say(status.n, status.n_down, tostring(status[1].ok),
            tostring(status[2].ok), status[2].ok_tm > ngx.time())
    turns(4)
    load_balance.set_status(conf, 2, true)
    load_balance.set_status(conf, 3, true)
    ngx.say(status.n_down)
    turns(4)
    load_balance.set_status(conf, 1, false)
    ngx.sleep(2.1)
    turns(4)
    ngx.say(status.n_down)
}
--- response_like eval
qr/\A12\n31truefalsetrue\n3131\n0\n(1223|2231)\n[123]{4}\n0\n\z/
--- no_error_log
[error]


=== set_status: when all are down all are tried again
--- tcp_server_config
process_by_lua_block {
    local load_balance = require "load_balance"
    local name = tostring({})
    local conf = { backend_name = name, server = {
        { host = "a", port = 1, weight = 1 }, { host = "b", port = 1, weight = 1 },
    } }
    assert(load_balance.check_config(conf))
    local status = load_balance.get_status(name)
    for i = 1, 3 do
        load_balance.set_status(conf, 1, false)
        ngx.print(status.n_down, tostring(status[1].ok), " ")
        load_balance.set_status(conf, 2, false)
        ngx.print(status.n_down, tostring(status[1].ok), tostring(status[2].ok),
                  " ", load_balance.calculate_server(conf),
                  load_balance.calculate_server(conf), "\n")
    end
    ngx.say(load_balance.get_status()[name] == status,
            load_balance.get_status("none")[name] == status)
}
--- response
1false 0truetrue 12
1false 0truetrue 12
1false 0truetrue 12
truetrue
--- no_error_log
[error]


=== load_balance: configurations that nobody has checked raise
--- tcp_server_config
process_by_lua_block {
    local load_balance = require "load_balance"
    local function err(f, ...)
        local ok, e = pcall(function(...) f(...) end, ...)
        ngx.say((e:gsub("^.-%):", "")))
    end
    err(load_balance.calculate_server, { backend_name = "nobody's" })
    err(load_balance.set_status, { backend_name = "nobody's" }, 1, true)
    local conf = { backend_name = tostring({}),
                   server = { { host = "a", port = 1, weight = 1 } } }
    assert(load_balance.check_config(conf))
    err(load_balance.set_status, conf, 2, true)
}
--- response
4: bad argument #1 to 'calculate_server' (configuration was not checked)
4: bad argument #1 to 'set_status' (configuration was not checked)
4: bad argument #2 to 'set_status' (no server 2)
--- no_error_log
[error]


=== load_balance: checked in init_by_lua, each worker counts for itself
--- workers: 2
--- tcp_config
init_by_lua_block {
    load_balance = require "load_balance"
    backend = { backend_name = "b", server = {
        { host = "a", port = 1, weight = 1 }, { host = "b", port = 1, weight = 1 },
    } }
    assert(load_balance.check_config(backend))
}
init_worker_by_lua_block {
    first = load_balance.calculate_server(backend)
}
--- tcp_server_config
process_by_lua_block {
    ngx.say(first, " ", select(2, load_balance.check_config(backend)))
}
--- clients: 10
--- response
1 checked
--- no_error_log
[error]


=== load_balance: lua_code_cache off, and what init_by_lua has checked
--- tcp_config
lua_code_cache off;
init_by_lua_block {
    backend = { backend_name = "b", server = {
        { host = "a", port = 1, weight = 1 }, { host = "b", port = 1, weight = 1 },
    } }
    assert(require("load_balance").check_config(backend))
}
--- tcp_server_config
process_by_lua_block {
    local load_balance = require "load_balance"
    ngx.say(load_balance.check_config(backend))
    ngx.say(load_balance.calculate_server(backend), load_balance.calculate_server(backend))
}
--- response
truechecked
12
--- no_error_log
[error]


=== http_lb: by weight, past servers that are down
--- peers: http
--- tcp_config
init_by_lua_block {
    http_lb = require "http_lb"
    web = { backend_name = "web", max_tries = 2, server = {
        { host = "127.0.0.1", port = $TEST_CLOSED_PORT, weight = 1 },
        { host = "127.0.0.1", port = $TEST_HTTP_PORT, weight = 2, pool_name = "two" },
        { host = "127.0.0.1", port = $TEST_HTTP_PORT, weight = 1, pool_name = "three" },
    } }
    nlog = { derror = function(line) logged = line end, http = function() end }
}
--- tcp_server_config
process_by_lua_block {
    local pools = {}
    for i = 1, 6 do
        local h = http_lb.new()
        assert(h:init(web))
        local r = assert(h:http_request { method = "GET", uri = "/hello" })
        assert(r.body == "hello\n")
        pools[i] = h.sock[2]
        assert(h:done())
    end
    ngx.say(table.concat(pools, " "))
    ngx.say((tostring(logged):gsub("%d%d%d%d+", "PORT")))
}
--- response_like
^two two three two two three
connect 127\.0\.0\.1:PORT failed : connection refused
$


=== http_lb: when all are down
--- tcp_server_config
process_by_lua_block {
    local h = require("http_lb").new()
    local conf = { backend_name = tostring({}), server = {
        { host = "127.0.0.1", port = $TEST_CLOSED_PORT, weight = 1 },
        { host = "127.0.0.1", port = $TEST_CLOSED_PORT, weight = 1 },
    } }
    ngx.say(h:init(conf))
    ngx.say(h:init(conf))
    ngx.say(h:send_request { method = "GET", uri = "/" })
    ngx.say(h:init {})
}
--- response
nilexceed max triesconnection refused
nilexceed max triesconnection refused
nilcannot send query in the current context: nil
nilno server table


=== http_lb: a server whose certificate is not good is one that is down
--- peers: https
--- tcp_config
lua_ssl_trusted_certificate $TEST_CERT_DIR/ca.pem;
--- tcp_server_config
process_by_lua_block {
    local h = require("http_lb").new()
    local conf = { backend_name = tostring({}), server = {
        { host = "127.0.0.1", port = $TEST_HTTPS_EXPIRED_PORT, weight = 1,
          ssl = true, ssl_server_name = "test.example" },
        { host = "127.0.0.1", port = $TEST_HTTPS_PORT, weight = 1, ssl = true,
          ssl_server_name = "test.example" },
    } }
    ngx.say(h:init(conf))
    ngx.say(h:http_request({ method = "GET", uri = "/hello" }).code)
    ngx.say(h:done())
    ngx.say(require("load_balance").get_status(conf.backend_name)[1].ok == false)
}
--- response
1ok
200
1
true
