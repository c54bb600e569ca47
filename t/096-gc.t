# __gc: LuaJIT runs it wherever it happens to collect, in any connection's time.
# What goes wrong there is logged and concerns nobody else.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== gc: an error in __gc is logged, the script goes on
--- tcp_server_config
process_by_lua_block {
    getmetatable(newproxy(true)).__gc = function()
        error("in gc")
    end
    ngx.say(pcall(collectgarbage))
    collectgarbage()
    ngx.sleep(0.001)
    ngx.say(ngx.receive(1))
}
--- request: x
--- response
true0
x
--- grep_error_log
~ (?<= )error in __gc: .*?(?=$| while)
--- grep_error_log_out eval
"error in __gc: process_by_lua_block(nginx.conf:10):3: in gc\n"


=== gc: an error of a finalizer set with ffi.gc, also as a C function
--- tcp_server_config
process_by_lua_block {
    local ffi = require "ffi"
    local function fail() error("in ffi gc", 0) end
    for i = 1, 3 do
        ffi.gc(ffi.new("int[10]"), fail)
    end
    local kept = ffi.gc(ffi.new("int[1]"), fail)
    ffi.gc(kept, nil)
    pcall(ffi.cdef, "void *malloc(size_t n); void free(void *p);")
    ffi.gc(ffi.C.malloc(10), ffi.C.free)
    kept = nil
    collectgarbage()
    collectgarbage()
    ngx.say("on")
}
--- response
on
--- grep_error_log
~ (?<= )error in __gc: .*?(?=$| while)
--- grep_error_log_out eval
"error in __gc: in ffi gc\n" x 3


=== gc: an error of a finalizer set with ffi.metatype
--- tcp_config
init_by_lua_block {
    local ffi = require "ffi"
    ffi.cdef "typedef struct { int n; } counted_t;"
    counted = ffi.metatype("counted_t", {
        __gc = function(self) error("gc of " .. self.n, 0) end,
        __index = { double = function(self) return 2 * self.n end },
    })
    plain = ffi.metatype("struct { int a; }", {
        __index = { triple = function(self) return 3 * self.a end },
    })
}
--- tcp_server_config
process_by_lua_block {
    ngx.say(counted(21):double(), " ", plain(4):triple())
    collectgarbage()
    collectgarbage()
    ngx.say("on")
}
--- response
42 12
on
--- grep_error_log
~ (?<= )error in __gc: .*?(?=$| while)
--- grep_error_log_out
error in __gc: gc of 21


=== gc: ffi.gc and ffi.metatype check their arguments
--- tcp_server_config
process_by_lua_block {
    local ffi = require "ffi"
    local function try(f, ...)
        local ok, err = pcall(f, ...)
        ngx.say(ok, " ", (err:gsub("^.-:%d+: ", "")))
    end
    try(function() ffi.gc(1, print) end)
    try(function() ffi.metatype("int", {}) end)
    try(function() ffi.metatype("no_such_t", {}) end)
    try(function() ffi.metatype("struct { int a; }", 1) end)
}
--- response_like
^false bad argument #1 to 'gc' .*
false .*
false .*no_such_t.*
false bad argument #2 to 'metatype' .*
$
--- no_error_log
[error]


=== gc: error values that are no strings
--- tcp_server_config
process_by_lua_block {
    for _, value in ipairs { {}, 42, print, newproxy(), true,
            setmetatable({}, { __tostring = function() return "mine" end }),
            setmetatable({}, { __tostring = error }) } do
        getmetatable(newproxy(true)).__gc = function() error(value, 0) end
        collectgarbage()
    end
    getmetatable(newproxy(true)).__gc = function() error() end
    collectgarbage()
    ngx.say("on")
}
--- response
on
--- grep_error_log
~ (?<= )error in __gc: .*?(?= while)
--- grep_error_log_out
error in __gc: unknown reason
error in __gc: 42
error in __gc: unknown reason
error in __gc: unknown reason
error in __gc: unknown reason
error in __gc: mine
error in __gc: unknown reason
error in __gc: unknown reason


