# Time functions, all from nginx's cached clock.

use lib 't/lib';
use Test::Nginx::TCP;

# A zone that differs from UTC by hours and minutes; nginx keeps TZ.
BEGIN { $ENV{TZ} = 'XYZ-13:30' }

run_tests();

__DATA__

=== time, now: seconds since 1970, and with milliseconds
--- tcp_server_config
process_by_lua_block {
    local before = os.time()
    ngx.update_time()
    local time, now, after = ngx.time(), ngx.now(), os.time()
    ngx.say(time == math.floor(time), " ", time >= before and time <= after + 1)
    ngx.say(now >= time and now < time + 1, " ",
            math.abs(now * 1000 - math.floor(now * 1000 + 0.5)) < 0.01)
}
--- response
true true
true true
--- no_error_log
[error]


=== time, now: cached until the event loop turns or update_time is called
--- tcp_server_config
process_by_lua_block {
    ngx.update_time()
    local before = ngx.now()
    local clock = os.clock()
    while os.clock() - clock < 0.05 do end
    local cached = ngx.now()
    local n = select("#", ngx.update_time())
    ngx.say(cached == before, " ", ngx.now() - before >= 0.04, " ", n)
}
--- response
true true 0
--- no_error_log
[error]


=== utctime, localtime, today: as os.date writes them
--- tcp_server_config
process_by_lua_block {
    ngx.update_time()
    local t = ngx.time()
    ngx.say(ngx.utctime() == os.date("!%Y-%m-%d %H:%M:%S", t))
    ngx.say(ngx.localtime() == os.date("%Y-%m-%d %H:%M:%S", t))
    ngx.say(ngx.today() == os.date("%Y-%m-%d", t))
    ngx.say(#ngx.utctime(), #ngx.localtime(), #ngx.today())
}
--- response
true
true
true
191910
--- no_error_log
[error]


=== localtime, today: in a zone that is not UTC
--- tcp_server_config
process_by_lua_block {
    ngx.update_time()
    local t = ngx.time()
    local there = t + 13 * 3600 + 30 * 60
    ngx.say(ngx.utctime() == os.date("!%Y-%m-%d %H:%M:%S", t))
    ngx.say(ngx.localtime() == os.date("!%Y-%m-%d %H:%M:%S", there))
    ngx.say(ngx.today() == os.date("!%Y-%m-%d", there))
}
--- response
true
true
true
--- no_error_log
[error]


=== time and its kin ignore arguments
--- tcp_server_config
process_by_lua_block {
    ngx.say(ngx.time(1, {}) == ngx.time(), ngx.now("x") == ngx.now(),
            ngx.today(nil) == ngx.today(), ngx.utctime(1) == ngx.utctime(),
            ngx.localtime(1) == ngx.localtime(),
            select("#", ngx.update_time(1)))
}
--- response
truetruetruetruetrue0
--- no_error_log
[error]


=== tcp_time, http_time: the date of a header
--- tcp_server_config
process_by_lua_block {
    for _, f in ipairs({ ngx.tcp_time, ngx.http_time }) do
        ngx.say(f(1290079655), "|", f(0), "|", f("951827696"), "|",
                f(1290079655.9))
    end
}
--- response
Thu, 18 Nov 2010 11:27:35 GMT|Thu, 01 Jan 1970 00:00:00 GMT|Tue, 29 Feb 2000 12:34:56 GMT|Thu, 18 Nov 2010 11:27:35 GMT
Thu, 18 Nov 2010 11:27:35 GMT|Thu, 01 Jan 1970 00:00:00 GMT|Tue, 29 Feb 2000 12:34:56 GMT|Thu, 18 Nov 2010 11:27:35 GMT
--- no_error_log
[error]


=== tcp_time: before 1970 and after 9999
--- tcp_server_config
process_by_lua_block {
    ngx.say(ngx.tcp_time(-1), "|", ngx.tcp_time(1e18), "|", ngx.tcp_time(1/0))
}
--- response
Thu, 01 Jan 1970 00:00:00 GMT|Fri, 31 Dec 9999 23:59:59 GMT|Fri, 31 Dec 9999 23:59:59 GMT
--- no_error_log
[error]


=== cookie_time: the date of a cookie
--- tcp_server_config
process_by_lua_block {
    ngx.say(ngx.cookie_time(1290079655), "|", ngx.cookie_time(2147483647))
}
--- response
Thu, 18-Nov-10 11:27:35 GMT|Tue, 19-Jan-2038 03:14:07 GMT
--- no_error_log
[error]


=== parse_tcp_time, parse_http_time: three forms of a date
--- tcp_server_config
process_by_lua_block {
    for _, f in ipairs({ ngx.parse_tcp_time, ngx.parse_http_time }) do
        ngx.say(f("Thu, 18 Nov 2010 11:27:35 GMT"), " ",
                f("Thursday, 18-Nov-10 11:27:35 GMT"), " ",
                f("Thu Nov 18 11:27:35 2010"))
    end
}
--- response
1290079655 1290079655 1290079655
1290079655 1290079655 1290079655
--- no_error_log
[error]


=== parse_tcp_time: what is no date gives nil
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ":", ...) end
    show(ngx.parse_tcp_time("Thu, 18 Nov"))
    show(ngx.parse_tcp_time(""))
    show(ngx.parse_tcp_time("Thu, 31 Nov 2010 11:27:35 GMT"))
    show(ngx.parse_tcp_time(1290079655))
}
--- response
1:nil
1:nil
1:nil
1:nil
--- no_error_log
[error]


