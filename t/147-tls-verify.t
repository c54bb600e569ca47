# TLS of ngx.socket.tcp: whom to trust, names, client certificates, and what the
# configuration says of it; ngx.new_ssl_ctx.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== verify: each certificate, by its name
--- peers: https
--- tcp_server_config
lua_ssl_trusted_certificate $TEST_CERT_DIR/ca.pem;
process_by_lua_block {
    local function try(port, name)
        local sock = ngx.socket.tcp()
        assert(sock:connect("127.0.0.1", port))
        local ok, err = sock:sslhandshake(false, name or "test.example", true)
        ngx.say(tostring(ok), " ", (tostring(err):gsub("self signed", "self-signed")))
        if not ok then
            assert(select(2, sock:send("x")) == "closed")
        end
    end
    try($TEST_HTTPS_PORT)
    try($TEST_HTTPS_ECDSA_PORT)
    try($TEST_HTTPS_EXPIRED_PORT)
    try($TEST_HTTPS_FUTURE_PORT)
    try($TEST_HTTPS_WRONG_PORT)
    try($TEST_HTTPS_SELF_SIGNED_PORT)
    try($TEST_HTTPS_CHAIN_PORT)
    try($TEST_HTTPS_NO_CHAIN_PORT)
    try($TEST_HTTPS_REVOKED_PORT)
    try($TEST_HTTPS_WILDCARD_PORT)
    ngx.say("")
    for _, name in ipairs({
        "localhost", "127.0.0.1", "::1", "127.0.0.2", "TEST.example", "test.example.",
        "x.test.example", "example",
    }) do
        try($TEST_HTTPS_PORT, name)
    end
    ngx.say("")
    for _, name in ipairs({
        "a.wild.example", "B.WILD.example", "wild.example", "a.b.wild.example",
    }) do
        try($TEST_HTTPS_WILDCARD_PORT, name)
    end
}
--- response
true nil
true nil
nil 10: certificate has expired
nil 9: certificate is not yet valid
nil certificate host mismatch
nil 18: self-signed certificate
true nil
nil 20: unable to get local issuer certificate
true nil
nil certificate host mismatch

true nil
true nil
true nil
nil certificate host mismatch
true nil
true nil
nil certificate host mismatch
nil certificate host mismatch

true nil
true nil
nil certificate host mismatch
nil certificate host mismatch
--- error_log
lua ssl certificate verify error: (10: certificate has expired)
lua ssl certificate does not match host "test.example"


=== verify: each certificate is as good as another where nobody asks
--- peers: https
--- tcp_server_config
process_by_lua_block {
    for _, port in ipairs({
        $TEST_HTTPS_EXPIRED_PORT, $TEST_HTTPS_WRONG_PORT,
        $TEST_HTTPS_SELF_SIGNED_PORT, $TEST_HTTPS_NO_CHAIN_PORT,
    }) do
        for _, verify in ipairs({ 1, false }) do
            local sock = ngx.socket.tcp()
            assert(sock:connect("127.0.0.1", port))
            ngx.say(sock:sslhandshake(false, "test.example", verify and nil))
        end
    end
}
--- response
true
true
true
true
true
true
true
true
--- no_error_log
[error]


