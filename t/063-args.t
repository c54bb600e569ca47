# ngx.encode_args and ngx.decode_args: query strings.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== encode_args: one pair of each kind
--- tcp_server_config
process_by_lua_block {
    ngx.say(ngx.encode_args({ a = "1" }))
    ngx.say(ngx.encode_args({ a = 1.5 }))
    ngx.say(ngx.encode_args({ a = "" }))
    ngx.say(ngx.encode_args({ a = true }))
    ngx.say("[", ngx.encode_args({ a = false }), "]")
    ngx.say("[", ngx.encode_args({}), "]")
    ngx.say(ngx.encode_args({ [7] = "x" }))
}
--- response
a=1
a=1.5
a=
a
[]
[]
7=x
--- no_error_log
[error]


=== encode_args: names and values are escaped as parts of a URI
--- tcp_server_config
process_by_lua_block {
    ngx.say(ngx.encode_args({ ["a b&="] = "c/d+\255" }))
}
--- response
a%20b%26%3D=c%2Fd%2B%FF
--- no_error_log
[error]


=== encode_args: a list gives its name several times
--- tcp_server_config
process_by_lua_block {
    ngx.say(ngx.encode_args({ a = { "1", 2, true, false, "x y" } }))
    ngx.say("[", ngx.encode_args({ a = {} }), "]")
}
--- response
a=1&a=2&a&a=x%20y
[]
--- no_error_log
[error]


=== encode_args: several names, in no order
--- tcp_server_config
process_by_lua_block {
    local parts = {}
    for part in ngx.encode_args({ a = 1, b = { 2, 3 }, c = true })
        :gmatch("[^&]+")
    do
        parts[#parts + 1] = part
    end
    table.sort(parts)
    ngx.say(table.concat(parts, " "))
}
--- response
a=1 b=2 b=3 c
--- no_error_log
[error]


=== encode_args: wrong arguments raise at the caller's line
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function() ngx.encode_args() end))
    ngx.say(err(function() ngx.encode_args("a=1") end))
    ngx.say(err(function() ngx.encode_args(nil) end))
}
--- response
3: bad argument #1 to 'encode_args' (table expected, got nil)
4: bad argument #1 to 'encode_args' (table expected, got string)
5: bad argument #1 to 'encode_args' (table expected, got nil)
--- no_error_log
[error]


=== encode_args: keys and values that have no text raise
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function() ngx.encode_args({ [true] = 1 }) end))
    ngx.say(err(function() ngx.encode_args({ [{}] = 1 }) end))
    ngx.say(err(function() ngx.encode_args({ a = err }) end))
    ngx.say(err(function() ngx.encode_args({ a = ngx.null }) end))
    ngx.say(err(function() ngx.encode_args({ a = { {} } }) end))
    ngx.say(err(function() ngx.encode_args({ a = { io.stdout } }) end))
    ngx.say(err(function() ngx.encode_args({ a = coroutine.create(err) }) end))
    ngx.say(err(function() ngx.encode_args({ a = 1LL }) end))
}
--- response
3: attempt to use a non-string key in the "args" option table
4: attempt to use a non-string key in the "args" option table
5: attempt to use function as query arg value
6: attempt to use userdata as query arg value
7: attempt to use table as query arg value
8: attempt to use userdata as query arg value
9: attempt to use thread as query arg value
10: attempt to use cdata as query arg value
--- no_error_log
[error]


=== decode_args: pairs, names alone, empty values, repeated names
--- tcp_server_config
process_by_lua_block {
    local t = ngx.decode_args("a=1&b&c=&d=x&d=y&d&e=1=2")
    ngx.say(t.a, " ", t.b, " [", t.c, "] ", t.d[1], t.d[2], t.d[3], #t.d,
            " ", t.e)
}
--- response
1 true [] xytrue3 1=2
--- no_error_log
[error]