=== gc: newproxy does what it did
--- tcp_server_config
process_by_lua_block {
    local a, b = newproxy(true), newproxy()
    local mt = getmetatable(a)
    mt.__index = function(_, k) return k .. "!" end
    mt.__len = function() return 7 end
    mt.__gc = nil
    ngx.say(a.x, #a, " ", tostring(getmetatable(b)), " ", type(newproxy(false)))
    local c = newproxy(a)
    ngx.say(getmetatable(c) == mt, " ", c.y)
    local _, err = pcall(function() newproxy("x") end)
    ngx.say((err:gsub("^.-:%d+: ", ""):gsub(" %(.*", "")))
    local n = 0
    mt.__gc = function(self) n = n + (self == nil and 0 or 1) end
    c, a = nil, nil
    mt = nil
    collectgarbage()
    collectgarbage()
    ngx.say(n)
}
--- response
x!7 nil userdata
true y!
bad argument #1 to 'newproxy'
2
--- no_error_log
[error]


=== gc: a __gc that a script calls itself may raise and wait
--- tcp_server_config
process_by_lua_block {
    local proxy = newproxy(true)
    local mt = getmetatable(proxy)
    mt.__gc = function(object)
        if object == proxy then
            ngx.sleep(0.001)
            coroutine.yield()
            error("called", 0)
        end
    end
    ngx.say(pcall(mt.__gc, proxy))
    ngx.sleep(0.001)
    ngx.say(ngx.receive(1))
}
--- request: x
--- response
falsecalled
x
--- no_error_log
[error]


=== gc: errors during ordinary work, by many
--- tcp_server_config
process_by_lua_block {
    for i = 1, 20 do
        getmetatable(newproxy(true)).__gc = function() error("in gc", 0) end
    end
    while true do
        local t = {}
        for i = 1, 200 do t[i] = { ngx.receive(1) } end
        ngx.print(#t)
        ngx.wait_next_request()
    end
}
--- tcp_server_config2
process_by_lua_block { collectgarbage() ngx.say("fine") }
--- request_parts eval
[
    (map {
        my $client = "C$_";
        ( ["$client:", send => "x" x 20000],
          ["$client:", expect => "200" x 100],
          ["$client:", "close"] )
    } 1 .. 30),
    ['Z:', connect => '$TEST_PORT2'],
    ['Z:', expect => "fine\n"],
    ['Z:', 'expect_eof'],
]
--- skip_mode: slow: 600,000 reads
--- error_log
error in __gc: in gc


=== gc: an error while the result of a receive is delivered
--- tcp_server_config
process_by_lua_block {
    collectgarbage("stop")
    for i = 1, 200 do
        getmetatable(newproxy(true)).__gc = function() error("in gc", 0) end
    end
    ngx.print("ready\n")
    collectgarbage("restart")
    collectgarbage("setpause", 1)
    collectgarbage("setstepmul", 1000)
    -- Of different lengths: the same string once more would be no garbage.
    for i = 1, 100 do
        ngx.print(#ngx.receive(49950 + i) + 50 - i)
    end
    collectgarbage("setpause", 200)
    collectgarbage("setstepmul", 200)
}
--- request_parts
expect "ready\n"
send "0123456789" x 2500
sync
send "0123456789" x 497505
expect "50000" x 100
expect_eof
--- skip_mode: slow: 5 MB byte by byte
--- error_log
error in __gc: in gc


=== gc: of a TLS context, while the result of a native is delivered
--- tcp_config
init_by_lua_block {
    collectgarbage("stop")
    for i = 1, 500 do
        getmetatable(newproxy(true)).__gc = function()
            ngx.escape_uri(("z"):rep(1000))
        end
        ngx.new_ssl_ctx({})
    end
    collectgarbage("restart")
    collectgarbage("setpause", 1)
    collectgarbage("setstepmul", 100)
    changed = 0
    for i = 1, 20000 do
        local text = ("a"):rep(100 + i)
        if ngx.escape_uri(text) ~= text then changed = changed + 1 end
    end
    collectgarbage("setpause", 200)
    collectgarbage("setstepmul", 200)
}
--- tcp_server_config
process_by_lua_block { ngx.say(changed) }
--- response
0
--- no_error_log
[error]


=== gc: what waits cannot be called in __gc
--- tcp_server_config
process_by_lua_block {
    local errors = {}
    local function collect(f, ...)
        local args = {...}
        getmetatable(newproxy(true)).__gc = function()
            local ok, err = pcall(f, unpack(args))
            errors[#errors + 1] = tostring(ok) .. " "
                .. tostring(err):gsub("^.*:%d+: ", "")
        end
        collectgarbage()
        collectgarbage()
    end
    collect(ngx.sleep, 0.001)
    collect(ngx.receive, 10)
    collect(ngx.exit)
    collect(ngx.wait_next_request)
    collect(coroutine.yield)
    collect(coroutine.wrap(function() ngx.sleep(0.001) end))
    collect(coroutine.wrap(function() coroutine.wrap(ngx.receive)(10) end))
    ngx.say(table.concat(errors, "\n"))
    ngx.sleep(0.001)
    ngx.say(ngx.receive(1))
}
--- request: x
--- response_like
\A(?:false attempt to yield across C-call boundary\n){7}x\n\z
--- no_error_log
[error]


=== gc: what does not wait can be called in __gc
--- tcp_server_config
process_by_lua_block {
    getmetatable(newproxy(true)).__gc = function()
        ngx.say("printed in gc")
        ngx.log(ngx.WARN, "logged in gc")
        local f = coroutine.wrap(function()
            coroutine.yield("from a coroutine in gc")
            return "again"
        end)
        ngx.say(f(), " ", f())
    end
    collectgarbage()
    ngx.say("after")
}
--- response
printed in gc
from a coroutine in gc again
after
--- error_log
logged in gc


=== gc: runs for what a connection left, in another's time
--- tcp_server_config
process_by_lua_block {
    if ngx.receive(1) == "A" then
        proxy = newproxy(true)
        getmetatable(proxy).__gc = function() error("A's gc", 0) end
        return
    end
    collectgarbage()
    collectgarbage()
    ngx.say("fine")
}
--- request_parts
A: send "A"
A: expect_eof
sync
B: send "B"
B: expect "fine\n"
B: expect_eof
--- error_log
error in __gc: A's gc


=== gc: errors while connections start and end
--- tcp_server_config
process_by_lua_block {
    for i = 1, 3 do
        getmetatable(newproxy(true)).__gc = function() error("in gc", 0) end
    end
    local t = {}
    for i = 1, 100 do t[i] = {} end
    ngx.print(ngx.receive(1))
}
--- tcp_server_config2
process_by_lua_block { collectgarbage() ngx.say("fine") }
--- request_parts eval
[
    (map {
        my $client = "C$_";
        ( ["$client:", send => "x"], ["$client:", "sync"],
          ["$client:", $_ % 2 ? "close" : "reset"] )
    } 1 .. 200),
    ['Z:', connect => '$TEST_PORT2'],
    ['Z:', expect => "fine\n"],
    ['Z:', 'expect_eof'],
]
--- error_log
error in __gc: in gc


=== gc: in compiled code
--- tcp_server_config
process_by_lua_block {
    local n = 0
    for i = 1, 200 do
        coroutine.wrap(function()
            for i = 1, 3 do
                getmetatable(newproxy(true)).__gc = function()
                    error("in gc", 0)
                end
            end
            local t = {}
            for i = 1, 100 do t[i] = {} end
            n = n + #t
        end)()
    end
    ngx.say(n)
}
--- response
20000
--- error_log
error in __gc: in gc


=== gc: of a worker's VM, when it exits after a reload
--- tcp_config
init_worker_by_lua_block {
    anchor = newproxy(true)
    getmetatable(anchor).__gc = function()
        ngx.log(ngx.WARN, "anchor gone")
        error("nor this", 0)
    end
}
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- repeat: 1
--- request_parts
A: expect "up\n"
A: expect_eof
reload
wait_workers
wait_log "anchor gone"
--- error_log
error in __gc: nor this