=== verify: without a name the certificate may be anybody's
--- peers: https
--- tcp_server_config
lua_ssl_trusted_certificate $TEST_CERT_DIR/ca.pem;
process_by_lua_block {
    for _, port in ipairs({ $TEST_HTTPS_WRONG_PORT, $TEST_HTTPS_EXPIRED_PORT }) do
        local sock = ngx.socket.tcp()
        assert(sock:connect("127.0.0.1", port))
        ngx.say(sock:sslhandshake(false, nil, true))
    end
}
--- response
true
nil10: certificate has expired
--- error_log
lua ssl certificate verify error: (10:


=== verify: without lua_ssl_trusted_certificate by the system's store
--- peers: https
--- tcp_server_config
process_by_lua_block {
    for _ = 1, 2 do
        local sock = ngx.socket.tcp()
        assert(sock:connect("127.0.0.1", $TEST_HTTPS_PORT))
        ngx.say(sock:sslhandshake(false, "test.example", true))
    end
}
--- response
nil20: unable to get local issuer certificate
nil20: unable to get local issuer certificate
--- error_log
lua ssl certificate verify error: (20:


=== verify: a session does not make a bad certificate good
--- peers: https
--- tcp_server_config
lua_ssl_trusted_certificate $TEST_CERT_DIR/ca.pem;
process_by_lua_block {
    local function ask(port, session, name, verify)
        local sock = ngx.socket.tcp()
        assert(sock:connect("127.0.0.1", port))
        local session, err = sock:sslhandshake(session, name, verify)
        ngx.say(type(session), " ", err)
        if session then
            sock:send("GET /hello HTTP/1.0\r\n\r\n")
            assert(sock:receive("*a"))
        end
        return session
    end
    local port = $TEST_HTTPS_EXPIRED_PORT
    ask(port, ask(port, nil, "test.example", false), "test.example", true)
    port = $TEST_HTTPS_WRONG_PORT
    ask(port, ask(port, nil, "test.example", false), "test.example", true)
    port = $TEST_HTTPS_PORT
    ask(port, ask(port, nil, "test.example", false), "test.example", true)
}
--- response
userdata nil
nil 10: certificate has expired
userdata nil
nil certificate host mismatch
userdata nil
userdata nil
--- error_log
lua ssl certificate verify error: (10:


=== lua_ssl_verify_depth: how many authorities there may be between
--- peers: https
--- tcp_server_config
lua_ssl_trusted_certificate $TEST_CERT_DIR/ca.pem;
lua_ssl_verify_depth 0;
process_by_lua_block {
    local sock = ngx.socket.tcp()
    assert(sock:connect("127.0.0.1", $TEST_HTTPS_CHAIN_PORT))
    local ok, err = sock:sslhandshake(false, "test.example", true)
    ngx.say(ok, " ", err:match("^%d+: "))
    assert(sock:connect("127.0.0.1", $TEST_HTTPS_PORT))
    ngx.say(sock:sslhandshake(false, "test.example", true))
}
--- response_like eval
qr/\Anil (?:20|22): \ntrue\n\z/
--- error_log
lua ssl certificate verify error:


=== lua_ssl_crl: revoked certificates
--- peers: https
--- tcp_server_config
lua_ssl_trusted_certificate $TEST_CERT_DIR/ca.pem;
lua_ssl_crl $TEST_CERT_DIR/all-crl.pem;
process_by_lua_block {
    for _, port in ipairs({ $TEST_HTTPS_PORT, $TEST_HTTPS_REVOKED_PORT }) do
        local sock = ngx.socket.tcp()
        assert(sock:connect("127.0.0.1", port))
        ngx.say(sock:sslhandshake(false, "test.example", true))
    end
}
--- response
true
nil23: certificate revoked
--- error_log
lua ssl certificate verify error: (23: certificate revoked)


=== name: the server gets it, but no address
--- peers: https
--- tcp_server_config
process_by_lua_block {
    for _, name in ipairs({ "", "other.example", "a.wild.example.", "127.0.0.1", "::1" }) do
        local sock = ngx.socket.tcp()
        assert(sock:connect("127.0.0.1", $TEST_HTTPS_SNI_PORT))
        assert(sock:sslhandshake(nil, name ~= "" and name or nil))
        sock:send("GET /tls HTTP/1.0\r\n\r\n")
        ngx.say(sock:receive("*a"):match("TLSv1.%d . ([^ ]*) [^\n]*\n$"))
    end
}
--- response
-
other.example
a.wild.example
-
-
--- no_error_log
[error]


=== name: the server refuses it
--- peers: https
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    assert(sock:connect("127.0.0.1", $TEST_HTTPS_SNI_PORT))
    ngx.say(sock:sslhandshake(nil, "refuse.example"))
}
--- response
nilhandshake failed
--- error_log
SSL_do_handshake() failed (SSL: error:


=== lua_ssl_certificate, lua_ssl_certificate_key: shown to servers that ask
--- peers: https
--- tcp_config
lua_ssl_certificate $TEST_CERT_DIR/client.pem;
lua_ssl_certificate_key $TEST_CERT_DIR/client.key;
--- tcp_server_config
process_by_lua_block {
    for _, port in ipairs({ $TEST_HTTPS_CLIENT_PORT, $TEST_HTTPS_CLIENT_OPTIONAL_PORT }) do
        local sock = ngx.socket.tcp()
        assert(sock:connect("127.0.0.1", port))
        assert(sock:sslhandshake(nil, "test.example"))
        sock:send("GET /tls HTTP/1.0\r\n\r\n")
        ngx.say(sock:receive("*a"):match("TLSv1.%d . [^ ]* ([^\n]*)\n$"))
    end
}
--- response
SUCCESS
SUCCESS
--- no_error_log
[error]


=== setclientcert: PEM texts, for one socket
--- peers: https
--- tcp_server_config
process_by_lua_block {
    local function read(name)
        local file = assert(io.open("$TEST_CERT_DIR/" .. name))
        local text = file:read("*a")
        file:close()
        return text
    end
    local sock = ngx.socket.tcp()
    local function ask()
        assert(sock:connect("127.0.0.1", $TEST_HTTPS_CLIENT_OPTIONAL_PORT))
        assert(sock:sslhandshake(nil, "test.example"))
        sock:send("GET /tls HTTP/1.0\r\n\r\n")
        ngx.say(sock:receive("*a"):match("TLSv1.%d . [^ ]* ([^\n]*)\n$"))
    end
    ask()
    ngx.say(sock:setclientcert(read("client.pem"), read("client.key")))
    ask()
    ngx.say(sock:setclientcert(read("client-ec.pem"), read("client-ec.key")))
    ask()
    ngx.say(sock:setclientcert(nil, nil))
    ask()
}
--- response
NONE
true
SUCCESS
true
SUCCESS
true
NONE
--- no_error_log
[error]


=== setclientcert: what is none
--- tcp_server_config
process_by_lua_block {
    local function read(name)
        local file = assert(io.open("$TEST_CERT_DIR/" .. name))
        local text = file:read("*a")
        file:close()
        return text
    end
    local sock = ngx.socket.tcp()
    ngx.say(sock:setclientcert("x", "y"))
    ngx.say(sock:setclientcert(read("client.pem"), "y"))
    ngx.say(sock:setclientcert(read("client.pem"), read("client-ec.key")))
    ngx.say(sock:setclientcert("", ""))
}
--- response_like eval
qr/\AnilPEM_read_bio_X509\(\) failed \(SSL: error:.*no start line.*\)
nilPEM_read_bio_PrivateKey\(\) failed.*
nilX509_check_private_key\(\) failed \(SSL: error:.*\)
nilPEM_read_bio_X509\(\) failed.*
\z/
--- no_error_log
[error]


=== lua_ssl_protocols: versions that the server has not
--- peers: https
--- tcp_server_config
lua_ssl_protocols TLSv1.2;
process_by_lua_block {
    for _, port in ipairs({ $TEST_HTTPS_PORT, $TEST_HTTPS_TLS13_PORT }) do
        local sock = ngx.socket.tcp()
        assert(sock:connect("127.0.0.1", port))
        ngx.say(sock:sslhandshake(false))
    end
}
--- response
true
nilhandshake failed
--- error_log
SSL_do_handshake() failed (SSL: error:


=== lua_ssl_ciphers, lua_ssl_conf_command: what is used then
--- peers: https
--- tcp_server_config
lua_ssl_protocols TLSv1.2 TLSv1.3;
lua_ssl_ciphers ECDHE-RSA-AES256-GCM-SHA384;
lua_ssl_conf_command MaxProtocol TLSv1.2;
process_by_lua_block {
    local sock = ngx.socket.tcp()
    for _, port in ipairs({
        $TEST_HTTPS_PORT, $TEST_HTTPS_TLS13_PORT, $TEST_HTTPS_ECDSA_PORT,
    }) do
        assert(sock:connect("127.0.0.1", port))
        ngx.say(sock:sslhandshake(false))
    end
}
--- response
true
nilhandshake failed
nilhandshake failed
--- error_log
SSL_do_handshake() failed (SSL: error:


=== inheritance: servers that say something have all the rest from above
--- peers: https
--- tcp_config
lua_ssl_trusted_certificate $TEST_CERT_DIR/ca.pem;
lua_ssl_crl $TEST_CERT_DIR/all-crl.pem;
init_by_lua_block {
    function ask(port)
        local sock = ngx.socket.tcp()
        assert(sock:connect("127.0.0.1", port))
        ngx.say(sock:sslhandshake(false, "test.example", true))
    end
}
--- tcp_server_config
process_by_lua_block { ask($TEST_HTTPS_REVOKED_PORT) }
--- tcp_server_config2
lua_ssl_verify_depth 3;
process_by_lua_block { ask($TEST_HTTPS_REVOKED_PORT) }
--- tcp_server_config3
lua_ssl_crl "";
process_by_lua_block { ask($TEST_HTTPS_REVOKED_PORT) }
--- request_parts
read_all
B: connect 127.0.0.1:$TEST_PORT2
B: expect "nil23: certificate revoked\n"
B: expect_eof
C: connect 127.0.0.1:$TEST_PORT3
C: expect "true\n"
C: expect_eof
--- error_log
lua ssl certificate verify error: (23:


=== send_status_req: nothing is wrong with it
--- peers: https
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    assert(sock:connect("127.0.0.1", $TEST_HTTPS_PORT))
    ngx.say(sock:sslhandshake(false, "test.example", false, true))
}
--- response
true
--- no_error_log
[error]


=== in a timer: the directives of tcp
--- peers: https
--- tcp_config
lua_ssl_trusted_certificate $TEST_CERT_DIR/ca.pem;
--- tcp_server_config
process_by_lua_block {
    local sema = require("ngx.semaphore").new()
    local ok, err
    ngx.timer.at(0, function()
        local sock = ngx.socket.tcp()
        assert(sock:connect("127.0.0.1", $TEST_HTTPS_PORT))
        ok, err = sock:sslhandshake(false, "test.example", true)
        sema:post()
    end)
    sema:wait(10)
    ngx.say(ok, " ", err)
}
--- response
true nil
--- no_error_log
[error]


=== new_ssl_ctx: a handshake as the original's
--- peers: https
--- tcp_config
init_by_lua_block {
    trusting = ngx.new_ssl_ctx({})
    strict = ngx.new_ssl_ctx({
        ssl_protocols = { "tlsv1.2", "TLSv1.3" },
        ssl_ciphers = "DEFAULT",
        ssl_verify_depth = 2,
        ssl_trusted_certificate = "$TEST_CERT_DIR/ca.pem",
        ssl_crl = "$TEST_CERT_DIR/all-crl.pem",
    })
}
--- tcp_server_config
process_by_lua_block {
    local function try(port, ...)
        local sock = ngx.socket.tcp()
        assert(sock:connect("127.0.0.1", port))
        local function show(...) ngx.say(select("#", ...), " ", ...) end
        show(sock:sslhandshake(...))
        if sock:getreusedtimes() then
            show(sock:sslhandshake(...))
        end
    end
    try($TEST_HTTPS_SELF_SIGNED_PORT, trusting)
    try($TEST_HTTPS_SELF_SIGNED_PORT, strict, false)
    try($TEST_HTTPS_EXPIRED_PORT, strict, true)
    try($TEST_HTTPS_REVOKED_PORT, strict, true)
    try($TEST_HTTPS_WRONG_PORT, strict, true)
    local sock = ngx.socket.tcp()
    ngx.say(pcall(sock.sslhandshake, sock, strict, true, 1))
    ngx.say(sock:sslhandshake(strict))
}
--- response_like eval
qr/\A1 1\n1 1\n1 1\n1 1\n2 nil10: certificate has expired\n2 nil23: certificate revoked\n1 1\n1 1
false.*expecting 2 or 3 arguments \(including the object\), but got 4\nnilclosed\n\z/
--- error_log
lua ssl certificate verify error: (10:


=== new_ssl_ctx: only in init
--- tcp_server_config
process_by_lua_block {
    ngx.say(select(2, pcall(function() ngx.new_ssl_ctx({}) end)))
}
--- response_like: only use in init_by_lua$
--- no_error_log
[error]


=== new_ssl_ctx: wrong arguments
--- tcp_config
init_by_lua_block {
    local errors = {}
    local function try(...)
        local arguments, n = { ... }, select("#", ...)
        local ok, err = pcall(function()
            ngx.new_ssl_ctx(unpack(arguments, 1, n))
        end)
        errors[#errors + 1] = err:gsub("^.-:%d+: ", "")
    end
    try()
    try({}, 1)
    try("x")
    try({ ssl_protocols = "TLSv1" })
    try({ ssl_protocols = {} })
    try({ ssl_protocols = { 1 } })
    try({ ssl_protocols = { "TLSv1", x = 1 } })
    try({ ssl_ciphers = 1 })
    try({ ssl_verify_depth = "x" })
    try({ ssl_trusted_certificate = 1 })
    try({ ssl_crl = {} })
    result = table.concat(errors, "\n")
}
--- tcp_server_config
process_by_lua_block { ngx.say(result) }
--- response
expecting 1 arguments, but got 0
expecting 1 arguments, but got 2
bad argument, table expected
key ssl_protocols must be array, such as {"TLSv1", "TLSv1.1","TLSv1.2"}
key ssl_protocols must be array, such as {"TLSv1", "TLSv1.1","TLSv1.2"}
key ssl_protocols must be array, such as {"TLSv1", "TLSv1.1","TLSv1.2"}
key ssl_protocols must be array, such as {"TLSv1", "TLSv1.1","TLSv1.2"}
key ssl_ciphers must string
key ssl_verify_depth must number
key ssl_trusted_certificate must string
key ssl_crl must string
--- no_error_log
[error]


=== new_ssl_ctx: an unknown protocol
--- tcp_config
init_by_lua_block { ngx.new_ssl_ctx({ ssl_protocols = { "TLSv2" } }) }
--- tcp_server_config
process_by_lua_block { }
--- conf_error
invalid value "TLSv2" in ssl_protocols
key ssl_protocols error


=== new_ssl_ctx: a file that is not there
--- tcp_config
init_by_lua_block { ngx.new_ssl_ctx({ ssl_trusted_certificate = "none.pem" }) }
--- tcp_server_config
process_by_lua_block { }
--- conf_error
SSL_CTX_load_verify_locations("$TEST_DIR/conf/none.pem") failed (SSL: error:
ngx_tcp_lua_set_ssl failed


=== lua_ssl_protocols: an unknown one
--- tcp_server_config
lua_ssl_protocols TLSv1.2 TLSv2;
process_by_lua_block { }
--- conf_error
invalid value "TLSv2" in $TEST_DIR/conf/nginx.conf:


=== lua_ssl_protocols: one twice
--- tcp_server_config
lua_ssl_protocols TLSv1.2 TLSv1.2;
process_by_lua_block { }
--- conf_ok
duplicate value "TLSv1.2" in $TEST_DIR/conf/nginx.conf:


=== lua_ssl_protocols: twice
--- tcp_server_config
lua_ssl_protocols TLSv1.2;
lua_ssl_protocols TLSv1.3;
process_by_lua_block { }
--- conf_error
"lua_ssl_protocols" directive is duplicate in $TEST_DIR/conf/nginx.conf:


=== lua_ssl_ciphers: none that is known
--- tcp_server_config
lua_ssl_ciphers nonsense;
process_by_lua_block { }
--- conf_error
SSL_CTX_set_cipher_list("nonsense") failed (SSL: error:


=== lua_ssl_ciphers: twice
--- tcp_server_config
lua_ssl_ciphers DEFAULT;
lua_ssl_ciphers DEFAULT;
process_by_lua_block { }
--- conf_error
"lua_ssl_ciphers" directive is duplicate


=== lua_ssl_verify_depth: no number
--- tcp_server_config
lua_ssl_verify_depth x;
process_by_lua_block { }
--- conf_error
"lua_ssl_verify_depth" directive invalid number


=== lua_ssl_verify_depth: twice
--- tcp_server_config
lua_ssl_verify_depth 1;
lua_ssl_verify_depth 1;
process_by_lua_block { }
--- conf_error
"lua_ssl_verify_depth" directive is duplicate


=== lua_ssl_trusted_certificate: a file that is not there
--- tcp_server_config
lua_ssl_trusted_certificate none.pem;
process_by_lua_block { }
--- conf_error
SSL_CTX_load_verify_locations("$TEST_DIR/conf/none.pem") failed (SSL: error:


=== lua_ssl_trusted_certificate: twice
--- tcp_server_config
lua_ssl_trusted_certificate $TEST_CERT_DIR/ca.pem;
lua_ssl_trusted_certificate $TEST_CERT_DIR/ca.pem;
process_by_lua_block { }
--- conf_error
"lua_ssl_trusted_certificate" directive is duplicate


=== lua_ssl_crl: a file that is none
--- tcp_server_config
lua_ssl_crl $TEST_CERT_DIR/ca.pem;
process_by_lua_block { }
--- conf_error
X509_load_crl_file("$TEST_CERT_DIR/ca.pem") failed (SSL: error:


=== lua_ssl_crl: twice
--- tcp_server_config
lua_ssl_crl $TEST_CERT_DIR/crl.pem;
lua_ssl_crl $TEST_CERT_DIR/crl.pem;
process_by_lua_block { }
--- conf_error
"lua_ssl_crl" directive is duplicate


=== lua_ssl_certificate: without its key
--- tcp_server_config
lua_ssl_certificate $TEST_CERT_DIR/client.pem;
process_by_lua_block { }
--- conf_error
no "lua_ssl_certificate_key" is defined for certificate "$TEST_CERT_DIR/client.pem" in $TEST_DIR/conf/nginx.conf:


=== lua_ssl_certificate: a file that is not there
--- tcp_server_config
lua_ssl_certificate none.pem;
lua_ssl_certificate_key $TEST_CERT_DIR/client.key;
process_by_lua_block { }
--- conf_error
cannot load certificate "$TEST_DIR/conf/none.pem": SSL_CTX_use_certificate_chain_file() failed (SSL: error:


=== lua_ssl_certificate: twice
--- tcp_server_config
lua_ssl_certificate $TEST_CERT_DIR/client.pem;
lua_ssl_certificate $TEST_CERT_DIR/client.pem;
process_by_lua_block { }
--- conf_error
"lua_ssl_certificate" directive is duplicate


=== lua_ssl_certificate_key: of another certificate
--- tcp_server_config
lua_ssl_certificate $TEST_CERT_DIR/client.pem;
lua_ssl_certificate_key $TEST_CERT_DIR/good.key;
process_by_lua_block { }
--- conf_error
cannot load certificate key "$TEST_CERT_DIR/good.key": SSL_CTX_use_PrivateKey_file() failed (SSL: error:


=== lua_ssl_certificate_key: twice
--- tcp_server_config
lua_ssl_certificate_key $TEST_CERT_DIR/client.key;
lua_ssl_certificate_key $TEST_CERT_DIR/client.key;
process_by_lua_block { }
--- conf_error
"lua_ssl_certificate_key" directive is duplicate


=== lua_ssl_conf_command: one that OpenSSL does not know
--- tcp_server_config
lua_ssl_conf_command Nonsense x;
process_by_lua_block { }
--- conf_error
SSL_CONF_cmd("Nonsense", "x") failed (SSL: error:


=== lua_ssl_conf_command: takes two arguments
--- tcp_server_config
lua_ssl_conf_command Options;
process_by_lua_block { }
--- conf_error
invalid number of arguments in "lua_ssl_conf_command" directive
