use lib 't/lib';
use Test::Nginx::TCP;
run_tests();
__DATA__

=== recursion: through the callback of a C function, without end
--- tcp_server_config
process_by_lua_block {
    local function f()
        return (string.gsub("x", ".", function() return f() end))
    end
    local ok, err = pcall(f)
    ngx.say(ok, " ", err:match("stack overflow") or err)
    local function g(a, b)
        table.sort({ 1, 2, 3 }, function(x, y) g() return x < y end)
    end
    ok, err = pcall(g)
    ngx.say(ok, " ", err:match("stack overflow") or err)
    local mt = {}
    mt.__index = function(t, k) return t[k .. "x"] end
    ok, err = pcall(function() return setmetatable({}, mt).a end)
    ngx.say(ok, " ", err:match("stack overflow") or err)
    ok, err = pcall(coroutine.wrap(f))
    ngx.say(ok, " ", err:match("stack overflow") or err)
}
--- response
false stack overflow
false stack overflow
false stack overflow
false stack overflow
--- timeout: 60
--- no_error_log
[error]
--- skip_mode: valgrind: its stack has the size that it started with
