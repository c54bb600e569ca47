# init_worker_by_lua*, exit_worker_by_lua*: at a worker's start and end.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== init_worker_by_lua: runs in the worker, its globals can be read
--- tcp_config
init_by_lua_block { parent = "init" }
init_worker_by_lua_block {
    pid = ngx.worker.pid()
    saw = parent .. " " .. ngx.get_phase() .. " " .. ngx.worker.id()
}
--- tcp_server_config
process_by_lua_block {
    ngx.say(pid == ngx.worker.pid(), " ", saw, " ", rawget(_G, "pid"))
}
--- response
true init init_worker 0 nil
--- no_error_log
[error]


=== init_worker_by_lua: once in each worker
--- workers: 2
--- tcp_config
init_worker_by_lua 'ngx.log(ngx.WARN, "worker ", ngx.worker.id(), " of ", ngx.worker.count())';
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- response
up
--- start_log
worker 0 of 2
worker 1 of 2


=== init_worker_by_lua_file: relative to the prefix
--- tcp_config
init_worker_by_lua_file lua/worker.lua;
--- tcp_server_config
process_by_lua_block { ngx.say(greeting) }
--- user_files
>>> lua/worker.lua
greeting = "hello"
--- response
hello
--- no_error_log
[error]


=== init_worker_by_lua: not in the cache manager, which is no worker
--- http_config
http {
    proxy_cache_path $TEST_DIR/cache keys_zone=c:1m;
    access_log off;
}
--- tcp_config
init_worker_by_lua_block {
    local f = io.open("$TEST_DIR/pids", "a")
    f:write(ngx.worker.pid(), "\n")
    f:close()
}
--- tcp_server_config
process_by_lua_block {
    local pids = {}
    for line in io.lines("$TEST_DIR/pids") do pids[#pids + 1] = line end
    ngx.say(#pids, " ", tonumber(pids[1]) == ngx.worker.pid())
}
--- no_reload: a reload adds lines
--- response
1 true
--- no_error_log
[error]


=== init_worker_by_lua: an error is logged, and the worker serves
--- tcp_config
init_worker_by_lua_block {
    local function fail() error("no database") end
    fail()
}
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- response
up
--- start_log
~ \[error\] .*init_worker_by_lua_block error: init_worker_by_lua_block\(nginx\.conf:\d+\):2: no database
stack traceback:


=== init_worker_by_lua: an error value that is no string
--- tcp_config
init_worker_by_lua 'error(nil)';
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- response
up
--- start_log
init_worker_by_lua error: unknown reason


=== init_worker_by_lua: what needs a session raises
--- tcp_config
init_worker_by_lua_block {
    local function try(f, ...)
        return select(2, pcall(f, ...)):gsub("^.-:%d+: ", "")
    end
    errors = table.concat({
        (try(function() ngx.say("x") end)),
        (try(function() ngx.receive(1) end)),
        (try(function() ngx.flush() end)),
        (try(function() ngx.wait_next_request() end)),
        (try(function() coroutine.wrap(function() ngx.say("x") end)() end)),
    }, "\n")
}
--- tcp_server_config
process_by_lua_block { ngx.say(errors) }
--- response_like
\A(?:API disabled in the context of init_worker_by_lua\*\n){4}\S+: API disabled in the context of init_worker_by_lua\*\n\z
--- no_error_log
[error]


=== init_worker_by_lua: a syntax error is found by nginx -t
--- tcp_config
init_worker_by_lua_block {
    nonsense
}
--- tcp_server_config
process_by_lua_block { }
--- conf_error
~ init_worker_by_lua_block\(nginx\.conf:\d+\):3: '=' expected near


=== init_worker_by_lua_file: a missing file is found by nginx -t
--- tcp_config
init_worker_by_lua_file no-such.lua;
--- tcp_server_config
process_by_lua_block { }
--- conf_error
cannot open $TEST_DIR/no-such.lua: no such file or directory


=== init_worker_by_lua: empty, and twice
--- tcp_config
init_worker_by_lua '';
--- tcp_server_config
process_by_lua_block { }
--- conf_error
invalid location config: no runnable Lua code


=== init_worker_by_lua: twice
--- tcp_config
init_worker_by_lua 'a = 1';
init_worker_by_lua_block { a = 1 }
--- tcp_server_config
process_by_lua_block { }
--- conf_error
"init_worker_by_lua_block" directive is duplicate


=== exit_worker_by_lua: runs when nginx quits
--- tcp_config
init_by_lua_block { served = { n = 0 } }
exit_worker_by_lua_block {
    ngx.log(ngx.WARN, "leaving after ", served.n, " in ", ngx.get_phase(),
            " ", tostring(ngx.worker.exiting()))
}
--- tcp_server_config
process_by_lua_block { served.n = served.n + 1 ngx.say("up") }
--- response
up
--- no_reload: the number is that of a fresh server
--- stop_log
~ \[warn\] .*\[lua\] exit_worker_by_lua_block\(nginx\.conf:\d+\):2: leaving after 2 in exit_worker true


=== exit_worker_by_lua: runs when nginx terminates
--- stop: TERM
--- tcp_config
exit_worker_by_lua 'ngx.log(ngx.WARN, "leaving")';
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- response
up
--- stop_log
leaving


=== exit_worker_by_lua: in old workers after a reload, when their clients have gone
--- tcp_config
exit_worker_by_lua 'ngx.log(ngx.WARN, "leaving")';
--- tcp_server_config
process_by_lua_block { ngx.say(ngx.receive(1)) ngx.receive(1) }
--- repeat: 1
--- request_parts
A: send "a"
A: expect "a\n"
reload
B: send "b"
B: expect "b\n"
A: send "x"
A: expect_eof
wait_log "leaving"
wait_workers
B: send "x"
B: expect_eof
--- no_error_log
[error]


=== exit_worker_by_lua: an error is logged, and the exit is clean
--- tcp_config
exit_worker_by_lua_block {
    error("cannot leave")
}
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- response
up
--- stop_log
~ \[error\] .*exit_worker_by_lua_block error: exit_worker_by_lua_block\(nginx\.conf:\d+\):2: cannot leave


=== exit_worker_by_lua_file: with the worker's globals
--- tcp_config
init_worker_by_lua_block { worker_global = "kept" }
exit_worker_by_lua_file leave.lua;
--- tcp_server_config
process_by_lua_block { connection_global = 1 ngx.say("up") }
--- user_files
>>> leave.lua
ngx.log(ngx.WARN, worker_global, " ", tostring(connection_global))
--- response
up
--- stop_log
leave.lua:1: kept nil


=== exit_worker_by_lua: what needs a session raises
--- tcp_config
exit_worker_by_lua_block {
    local ok, err = pcall(function() ngx.say("x") end)
    ngx.log(ngx.WARN, err)
    ok, err = pcall(function() ngx.receive(1) end)
    ngx.log(ngx.WARN, err)
}
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- response
up
--- stop_log
:2: API disabled in the context of exit_worker_by_lua*
:4: API disabled in the context of exit_worker_by_lua*


=== exit_worker_by_lua: the VM is closed after it, and __gc of what was left run
--- tcp_config
init_worker_by_lua_block {
    local proxy = newproxy(true)
    getmetatable(proxy).__gc = function()
        ngx.log(ngx.WARN, "collected after ", left and "leaving" or "nothing")
    end
    anchor = proxy
}
exit_worker_by_lua_block { left = true }
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- response
up
--- stop_log
collected after leaving


=== exit_worker_by_lua: an error in a __gc then does no harm
--- tcp_config
init_worker_by_lua_block {
    for i = 1, 3 do
        local proxy = newproxy(true)
        getmetatable(proxy).__gc = function() error("gc at close") end
        _G["anchor" .. i] = proxy
    end
}
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- response
up
--- no_error_log
[error]


=== exit_worker_by_lua: without a master
--- master_process: off
--- tcp_config
exit_worker_by_lua 'ngx.log(ngx.WARN, "leaving")';
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- response
up
--- stop_log
leaving


=== exit_worker_by_lua: twice
--- tcp_config
exit_worker_by_lua 'a = 1';
exit_worker_by_lua_file a.lua;
--- tcp_server_config
process_by_lua_block { }
--- conf_error
"exit_worker_by_lua_file" directive is duplicate


=== exit_worker_by_lua: not in a server
--- tcp_server_config
exit_worker_by_lua 'a = 1';
process_by_lua_block { }
--- conf_error
"exit_worker_by_lua" directive is not allowed here
