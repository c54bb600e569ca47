# coroutine.*: what Lua's own library does, over coroutines that can wait.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== coroutine: create, resume, yield pass values both ways
--- tcp_server_config
process_by_lua_block {
    local co = coroutine.create(function(...)
        ngx.say("got ", select("#", ...), " ", (...))
        local a, b = coroutine.yield("y1", nil, 3)
        ngx.say("got ", a, " ", b)
        local n = select("#", coroutine.yield())
        ngx.say("got ", n)
        return "r1", nil
    end)
    local function show(...)
        ngx.say(select("#", ...), ": ", ...)
    end
    show(coroutine.resume(co, "a", nil))
    show(coroutine.resume(co, "b", "c"))
    show(coroutine.resume(co))
    show(coroutine.resume(co))
}
--- response
got 2 a
4: truey1nil3
got b c
1: true
got 0
3: truer1nil
2: falsecannot resume dead coroutine
--- no_error_log
[error]


=== coroutine: status, seen from inside and outside
--- tcp_server_config
process_by_lua_block {
    local co, inner
    co = coroutine.create(function()
        ngx.say("inside: ", coroutine.status(co))
        inner = coroutine.create(function()
            ngx.say("from inner: ", coroutine.status(co))
        end)
        coroutine.resume(inner)
        coroutine.yield()
        error("x")
    end)
    ngx.say("new: ", coroutine.status(co))
    coroutine.resume(co)
    ngx.say("yielded: ", coroutine.status(co))
    coroutine.resume(co)
    ngx.say("failed: ", coroutine.status(co))
    ngx.say("returned: ", coroutine.status(inner))
}
--- response
new: suspended
inside: running
from inner: normal
yielded: suspended
failed: dead
returned: dead
--- no_error_log
[error]


=== coroutine: status of one that waits is not suspended
--- tcp_config
init_by_lua_block { shared = {} }
--- tcp_server_config
process_by_lua_block {
    if ngx.receive(1) == "A" then
        shared.co = coroutine.create(function() return ngx.receive(1) end)
        ngx.say(coroutine.resume(shared.co))
        ngx.say(coroutine.status(shared.co))
    else
        ngx.say(coroutine.status(shared.co))
    end
}
--- request_parts
A: send "A"
A: sync
B: send "B"
B: expect "running\n"
B: expect_eof
A: send "x"
A: expect "truex\ndead\n"
A: expect_eof
--- no_error_log
[error]


=== coroutine: wrap returns values, raises errors
--- tcp_server_config
process_by_lua_block {
    local f = coroutine.wrap(function(a)
        local b = coroutine.yield(a + 1)
        return b * 2, "end"
    end)
    ngx.say(type(f), " ", f(1), " ", f(21))
    ngx.say(pcall(f))
}
--- response
function 2 42end
falsecannot resume dead coroutine
--- no_error_log
[error]


=== coroutine: running and isyieldable
--- tcp_server_config
process_by_lua_block {
    local entry = coroutine.running()
    ngx.say(type(entry), " ", coroutine.isyieldable(), " ",
            coroutine.status(entry))
    local co
    co = coroutine.create(function()
        return coroutine.running() == co, coroutine.running() == entry,
               coroutine.isyieldable(), coroutine.status(entry)
    end)
    ngx.say(coroutine.resume(co))
    ngx.sleep(0.001)
    ngx.say(coroutine.running() == entry)
    local in_gsub
    string.gsub("x", "x", function() in_gsub = coroutine.isyieldable() end)
    ngx.say(in_gsub)
}
--- response_like
^thread true running
truetruefalsetrue(?:normal|running)
true
false$
--- no_error_log
[error]


=== coroutine: wrong arguments
--- tcp_server_config
process_by_lua_block {
    local function try(f, ...)
        local ok, err = pcall(f, ...)
        ngx.say(ok, " ", (tostring(err):gsub("^.-:%d+: ", "")))
    end
    try(function() coroutine.resume(1) end)
    try(function() coroutine.resume() end)
    try(function() coroutine.wrap("x") end)
    try(function() coroutine.create("x") end)
    try(function() coroutine.create() end)
    try(function() coroutine.status({}) end)
    try(function() coroutine.wrap() end)
    try(coroutine.resume, 1)
    try(coroutine.wrap, 1)
}
--- response_like
^false bad argument #1 to 'resume' \(coroutine expected\)
false bad argument #1 to 'resume' \(coroutine expected\)
false bad argument #1 to 'wrap' \(function expected.*?\)
false bad argument #1 to 'create' \(function expected, got string\)
false bad argument #1 to 'create' \(function expected, got no value\)
false bad argument #1 to 'status' \(coroutine expected\)
false bad argument #1 to 'wrap' \(function expected.*?\)
false bad argument #1 to .*
false bad argument #1 to .*
$
--- no_error_log
[error]


