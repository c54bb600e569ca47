# What waits may do so anywhere in a script: in coroutines of its own, however
# deep, in iterators, below pcall and in metamethods.  The whole chain waits.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== wait: sleep in a wrapped coroutine suspends the chain, not to the parent
--- tcp_server_config
process_by_lua_block {
    local order = {}
    local f = coroutine.wrap(function()
        order[#order + 1] = "before"
        ngx.sleep(0.01)
        order[#order + 1] = "after"
        coroutine.yield("yielded")
        order[#order + 1] = "again"
        return "returned"
    end)
    local yielded = f()
    order[#order + 1] = yielded
    local returned = f()
    order[#order + 1] = returned
    ngx.say(table.concat(order, " "))
}
--- response
before after yielded again returned
--- no_error_log
[error]


=== wait: receive in a coroutine gets its results
--- tcp_server_config
process_by_lua_block {
    local co = coroutine.create(function()
        local line = ngx.receive("*l")
        local rest, err, partial = ngx.receive(10)
        return line, rest, err, partial
    end)
    ngx.say(coroutine.resume(co))
    ngx.say(coroutine.status(co))
}
--- request_parts
send "he"
sync
send "llo\nab"
sync
half_close
expect "truehellonilclosedab\ndead\n"
expect_eof


=== wait: print that waits in a coroutine
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT sndbuf=32k;
process_by_lua_block {
    local f = coroutine.wrap(function()
        local n, err = ngx.print(("0123456789"):rep(100000))
        coroutine.yield(n)
        return "end"
    end)
    local n = f()
    ngx.print(n, f())
}
--- request_parts
connect rcvbuf=65536
stop_reading
sync
start_reading
expect "0123456789" x 100000
expect "1000000end"
expect_eof
--- skip_mode: slow: 1 MB byte by byte
--- no_error_log
[error]


=== wait: wait_next_request in a coroutine
--- tcp_server_config
process_by_lua_block {
    local requests = coroutine.wrap(function()
        while true do
            coroutine.yield(ngx.receive("*l"))
            ngx.wait_next_request()
        end
    end)
    while true do
        ngx.say("got ", requests())
    end
}
--- request_parts
send "one\n"
expect "got one\n"
send "two\nthree\n"
expect "got two\ngot three\n"
half_close
expect_eof
--- error_log
client prematurely closed connection
--- no_error_log
[error]


=== wait: exit in a coroutine ends the session, not the coroutine
--- tcp_server_config
process_by_lua_block {
    ngx.say("before")
    local ok = pcall(function()
        coroutine.wrap(function()
            coroutine.resume(coroutine.create(function()
                pcall(ngx.exit)
                ngx.say("in the coroutine")
            end))
            ngx.say("in its parent")
        end)()
    end)
    ngx.say("after")
}
--- response
before
--- no_error_log
[error]


=== wait: exit and errors in coroutines leave nothing for the next ones
--- tcp_server_config
process_by_lua_block {
    local how = ngx.receive(1)
    local function nest(n)
        if n > 0 then
            return coroutine.wrap(nest)(n - 1)
        elseif how == "x" then
            ngx.exit()
        elseif how == "e" then
            error("boom")
        elseif how == "w" then
            ngx.receive(10)
        end
        return "deep"
    end
    ngx.say(nest(150))
}
--- repeat: 1
--- request_parts eval
[
    (map {
        my $client = "C$_";
        ( ["$client:", send => substr "xew", $_ % 3, 1], ["$client:", "close"] )
    } 1 .. 60),
    ['sync'],
    ['Z:', send => "."],
    ['Z:', expect => "deep\n"],
    ['Z:', "expect_eof"],
]
--- no_error_log
overflow


=== wait: coroutines nested, each level waits in its turn
--- tcp_server_config
process_by_lua_block {
    local function level(n)
        return coroutine.wrap(function()
            local line = ngx.receive("*l")
            coroutine.yield(n .. line)
            if n < 5 then
                for value in level(n + 1) do
                    ngx.sleep(0.001)
                    coroutine.yield(value)
                end
            end
            ngx.sleep(0.001)
            coroutine.yield(n .. "end")
        end)
    end
    for value in level(1) do
        ngx.say(value)
    end
}
--- request
a
b
c
d
e
--- response
1a
2b
3c
4d
5e
5end
4end
3end
2end
1end
--- no_error_log
[error]


=== wait: two coroutines in turn, each with what it received
--- tcp_server_config
process_by_lua_block {
    local function reader(name)
        return coroutine.create(function()
            while true do
                coroutine.yield(name .. ngx.receive(2))
            end
        end)
    end
    local a, b = reader("a"), reader("b")
    for i = 1, 3 do
        ngx.say(select(2, coroutine.resume(a)), " ",
                select(2, coroutine.resume(b)))
    end
}
--- request_parts
drip "112233445566"
expect "a11 b22\na33 b44\na55 b66\n"
expect_eof
--- no_error_log
[error]


=== wait: below pcall and xpcall
--- tcp_server_config
process_by_lua_block {
    ngx.say(pcall(function()
        return ngx.receive(1), pcall(ngx.receive, 1)
    end))
    ngx.say(xpcall(function()
        ngx.sleep(0.001)
        return ngx.receive(1)
    end, debug.traceback))
    ngx.say(xpcall(function(...)
        ngx.sleep(0.001)
        error(ngx.receive(1) .. ..., 0)
    end, function(err) return "handled " .. err end, "arg"))
    ngx.say(pcall(coroutine.wrap(function()
        local ok, err = pcall(function()
            coroutine.yield()
            ngx.sleep(0.001)
            error("inner", 0)
        end)
        ngx.sleep(0.001)
        error(err .. " outer", 0)
    end)))
}
--- request_parts
drip "abcd"
expect "trueatrueb\n"
expect "truec\n"
expect "falsehandled darg\n"
expect "true\n"
expect_eof
--- no_error_log
[error]


=== wait: an error after a wait is caught by the pcall around it
--- tcp_server_config
process_by_lua_block {
    local f = coroutine.wrap(function()
        for i = 1, 3 do
            coroutine.yield(pcall(function()
                ngx.sleep(0.001)
                error("number " .. i, 0)
            end))
        end
    end)
    for i = 1, 3 do
        ngx.say(select(2, f()))
    end
}
--- response
number 1
number 2
number 3
--- no_error_log
[error]


=== wait: in metamethods
--- tcp_server_config
process_by_lua_block {
    local mt = {}
    for _, name in ipairs { "add", "concat", "eq", "lt", "le", "unm", "call",
                            "index", "newindex", "mul", "mod", "pow" } do
        mt["__" .. name] = function()
            ngx.sleep(0.001)
            local value = ngx.receive(1)
            ngx.print(name, value, " ")
            return value
        end
    end
    local a, b = setmetatable({}, mt), setmetatable({}, mt)
    local x
    x = a + b
    x = a .. b
    x = a == b
    x = a < b
    x = a <= b
    x = -a
    x = a(1)
    x = a.key
    a.key = 1
    x = a * 2
    x = a % 2
    x = 2 ^ a
    ngx.say("end")
}
--- request: 0123456789AB
--- response
add0 concat1 eq2 lt3 le4 unm5 call6 index7 newindex8 mul9 modA powB end
--- no_error_log
[error]


=== wait: in the iterator of a for
--- tcp_server_config
process_by_lua_block {
    local function digits(_, last)
        ngx.sleep(0.001)
        local c = ngx.receive(1)
        return c ~= "." and c or nil
    end
    local got = {}
    for c in digits do got[#got + 1] = c end
    for c in coroutine.wrap(function()
        for c in digits do
            ngx.sleep(0.001)
            coroutine.yield(c)
        end
    end) do
        got[#got + 1] = c
    end
    ngx.say(table.concat(got, ","))
}
--- request_parts
drip "123.45."
expect "1,2,3,4,5\n"
expect_eof
--- no_error_log
[error]


=== wait: a coroutine's local pcall sees closed and timeout as values
--- tcp_server_config
read_timeout 1500ms;
process_by_lua_block {
    local f = coroutine.wrap(function()
        while true do coroutine.yield((select(2, ngx.receive(2)))) end
    end)
    ngx.say(f())
    ngx.say(f())
}
--- request_parts
send "a"
expect "timeout\n"
half_close
expect "closed\n"
expect_eof
--- skip_mode: slow valgrind: too short a timeout for them
--- error_log
lua tcp socket read timed out


=== wait: the client goes while a nested coroutine waits
--- tcp_server_config
lua_check_client_abort on;
process_by_lua_block {
    coroutine.wrap(function()
        pcall(coroutine.wrap(function()
            ngx.say("sleeping")
            ngx.sleep(100)
        end))
    end)()
    ngx.log(ngx.ERR, "still running")
}
--- request_parts
expect "sleeping\n"
reset
wait_log "client prematurely closed connection"
--- no_error_log
still running
[error]


=== wait: 200 nested coroutines, each waits
--- tcp_server_config
process_by_lua_block {
    local function nest(n)
        if n == 0 then
            ngx.sleep(0.001)
            return ngx.receive(1)
        end
        local value = coroutine.wrap(nest)(n - 1)
        if n % 50 == 0 then ngx.sleep(0.001) end
        return value
    end
    ngx.say(nest(200))
    ngx.wait_next_request()
    ngx.say(nest(200))
}
--- request_parts
send "a"
expect "a\n"
send "b"
expect "b\n"
expect_eof
--- no_error_log
[error]


=== wait: endless nesting gives an error and no crash
--- tcp_server_config
process_by_lua_block {
    local deepest = 0
    local function nest(n)
        deepest = n
        local ok, err = coroutine.resume(coroutine.create(nest), n + 1)
        if not ok then error(err, 0) end
    end
    local ok, err = pcall(nest, 1)
    ngx.say(ok, " ", err, " ", deepest > 200)
    local function wrapped(n)
        deepest = n
        return coroutine.wrap(wrapped)(n + 1)
    end
    deepest = 0
    ok, err = pcall(wrapped, 1)
    ngx.say(ok, " ", err:match("C stack overflow"), " ", deepest > 200)
    ngx.say(coroutine.wrap(function() return ngx.receive(1) end)())
}
--- request: x
--- response
false C stack overflow true
false C stack overflow true
x
--- no_error_log
[error]


=== wait: endless nesting that nobody catches ends one session
--- tcp_server_config
process_by_lua_block {
    local function nest()
        return coroutine.wrap(nest)()
    end
    if ngx.receive(1) == "n" then nest() end
    ngx.say("fine")
}
--- request_parts
A: send "n"
A: expect_eof
B: send "."
B: expect "fine\n"
B: expect_eof
--- error_log
C stack overflow


=== wait: a coroutine that another one's error left suspended can go on
--- tcp_server_config
process_by_lua_block {
    local co = coroutine.create(function()
        coroutine.yield("first")
        ngx.sleep(0.001)
        return ngx.receive(1)
    end)
    ngx.say(pcall(coroutine.wrap(function()
        ngx.say(coroutine.resume(co))
        ngx.sleep(0.001)
        error("gone", 0)
    end)))
    ngx.say(coroutine.resume(co))
}
--- request: x
--- response
truefirst
falsegone
truex
--- no_error_log
[error]


=== wait: the budget of a resume is used up within coroutines
--- tcp_server_config
process_by_lua_block {
    local f = coroutine.wrap(function()
        while true do
            coroutine.yield(ngx.receive(1))
        end
    end)
    local n = 0
    for c in f do
        n = n + 1
        ngx.print(c)
        if n == 1000 then break end
    end
    ngx.print("|", n)
}
--- request eval
"x" x 1000
--- response eval
"x" x 1000 . "|1000"
--- no_error_log
[error]


=== wait: coroutines that nobody resumes any more are garbage
--- tcp_server_config
process_by_lua_block {
    collectgarbage()
    local before = collectgarbage("count")
    for i = 1, 2000 do
        local f = coroutine.wrap(function()
            ngx.sleep(0.001)
            coroutine.yield()
        end)
        if i % 100 == 0 then f() end
    end
    collectgarbage()
    collectgarbage()
    ngx.say(collectgarbage("count") - before < 100)
}
--- response
true
--- no_error_log
[error]
