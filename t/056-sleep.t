# ngx.sleep(seconds).

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== sleep: at least so long, and it returns nothing
--- tcp_server_config
process_by_lua_block {
    ngx.update_time()
    local start = ngx.now()
    local n = select("#", ngx.sleep(0.05))
    ngx.update_time()
    -- One is nginx's clock of timers, the other the wall clock.
    ngx.say(n, " ", ngx.now() - start >= 0.045)
}
--- response
0 true
--- no_error_log
[error]


=== sleep: a string that reads as a number
--- tcp_server_config
process_by_lua_block {
    ngx.sleep("0.01")
    ngx.sleep(" 1e-3 ")
    ngx.say("awake")
}
--- response
awake
--- no_error_log
[error]


=== sleep: less than a millisecond raises
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function() ngx.sleep(0) end))
    ngx.say(err(function() ngx.sleep(-1) end))
    ngx.say(err(function() ngx.sleep(0.0005) end))
    ngx.say(err(function() ngx.sleep(0/0) end))
    ngx.say(err(function() ngx.sleep(-1/0) end))
    ngx.say(err(function() ngx.sleep("0") end))
}
--- response
3: bad argument #1 to 'sleep' (bad argument <= 0)
4: bad argument #1 to 'sleep' (bad argument <= 0)
5: bad argument #1 to 'sleep' (bad argument <= 0)
6: bad argument #1 to 'sleep' (bad argument <= 0)
7: bad argument #1 to 'sleep' (bad argument <= 0)
8: bad argument #1 to 'sleep' (bad argument <= 0)
--- no_error_log
[error]


=== sleep: wrong arguments raise at the caller's line
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function() ngx.sleep() end))
    ngx.say(err(function() ngx.sleep(1, 2) end))
    ngx.say(err(function() ngx.sleep("x") end))
    ngx.say(err(function() ngx.sleep(nil) end))
    ngx.say(err(function() ngx.sleep({}) end))
}
--- response
3: expecting 1 arguments
4: expecting 1 arguments
5: bad argument #1 to 'sleep' (number expected, got string)
6: bad argument #1 to 'sleep' (number expected, got nil)
7: bad argument #1 to 'sleep' (number expected, got table)
--- no_error_log
[error]


=== sleep: others are served meanwhile
--- tcp_server_config
process_by_lua_block {
    local seconds = tonumber(ngx.receive("*l"))
    ngx.sleep(seconds)
    ngx.say("awake after ", seconds)
}
--- request_parts
A: send "2\n"
B: send "0.01\n"
B: expect "awake after 0.01\n"
A: expect_nothing 0.01
A: expect "awake after 2\n"
--- no_error_log
[error]


=== sleep: fractions of a millisecond are cut off
--- tcp_server_config
process_by_lua_block {
    ngx.sleep(0.0019)
    ngx.say("awake")
}
--- response
awake
--- no_error_log
[error]


=== sleep: what comes meanwhile is there afterwards
--- tcp_server_config
process_by_lua_block {
    ngx.print("ready")
    ngx.sleep(0.05)
    ngx.print(ngx.receive(5))
}
--- request_parts
expect "ready"
send "hello"
expect "hello"
expect_eof
--- no_error_log
[error]


=== sleep: hundreds of short ones
--- tcp_server_config
process_by_lua_block {
    for _ = 1, 200 do ngx.sleep(0.001) end
    ngx.say("done")
}
--- clients: 10
--- response
done
--- no_error_log
[error]