=== coroutine: resuming oneself, one's resumer and the dead
--- tcp_server_config
process_by_lua_block {
    local outer, inner
    outer = coroutine.create(function()
        ngx.say(coroutine.resume(outer))
        inner = coroutine.create(function()
            ngx.say(coroutine.resume(outer))
        end)
        coroutine.resume(inner)
        ngx.say(coroutine.resume(inner))
    end)
    coroutine.resume(outer)
    ngx.say(coroutine.resume(outer))
}
--- response
falsecannot resume running coroutine
falsecannot resume running coroutine
falsecannot resume dead coroutine
falsecannot resume dead coroutine
--- no_error_log
[error]


=== coroutine: the entry coroutine cannot be resumed
--- tcp_server_config
process_by_lua_block {
    local entry = coroutine.running()
    ngx.say(coroutine.resume(entry))
    local co = coroutine.create(function()
        ngx.say(coroutine.resume(entry))
        ngx.say(pcall(coroutine.wrap(function()
            return coroutine.resume(entry)
        end)))
    end)
    ngx.say(coroutine.resume(co))
    ngx.say(ngx.receive(1))
}
--- request: x
--- response
falsecannot resume running coroutine
falsecannot resume running coroutine
truefalsecannot resume running coroutine
true
x
--- no_error_log
[error]


=== coroutine: the entry coroutine of another connection cannot be resumed
--- tcp_config
init_by_lua_block { shared = {} }
--- tcp_server_config
process_by_lua_block {
    local how = ngx.receive(1)
    if how == "A" then
        shared.entry = coroutine.running()
        ngx.say("A ", ngx.receive(1))
    elseif how == "Y" then
        shared.entry = coroutine.running()
        ngx.say("Y ", ngx.receive(1))
        coroutine.yield("x")
        ngx.say("returned")
    else
        ngx.say(coroutine.status(shared.entry), " ",
                coroutine.resume(shared.entry, "forged"))
    end
}
--- request_parts
A: send "A"
A: sync
B: send "B"
B: expect "running falsecannot resume running coroutine\n"
B: expect_eof
A: send "x"
A: expect "A x\n"
A: expect_eof
sync
C: send "C"
C: expect_like /\A(?:running|dead) falsecannot resume (?:running|dead) coroutine\n/
C: expect_eof
D: send "Y"
D: sync
E: send "B"
E: expect "running falsecannot resume running coroutine\n"
E: expect_eof
D: send "y"
D: expect "Y y\nreturned\n"
D: expect_eof
--- no_error_log
[error]


=== coroutine: a coroutine that waits cannot be resumed
--- tcp_config
init_by_lua_block { shared = {} }
--- tcp_server_config
process_by_lua_block {
    if ngx.receive(1) == "A" then
        shared.inner = coroutine.create(function()
            return ngx.receive(1)
        end)
        shared.outer = coroutine.create(function()
            return coroutine.resume(shared.inner)
        end)
        ngx.say(coroutine.resume(shared.outer))
    else
        ngx.say(coroutine.resume(shared.inner, "forged"))
        ngx.say(coroutine.resume(shared.outer, "forged"))
    end
}
--- request_parts
A: send "A"
A: sync
B: send "B"
B: expect "falsecannot resume running coroutine\n" x 2
B: expect_eof
A: send "x"
A: expect "truetruex\n"
A: expect_eof
--- no_error_log
[error]


=== coroutine: one that waited when its connection ended stays dead
--- tcp_config
init_by_lua_block { shared = {} }
--- tcp_server_config
process_by_lua_block {
    if ngx.receive(1) == "A" then
        shared.co = coroutine.create(function()
            ngx.receive(10)
            error("resumed")
        end)
        coroutine.resume(shared.co)
        ngx.wait_next_request()
    else
        collectgarbage()
        ngx.say(coroutine.resume(shared.co, "forged"))
        ngx.say(coroutine.resume(shared.co))
    end
}
--- tcp_server_config2
lua_check_client_abort on;
process_by_lua_block {
    shared.co = coroutine.create(function()
        ngx.say("sleeping")
        ngx.sleep(100)
    end)
    coroutine.resume(shared.co)
}
--- request_parts
A: connect $TEST_PORT2
A: expect "sleeping\n"
A: close
wait_log "client prematurely closed connection"
B: send "B"
B: expect "falsecannot resume running coroutine\n" x 2
B: expect_eof
--- no_error_log
[error]


