# Debian's lua-nginx-dns as it is, in scripts of ours, against dnsmasq.

use lib 't/lib';
use Test::Nginx::TCP;

my $installed = -e '/usr/share/lua/5.1/nginx/dns/resolver.lua';

# Each block's scripts have resolver() for one that asks dnsmasq, and show()
# for its answers.
my $INIT = <<'LUA';
init_by_lua_block {
    local class = require "nginx.dns.resolver"
    A, AAAA, CNAME, MX = class.TYPE_A, class.TYPE_AAAA, class.TYPE_CNAME,
                         class.TYPE_MX
    TXT, SRV, PTR = class.TYPE_TXT, class.TYPE_SRV, class.TYPE_PTR

    function resolver(opts)
        opts = opts or {}
        opts.nameservers = opts.nameservers or {{"127.0.0.1", $TEST_DNS_PORT}}
        opts.timeout = opts.timeout or 60000
        return assert(class:new(opts))
    end

    function show(answers, err)
        if not answers then return "nil " .. err end
        if answers.errcode then
            return answers.errcode .. " " .. answers.errstr
        end
        local lines = {}
        for i, answer in ipairs(answers) do
            lines[i] = answer.name .. " " .. answer.ttl .. " "
                       .. (answer.address or answer.cname or answer.exchange
                           or answer.target or answer.ptrdname
                           or table.concat({answer.txt}, "|"))
        end
        table.sort(lines)
        return table.concat(lines, ", ")
    end
}
LUA

sub init    { return $INIT }
sub missing { return $installed ? '' : 'no lua-nginx-dns' }

run_tests();

__DATA__