=== sleep: in a user coroutine suspends the whole chain
--- tcp_server_config
process_by_lua_block {
    local log = {}
    local inner = coroutine.wrap(function()
        log[#log + 1] = "a"
        ngx.sleep(0.002)
        log[#log + 1] = "b"
        coroutine.yield()
        ngx.sleep(0.002)
        log[#log + 1] = "d"
    end)
    local outer = coroutine.wrap(function()
        inner()
        log[#log + 1] = "c"
        inner()
    end)
    outer()
    log[#log + 1] = "e"
    ngx.say(table.concat(log))
}
--- response
abcde
--- no_error_log
[error]


=== sleep: through pcall, and in an error handler's function
--- tcp_server_config
process_by_lua_block {
    ngx.say(pcall(ngx.sleep, 0.001))
    ngx.say(pcall(ngx.sleep, 0))
    ngx.say(xpcall(function()
        ngx.sleep(0.001)
        error({ code = 5 })
    end, function(e) return e.code end))
}
--- response
true
falsebad argument #1 to '?' (bad argument <= 0)
false5
--- no_error_log
[error]


=== sleep: in an iterator and in metamethods
--- tcp_server_config
process_by_lua_block {
    local n = 0
    for i in function()
        n = n + 1
        ngx.sleep(0.001)
        return n <= 3 and n or nil
    end do
        ngx.print(i)
    end
    local t = setmetatable({}, {
        __index = function(_, k) ngx.sleep(0.001); return k end,
        __add = function() ngx.sleep(0.001); return "sum" end,
        __call = function() ngx.sleep(0.001); return "called" end,
    })
    ngx.print(t.key, t + 1, t())
}
--- response chomp
123keysumcalled
--- no_error_log
[error]


=== sleep: not in a C function's callback, and the script may go on
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function()
        table.sort({ 2, 1 }, function(a, b)
            ngx.sleep(0.001)
            return a < b
        end)
    end))
    ngx.sleep(0.001)
    ngx.say("awake")
}
--- response
5: attempt to yield across C-call boundary
awake
--- no_error_log
[error]


=== sleep: in a coroutine that a C function's callback resumes
--- tcp_server_config
process_by_lua_block {
    local results = {}
    table.sort({ 2, 1 }, function(a, b)
        local co = coroutine.create(function() ngx.sleep(0.001) end)
        results = { coroutine.resume(co) }
        return a < b
    end)
    ngx.say(tostring(results[1]), " ", (results[2]:gsub("^.-%): ?", "")))
    ngx.sleep(0.001)
    ngx.say("awake")
}
--- response
false attempt to yield across C-call boundary
awake
--- no_error_log
[error]


=== sleep: while a module is required
--- tcp_config
lua_package_path "$prefix/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local ok, err = pcall(require, "sleepy")
    package.loaded.sleepy = nil
    ngx.say(ok, " ", err:match("sleepy.lua:1: (.*)$"))
}
--- user_files
>>> lua/sleepy.lua
ngx.sleep(0.001)
--- response
false attempt to yield across C-call boundary
--- no_error_log
[error]


=== sleep: the client goes, the script sleeps on
--- tcp_server_config
process_by_lua_block {
    ngx.print("ready")
    ngx.sleep(0.1)
    ngx.log(ngx.WARN, "awake: ", ngx.receive(1))
}
--- request_parts
expect "ready"
half_close
wait_log "awake: nilclosed"
expect_eof
--- no_error_log
[error]


=== sleep: the client resets, the script sleeps on
--- tcp_server_config
process_by_lua_block {
    ngx.print("ready")
    ngx.sleep(0.1)
    ngx.log(ngx.WARN, "awake: ", ngx.receive(1))
}
--- request_parts
expect "ready"
reset
wait_log "awake: nilconnection reset by peer"
--- no_error_log
[error]


=== sleep: the client goes, with lua_check_client_abort the script dies
--- tcp_server_config
lua_check_client_abort on;
process_by_lua_block {
    ngx.print("ready")
    ngx.sleep(3600)
    ngx.log(ngx.ERR, "still running")
}
--- request_parts
expect "ready"
close
wait_log "client prematurely closed connection"
--- no_error_log
[error]


=== sleep: for ever means 24 days
--- tcp_server_config
lua_check_client_abort on;
process_by_lua_block {
    ngx.print("ready")
    ngx.sleep(math.huge)
    ngx.log(ngx.ERR, "still running")
}
--- request_parts
expect "ready"
expect_nothing 0.05
close
wait_log "client prematurely closed connection"
--- no_error_log
[error]


=== sleep: not while the configuration loads
--- tcp_config
init_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    in_init = err(function() ngx.sleep(1) end)
}
--- tcp_server_config
process_by_lua_block { ngx.say(in_init) }
--- response
3: no session found
--- no_error_log
[error]


=== sleep: when a worker starts
--- tcp_config
init_worker_by_lua_block {
    in_worker = ngx.now()
    ngx.sleep(0.1)
    in_worker = ngx.now() - in_worker
}
--- tcp_server_config
process_by_lua_block {
    -- A difference of two large numbers.
    ngx.say(in_worker >= 0.095)
}
--- response
true
--- no_error_log
[error]