=== decode_args: returns one value
--- tcp_server_config
process_by_lua_block { ngx.say(select("#", ngx.decode_args("a=1"))) }
--- response
1
--- no_error_log
[error]


=== decode_args: %XX and + are decoded, in names, too
--- tcp_server_config
process_by_lua_block {
    local t = ngx.decode_args("a%20b=c+d%2Fe&%26=%3D")
    ngx.say(t["a b"], " ", t["&"])
}
--- response
c d/e =
--- no_error_log
[error]


=== decode_args: pairs without a name are left out
--- tcp_server_config
process_by_lua_block {
    ngx.say(next(ngx.decode_args("=1&&=&")), " ", next(ngx.decode_args("")))
}
--- response
nil nil
--- no_error_log
[error]


=== decode_args: 100 pairs when not told, and then "truncated"
--- tcp_server_config
process_by_lua_block {
    local parts = {}
    for i = 1, 101 do parts[i] = "a" .. i .. "=" .. i end
    local function count(...)
        local t, err = ngx.decode_args(...)
        local n = 0
        for _ in pairs(t) do n = n + 1 end
        return n .. " " .. tostring(err)
    end
    ngx.say(count(table.concat(parts, "&", 1, 100)))
    ngx.say(count(table.concat(parts, "&")))
    ngx.say(count(table.concat(parts, "&"), 101))
    ngx.say(count(table.concat(parts, "&"), 2))
    ngx.say(count(table.concat(parts, "&"), 0))
    ngx.say(count(table.concat(parts, "&"), -1))
    ngx.say(count(table.concat(parts, "&"), nil))
}
--- response
100 nil
100 truncated
101 nil
2 truncated
101 nil
101 nil
100 truncated
--- no_error_log
[error]


=== decode_args: a number is text
--- tcp_server_config
process_by_lua_block { ngx.say(ngx.decode_args(42)["42"]) }
--- response
true
--- no_error_log
[error]


=== decode_args: wrong arguments raise at the caller's line
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function() ngx.decode_args() end))
    ngx.say(err(function() ngx.decode_args({}) end))
    ngx.say(err(function() ngx.decode_args("a", "x") end))
    ngx.say(err(function() ngx.decode_args("a", {}) end))
}
--- response
3: bad argument #1 to 'decode_args' (string expected, got nil)
4: bad argument #1 to 'decode_args' (string expected, got table)
5: bad argument #2 to 'decode_args' (number expected, got string)
6: bad argument #2 to 'decode_args' (number expected, got table)
--- no_error_log
[error]


=== decode_args undoes encode_args
--- tcp_server_config
process_by_lua_block {
    local t = ngx.decode_args(ngx.encode_args({
        ["k &="] = "v%+", list = { "a", "b" }, flag = true, empty = "",
    }))
    ngx.say(t["k &="], t.list[1], t.list[2], t.flag, "[", t.empty, "]")
}
--- response
v%+abtrue[]
--- no_error_log
[error]


=== encode_args, decode_args: everywhere
--- tcp_config
init_by_lua_block {
    in_init = ngx.encode_args({ a = 1 }) .. ngx.decode_args("b=2").b
}
init_worker_by_lua_block {
    in_worker = ngx.encode_args({ a = 1 }) .. ngx.decode_args("b=2").b
}
--- tcp_server_config
process_by_lua_block {
    ngx.say(in_init, " ", in_worker)
    ngx.say(coroutine.wrap(function()
        return ngx.encode_args({ a = 1 })
    end)())
    ngx.say(pcall(ngx.encode_args, { a = 1 }))
    ngx.say(pcall(ngx.encode_args, 1))
    ngx.say((("x"):gsub(".", function(c)
        return ngx.encode_args(ngx.decode_args(c))
    end)))
}
--- response
a=12 a=12
a=1
truea=1
falsebad argument #1 to 'encode_args' (table expected, got number)
x
--- no_error_log
[error]