=== addresses: one, two, IPv6, an alias, twenty
--- skip_if: main::missing()
--- peers: dns
--- tcp_config eval: main::init()
--- tcp_server_config
process_by_lua_block {
    local r = resolver()
    ngx.say(show(r:query("one.test")))
    ngx.say(show(r:query("two.test", {qtype = A})))
    ngx.say(show(r:query("six.test", {qtype = AAAA})))
    ngx.say(show(r:query("alias.test")))
    ngx.say(#assert(r:query("many.test")))
    ngx.say("<", show(r:query("four.test", {qtype = AAAA})), ">")
}
--- request
--- response
one.test 3600 127.0.0.1
two.test 3600 127.0.0.1, two.test 3600 127.0.0.2
six.test 3600 0:0:0:0:0:0:0:1
alias.test 3600 one.test, one.test 3600 127.0.0.1
20
<>
--- no_error_log
[error]


=== other types
--- skip_if: main::missing()
--- peers: dns
--- tcp_config eval: main::init()
--- tcp_server_config
process_by_lua_block {
    local r = resolver()
    ngx.say(show(r:query("text.test", {qtype = TXT})))
    local mx = assert(r:query("mail.test", {qtype = MX}))[1]
    ngx.say(mx.exchange, " ", mx.preference)
    local srv = assert(r:query("_tcp._tcp.test", {qtype = SRV}))[1]
    ngx.say(srv.target, " ", srv.port, " ", srv.priority, " ", srv.weight)
    ngx.say(show(r:reverse_query("127.0.0.1")))
}
--- request
--- response
text.test 3600 some text
one.test 10
one.test 53 1 2
1.0.0.127.in-addr.arpa 3600 one.test
--- no_error_log
[error]


=== what fails: no such name, server failure, refused
--- skip_if: main::missing()
--- peers: dns
--- tcp_config eval: main::init()
--- tcp_server_config
process_by_lua_block {
    local r = resolver()
    ngx.say(show(r:query("nx.test")))
    ngx.say(show(r:query("servfail.test")))
    ngx.say(show(r:query("name.invalid")))
    ngx.say(show(resolver({nameservers = {{"127.0.0.1",
                 $TEST_DNS_SERVFAIL_PORT}}}):query("one.test")))
    ngx.say(show(r:query("one.test")))
}
--- request
--- response
3 name error
2 server failure
5 refused
2 server failure
one.test 3600 127.0.0.1
--- no_error_log
[error]


=== an answer too long for a datagram comes by TCP
--- skip_if: main::missing()
--- peers: dns
--- tcp_config eval: main::init()
--- tcp_server_config
process_by_lua_block {
    local r = resolver()
    for i = 1, 3 do
        local answers = assert(r:query("long.test", {qtype = TXT}))
        local length = 0
        for _, answer in ipairs(answers) do length = length + #answer.txt end
        ngx.say(#answers, " ", length)
    end
    ngx.say(show(r:tcp_query("one.test")))
    ngx.say(show(r:query("one.test")))
}
--- request
--- response
20 4000
20 4000
20 4000
one.test 3600 127.0.0.1
one.test 3600 127.0.0.1
--- no_error_log
[error]


=== no answer: asked again, then a timeout
--- skip_if: main::missing()
--- peers: dns
--- tcp_config eval: main::init()
--- tcp_server_config
process_by_lua_block {
    local r = resolver({nameservers = {{"127.0.0.1", $TEST_DNS_SILENT_PORT}},
                        timeout = 50, retrans = 3})
    local before = ngx.now()
    local answers, err = r:query("one.test")
    ngx.update_time()
    ngx.say(answers, " ", (err:gsub("%d+: ", "PORT: ")))
    ngx.say(ngx.now() - before >= 0.14)
    ngx.say(show(resolver():query("one.test")))
}
--- request
--- response
nil failed to receive reply from UDP server 127.0.0.1:PORT: timeout
true
one.test 3600 127.0.0.1


=== two servers: the second is asked when the first says nothing
--- skip_if: main::missing()
--- peers: dns
--- tcp_config eval: main::init()
--- tcp_server_config
process_by_lua_block {
    for i = 1, 4 do
        local r = resolver({timeout = 100, nameservers = {
            {"127.0.0.1", $TEST_DNS_SILENT_PORT},
            {"127.0.0.1", $TEST_DNS_PORT},
        }})
        -- a loaded machine may need more than one round
        ngx.say(show(r:query("one.test")))
    end
}
--- request
--- response
one.test 3600 127.0.0.1
one.test 3600 127.0.0.1
one.test 3600 127.0.0.1
one.test 3600 127.0.0.1


=== nobody listens: said at once
--- skip_if: main::missing()
--- tcp_server_config
process_by_lua_block {
    local r = require("nginx.dns.resolver"):new({
        nameservers = {{"127.0.0.1", $TEST_CLOSED_PORT}}, timeout = 60000,
    })
    local answers, err = r:query("one.test")
    ngx.say(answers, " ", (err:gsub("%d+: ", "PORT: ")))
}
--- request
--- response
nil failed to receive reply from UDP server 127.0.0.1:PORT: connection refused


=== a strange answer is thrown away, the right one counts
--- skip_if: main::missing()
--- udp_peer
expect_like /one.four/s
send "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03one\x04four\x00\x00\x01\x00\x01"
expect_like /one.four/s
send "\x00\x00\x81\x80\x00\x01\x00\x00\x00\x00\x00\x00\x03one\x04four\x00\x00\x01\x00\x01"
send "\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x03one\x04four\x00\x00\x01\x00\x01\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x07\x00\x04\x01\x02\x03\x04"
--- tcp_server_config
process_by_lua_block {
    local r = require("nginx.dns.resolver"):new({
        nameservers = {{"127.0.0.1", $TEST_UDP_PEER_PORT}}, timeout = 60000,
    })
    r._id = 0x1234
    ngx.say(r:query("one.four"))
    local answers = assert(r:query("one.four"))
    ngx.say(answers[1].address, " ", answers[1].ttl)
}
--- request
--- response
nilbad QR flag in the DNS response
1.2.3.4 7


=== six light threads ask at the same time
--- skip_if: main::missing()
--- peers: dns
--- tcp_config eval: main::init()
--- tcp_server_config
process_by_lua_block {
    local names = {"one", "two", "four", "both", "many", "alias"}
    local threads = {}
    for i, name in ipairs(names) do
        threads[i] = ngx.thread.spawn(function()
            local r = resolver()
            for _ = 1, 20 do
                assert(#assert(r:query(name .. ".test")) > 0)
            end
            return name
        end)
    end
    for i = 1, #threads do
        local _, name = ngx.thread.wait(threads[i])
        ngx.say(name)
    end
}
--- request
--- response
one
two
four
both
many
alias
--- no_error_log
[error]


=== addresses, short and long; their names
--- skip_if: main::missing()
--- tcp_server_config
process_by_lua_block {
    local r = require "nginx.dns.resolver"
    for _, long in ipairs {"0:0:0:0:0:0:0:1", "1:0:0:0:0:0:0:0",
                           "1:2:0:0:0:6:7:8", "1:2:3:4:5:6:7:8",
                           "0:0:0:0:0:0:0:0"} do
        local short = r.compress_ipv6_addr(long)
        ngx.say(short, " ", r.expand_ipv6_addr(short) == long)
    end
    ngx.say(r.arpa_str("127.0.0.2"))
    ngx.say(r.arpa_str("::1"))
}
--- request
--- response
::1 true
1:: true
1:2::6:7:8 true
1:2:3:4:5:6:7:8 true
:: true
2.0.0.127.in-addr.arpa
1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa
--- no_error_log
[error]
