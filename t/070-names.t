# All names that scripts find, so that none appears or vanishes unnoticed.
# tests/docs.rs sees that each has an entry in docs/api.md and a block here.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== names: everything in ngx
--- tcp_server_config
process_by_lua_block {
    local names = {}
    for name, value in pairs(ngx) do
        names[#names + 1] = name .. " " .. type(value)
    end
    table.sort(names)
    ngx.say(table.concat(names, "\n"))
}
--- response
AGAIN number
ALERT number
CRIT number
DEBUG number
DECLINED number
DONE number
EMERG number
ERR number
ERROR number
INFO number
NOTICE number
OK number
STDERR number
WARN number
channel table
clients table
config table
cookie_time function
crc32_long function
crc32_short function
deadline function
decode_args function
decode_base64 function
decode_base64url function
encode_args function
encode_base64 function
encode_base64url function
eof function
escape_uri function
exit function
flush function
get_phase function
hmac_sha1 function
http_time function
localtime function
log function
md5 function
md5_bin function
new_ssl_ctx function
nlog function
now function
null userdata
parse_http_time function
parse_tcp_time function
print function
quote_sql_str function
re table
receive function
req table
say function
select function
sha1_bin function
shared table
sleep function
socket table
start_time function
tcp_time function
thread table
time function
timer table
today function
unescape_uri function
update_time function
utctime function
var table
wait_next_request function
worker table
--- no_error_log
[error]


=== names: everything in the tables of ngx
--- tcp_server_config
process_by_lua_block {
    local names = {}
    for _, group in ipairs({
        "channel", "clients", "config", "req", "socket", "thread", "timer", "worker",
    }) do
        for name, value in pairs(ngx[group]) do
            names[#names + 1] = group .. "." .. name .. " " .. type(value)
        end
    end
    table.sort(names)
    ngx.say(table.concat(names, "\n"))
}
--- response
channel.new function
clients.del function
clients.exists function
clients.keys_iter function
clients.send function
clients.set function
config.debug boolean
config.nginx_configure function
config.nginx_version number
config.ngx_lua_version number
config.prefix function
config.subsystem string
req.socket function
socket.connect function
socket.stream function
socket.tcp function
socket.udp function
thread.kill function
thread.spawn function
thread.wait function
timer.at function
timer.every function
timer.pending_count function
timer.running_count function
worker.count function
worker.exiting function
worker.id function
worker.pid function
--- no_error_log
[error]


=== names: everything in ngx.semaphore, ngx.ssl, and the methods of what they make
--- tcp_server_config
process_by_lua_block {
    local function show(what, t)
        local names = {}
        for name, value in pairs(t) do
            if type(value) == "function" then names[#names + 1] = name end
        end
        table.sort(names)
        ngx.say(what, ": ", table.concat(names, " "))
    end
    local semaphore = require "ngx.semaphore"
    show("module", semaphore)
    show("ssl", require "ngx.ssl")
    show("semaphore", getmetatable(semaphore.new()).__index)
    show("channel", getmetatable(ngx.channel.new(1)).__index)
    show("tcp", getmetatable(ngx.socket.tcp()).__index)
    show("udp", getmetatable(ngx.socket.udp()).__index)
    show("req", getmetatable(ngx.req.socket()).__index)
}
--- response
module: count new post wait
ssl: get_tls1_version get_tls1_version_str server_name var
semaphore: count new post wait
channel: close count new receive send try_receive try_send
tcp: bind close connect getfd getoption getpeername getreusedtimes getsockname peek receive receive_http receiveany receiveuntil send setclientcert setkeepalive setkeepalive_nats setoption settimeout settimeouts shutdown sslhandshake
udp: bind close getpeername getsockname receive send setpeername settimeout
req: getfd getoption getpeername getsockname peek receive receiveany receiveuntil send setoption settimeout settimeouts shutdown
--- no_error_log
[error]


=== names: everything in coroutine
--- tcp_server_config
process_by_lua_block {
    local names = {}
    for name, value in pairs(coroutine) do
        names[#names + 1] = name .. " " .. type(value)
    end
    table.sort(names)
    ngx.say(table.concat(names, "\n"))
}
--- response
create function
isyieldable function
resume function
running function
status function
wrap function
yield function
--- no_error_log
[error]


=== names: a connection's globals are its own, but for what is Lua's and ngx
--- tcp_server_config
process_by_lua_block {
    local own, shared = {}, {}
    for name in pairs(_G) do own[#own + 1] = name end
    for name in pairs(getmetatable(_G).__index) do
        shared[#shared + 1] = name
    end
    table.sort(own)
    table.sort(shared)
    ngx.say(table.concat(own, " "))
    ngx.say(table.concat(shared, " "))
}
--- response
_G
_G _VERSION assert bit collectgarbage coroutine debug dofile error gcinfo getfenv getmetatable io ipairs jit load loadfile loadstring math module newproxy next ngx os package pairs pcall print rawequal rawget rawset require select setfenv setmetatable string table tonumber tostring type unpack xpcall
--- no_error_log
[error]


=== coroutine: outside of sessions there is nothing to yield to
--- tcp_config
init_by_lua_block {
    in_init = tostring(coroutine.isyieldable()) .. " "
        .. tostring(select(2, pcall(coroutine.yield))) .. " "
        .. tostring(coroutine.running())
}
--- tcp_server_config
process_by_lua_block {
    ngx.say(in_init)
    ngx.say(coroutine.isyieldable(), " ", type(coroutine.running()))
}
--- response
false attempt to yield across C-call boundary nil
true thread
--- no_error_log
[error]