=== coroutine: one that yielded can be taken over by another connection
--- tcp_config
init_by_lua_block { shared = {} }
--- tcp_server_config
process_by_lua_block {
    if ngx.receive(1) == "A" then
        shared.co = coroutine.create(function()
            owner = "A"
            local n = 0
            while true do
                n = n + 1
                ngx.say(owner, " ", n)
                ngx.sleep(0.001)
                ngx.say("slept")
                coroutine.yield()
            end
        end)
    end
    ngx.say(coroutine.resume(shared.co))
}
--- request_parts
A: send "A"
A: expect "A 1\nslept\ntrue\n"
A: expect_eof
B: send "B"
B: expect "A 2\nslept\ntrue\n"
B: expect_eof
C: send "C"
C: expect "A 3\nslept\ntrue\n"
C: expect_eof
--- no_error_log
[error]


=== coroutine: yield in the entry coroutine gives the others a turn
--- tcp_server_config
process_by_lua_block {
    local n = 0
    for i = 1, 500 do
        n = n + select("#", coroutine.yield(i, "x"))
    end
    ngx.say("values: ", n)
    ngx.say(coroutine.wrap(function() coroutine.yield(7) end)())
    coroutine.yield()
    ngx.say(ngx.receive(1))
}
--- clients: 3
--- request: x
--- response
values: 0
7
x
--- no_error_log
[error]


=== coroutine: yield in the entry coroutine, endless, starves nobody
--- tcp_server_config
process_by_lua_block {
    local t = ngx.now() + 0.3
    while ngx.now() < t do coroutine.yield() end
    ngx.say("done")
}
--- tcp_server_config2
process_by_lua_block { ngx.say(ngx.receive("*l")) }
--- request_parts
A: connect
A: sync
B: connect $TEST_PORT2
B: send "hello\n"
B: expect "hello\n"
B: expect_eof
A: expect "done\n"
A: expect_eof
--- no_error_log
[error]


=== coroutine: generators, producers and consumers
--- tcp_server_config
process_by_lua_block {
    local function lines()
        return coroutine.wrap(function()
            while true do
                local line = ngx.receive("*l")
                if line == "." then return end
                coroutine.yield(line)
            end
        end)
    end
    local function numbered(source)
        return coroutine.wrap(function()
            local n = 0
            for line in source do
                n = n + 1
                coroutine.yield(n, line)
            end
        end)
    end
    for n, line in numbered(lines()) do
        ngx.say(n, ": ", line)
    end
    ngx.say("end")
}
--- request_parts
send "one\n"
expect "1: one\n"
send "two\nth"
expect "2: two\n"
send "ree\n.\n"
expect "3: three\nend\n"
expect_eof
--- no_error_log
[error]


=== coroutine: permutations, a recursive generator
--- tcp_server_config
process_by_lua_block {
    local function permute(a, n)
        if n <= 1 then
            coroutine.yield(a)
        else
            for i = 1, n do
                a[n], a[i] = a[i], a[n]
                permute(a, n - 1)
                a[n], a[i] = a[i], a[n]
            end
        end
    end
    local out = {}
    for p in coroutine.wrap(function() permute({1, 2, 3}, 3) end) do
        out[#out + 1] = table.concat(p)
    end
    ngx.say(table.concat(out, " "))
}
--- response
231 321 312 132 213 123
--- no_error_log
[error]


=== coroutine: many, one after the other and at the same time
--- tcp_server_config
process_by_lua_block {
    local sum = 0
    for i = 1, 5000 do
        sum = sum + coroutine.wrap(function() coroutine.yield(i) end)()
    end
    local all = {}
    for i = 1, 500 do
        all[i] = coroutine.wrap(function(step)
            while true do step = coroutine.yield(i * step) end
        end)
    end
    for step = 1, 3 do
        for i = 1, 500 do sum = sum + all[i](step) end
        ngx.sleep(0.001)
    end
    ngx.say(sum)
}
--- response
13254000
--- no_error_log
[error]


=== coroutine: with arguments and results by the hundred
--- tcp_server_config
process_by_lua_block {
    local t = {}
    for i = 1, 250 do t[i] = i end
    local co = coroutine.create(function(...)
        ngx.sleep(0.001)
        local n = select("#", ...)
        return n, coroutine.yield(unpack(t))
    end)
    local function count(ok, ...) return ok, select("#", ...) end
    ngx.say(count(coroutine.resume(co, unpack(t))))
    ngx.say(count(coroutine.resume(co, unpack(t))))
}
--- response
true250
true251
--- no_error_log
[error]