=== tcp_time and parse_tcp_time undo each other
--- tcp_server_config
process_by_lua_block {
    for t = 0, 4102444800, 86400 * 97 + 12345 do
        assert(ngx.parse_tcp_time(ngx.tcp_time(t)) == t)
    end
    ngx.say("ok")
}
--- response
ok
--- no_error_log
[error]


=== tcp_time and its kin: wrong arguments raise at the caller's line
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function() ngx.tcp_time() end))
    ngx.say(err(function() ngx.http_time(1, 2) end))
    ngx.say(err(function() ngx.cookie_time() end))
    ngx.say(err(function() ngx.tcp_time("x") end))
    ngx.say(err(function() ngx.http_time(nil) end))
    ngx.say(err(function() ngx.cookie_time({}) end))
}
--- response
3: expecting one argument
4: expecting one argument
5: expecting one argument
6: bad argument #1 to 'tcp_time' (number expected, got string)
7: bad argument #1 to 'http_time' (number expected, got nil)
8: bad argument #1 to 'cookie_time' (number expected, got table)
--- no_error_log
[error]


=== parse_tcp_time: wrong arguments raise at the caller's line
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function() ngx.parse_tcp_time() end))
    ngx.say(err(function() ngx.parse_http_time("x", 1) end))
    ngx.say(err(function() ngx.parse_tcp_time(nil) end))
    ngx.say(err(function() ngx.parse_http_time({}) end))
}
--- response
3: expecting one argument
4: expecting one argument
5: bad argument #1 to 'parse_tcp_time' (string expected, got nil)
6: bad argument #1 to 'parse_http_time' (string expected, got table)
--- no_error_log
[error]


=== start_time: when the request began, not the connection
--- tcp_server_config
process_by_lua_block {
    ngx.receive(1)
    local first = ngx.start_time()
    ngx.sleep(0.02)
    ngx.print(ngx.start_time() == first, " ", first <= ngx.now(), " ",
              math.abs(first - ngx.now()) < 10)
    ngx.wait_next_request()
    ngx.receive(1)
    ngx.print(" ", ngx.start_time() > first)
}
--- request_parts
send "a"
expect "true true true"
send "b"
expect " true"
expect_eof
--- no_error_log
[error]


=== start_time: with milliseconds, arguments are ignored
--- tcp_server_config
process_by_lua_block {
    local t = ngx.start_time(1, 2)
    ngx.say(math.abs(t * 1000 - math.floor(t * 1000 + 0.5)) < 0.01)
}
--- response
true
--- no_error_log
[error]


=== time functions in init_by_lua and init_worker_by_lua
--- tcp_config
init_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.update_time()
    in_init = #ngx.utctime() .. #ngx.localtime() .. #ngx.today()
        .. tostring(ngx.time() > 1e9 and ngx.now() > 1e9)
        .. ngx.tcp_time(0) .. ngx.parse_tcp_time(ngx.tcp_time(9))
        .. err(function() ngx.start_time() end)
}
init_worker_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.update_time()
    in_worker = #ngx.utctime() .. #ngx.localtime() .. #ngx.today()
        .. tostring(ngx.time() > 1e9 and ngx.now() > 1e9)
        .. ngx.tcp_time(0) .. ngx.parse_tcp_time(ngx.tcp_time(9))
        .. err(function() ngx.start_time() end)
}
--- tcp_server_config
process_by_lua_block { ngx.print(in_init, "\n", in_worker, "\n") }
--- response
191910trueThu, 01 Jan 1970 00:00:00 GMT97: no session found
191910trueThu, 01 Jan 1970 00:00:00 GMT97: API disabled in the context of init_worker_by_lua*
--- no_error_log
[error]


=== time functions in a user coroutine, through pcall, in a C function's callback
--- tcp_server_config
process_by_lua_block {
    ngx.say(coroutine.wrap(function() return ngx.tcp_time(0) end)())
    ngx.say(pcall(ngx.tcp_time, 0))
    ngx.say(pcall(ngx.tcp_time))
    ngx.say((("x"):gsub(".", function() return ngx.tcp_time(0) end)))
}
--- response
Thu, 01 Jan 1970 00:00:00 GMT
trueThu, 01 Jan 1970 00:00:00 GMT
falseexpecting one argument
Thu, 01 Jan 1970 00:00:00 GMT
--- no_error_log
[error]
