# The configuration of TLS of clients: what is refused, and how; and all of it together.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== listen ... ssl: no certificate
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT;
listen 127.0.0.1:$TEST_PORT2 ssl;
process_by_lua_block { ngx.say(1) }
--- conf_error
~ \[emerg\] no "ssl_certificate" is defined for the "listen \.\.\. ssl" directive in .*/nginx\.conf:\d+$


=== listen ... ssl: no key
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
process_by_lua_block { ngx.say(1) }
--- conf_error
~ \[emerg\] no "ssl_certificate_key" is defined for the "listen \.\.\. ssl" directive in .*/nginx\.conf:\d+$


=== ssl: no certificate
--- tcp_server_config
ssl on;
process_by_lua_block { ngx.say(1) }
--- conf_error
~ \[emerg\] no "ssl_certificate" is defined for the "ssl" directive in .*/nginx\.conf:\d+$


=== ssl: no key
--- tcp_server_config
ssl on;
ssl_certificate $TEST_CERT_DIR/good.pem;
process_by_lua_block { ngx.say(1) }
--- conf_error
~ \[emerg\] no "ssl_certificate_key" is defined for the "ssl" directive in .*/nginx\.conf:\d+$


=== ssl_certificate_key: fewer than certificates
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
ssl_certificate $TEST_CERT_DIR/ecdsa.pem;
process_by_lua_block { ngx.say(1) }
--- conf_error
~ \[emerg\] no "ssl_certificate_key" is defined for certificate "\S+/ecdsa\.pem" in .*/nginx\.conf:\d+$


=== ssl_certificate: without key, where nobody speaks TLS
--- tcp_server_config
ssl_certificate $TEST_CERT_DIR/good.pem;
process_by_lua_block { ngx.say(1) }
--- conf_error
~ \[emerg\] no "ssl_certificate_key" is defined for certificate "\S+/good\.pem" in


=== ssl: neither on nor off
--- tcp_server_config
ssl yes;
process_by_lua_block { ngx.say(1) }
--- conf_error
invalid value "yes" in "ssl" directive, it must be "on" or "off"


=== ssl: twice
--- tcp_server_config
ssl off;
ssl off;
process_by_lua_block { ngx.say(1) }
--- conf_error
"ssl" directive is duplicate


=== ssl_certificate: no such file
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate none.pem;
ssl_certificate_key none.key;
process_by_lua_block { ngx.say(1) }
--- conf_error
~ cannot load certificate "/.*/conf/none\.pem": BIO_new_file\(\) failed \(SSL: error:.*No such file.*\) in .*/nginx\.conf:\d+$


=== ssl_certificate: no certificate in it
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate bad.pem;
ssl_certificate_key bad.pem;
process_by_lua_block { ngx.say(1) }
--- user_files
>>> conf/bad.pem
hello
--- conf_error
~ cannot load certificate "/.*/bad\.pem": PEM_read_bio_X509_AUX\(\) failed \(SSL: error:.*no start line


=== ssl_certificate_key: no such file
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key none.key;
process_by_lua_block { ngx.say(1) }
--- conf_error
~ cannot load certificate key "/.*/none\.key": BIO_new_file\(\) failed


=== ssl_certificate_key: another certificate's
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/client.key;
process_by_lua_block { ngx.say(1) }
--- conf_error
~ SSL_CTX_use_PrivateKey\("/.*/client\.key"\) failed \(SSL: error:.*key values mismatch\)


=== ssl_certificate_key: of another kind
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/ecdsa.key;
process_by_lua_block { ngx.say(1) }
--- conf_error
~ SSL_CTX_use_PrivateKey\("/.*/ecdsa\.key"\) failed \(SSL: error:.*key type mismatch\)


=== ssl_certificate_key: a password, and no file of them
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good-secret.key;
process_by_lua_block { ngx.say(1) }
--- conf_error
~ cannot load certificate key "/.*/good-secret\.key": PEM_read_bio_PrivateKey\(\) failed


=== ssl_password_file: none that fits
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good-secret.key;
ssl_password_file passwords;
process_by_lua_block { ngx.say(1) }
--- user_files
>>> conf/passwords
one
two
--- conf_error
~ cannot load certificate key "/.*/good-secret\.key": PEM_read_bio_PrivateKey\(\) failed


=== ssl_password_file: no such file
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
ssl_password_file none;
process_by_lua_block { ngx.say(1) }
--- conf_error
~ open\(\) "/.*/conf/none" failed \(2: no such file or directory\) in


=== ssl_password_file: twice
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
ssl_password_file p;
ssl_password_file p;
process_by_lua_block { ngx.say(1) }
--- user_files
>>> conf/p
one
--- conf_error
"ssl_password_file" directive is duplicate


=== ssl_dhparam: no such file
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
ssl_dhparam none.pem;
process_by_lua_block { ngx.say(1) }
--- conf_error
~ BIO_new_file\("/.*/none\.pem"\) failed \(SSL: error:


=== ssl_dhparam: something else
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
ssl_dhparam $TEST_CERT_DIR/good.pem;
process_by_lua_block { ngx.say(1) }
--- conf_error
~ PEM_read_bio_DHparams\("/.*/good\.pem"\) failed \(SSL: error:


=== ssl_ecdh_curve: unknown
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
ssl_ecdh_curve round;
process_by_lua_block { ngx.say(1) }
--- conf_error
~ SSL_CTX_set1_curves_list\("round"\) failed


=== ssl_ecdh_curve: twice
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
ssl_ecdh_curve auto;
ssl_ecdh_curve auto;
process_by_lua_block { ngx.say(1) }
--- conf_error
"ssl_ecdh_curve" directive is duplicate


=== ssl_protocols: unknown
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
ssl_protocols TLSv2;
process_by_lua_block { ngx.say(1) }
--- conf_error
invalid value "TLSv2"


=== ssl_ciphers: none of them is known
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
ssl_ciphers foo;
process_by_lua_block { ngx.say(1) }
--- conf_error
~ SSL_CTX_set_cipher_list\("foo"\) failed \(SSL: error:.*no cipher match\)


=== ssl_prefer_server_ciphers: neither on nor off
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
ssl_prefer_server_ciphers 1;
process_by_lua_block { ngx.say(1) }
--- conf_error
invalid value "1" in "ssl_prefer_server_ciphers" directive, it must be "on" or "off"


=== ssl_verify_client: nobody is trusted
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
ssl_verify_client on;
process_by_lua_block { ngx.say(1) }
--- conf_error
no ssl_client_certificate for ssl_client_verify


=== ssl_verify_client: unknown
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
ssl_verify_client maybe;
process_by_lua_block { ngx.say(1) }
--- conf_error
invalid value "maybe"


=== ssl_verify_client: twice
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
ssl_verify_client off;
ssl_verify_client off;
process_by_lua_block { ngx.say(1) }
--- conf_error
"ssl_verify_client" directive is duplicate


=== ssl_verify_depth: no number
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
ssl_verify_depth deep;
process_by_lua_block { ngx.say(1) }
--- conf_error
"ssl_verify_depth" directive invalid number


=== ssl_client_certificate: no such file
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
ssl_client_certificate none.pem;
process_by_lua_block { ngx.say(1) }
--- conf_error
~ SSL_CTX_load_verify_locations\("/.*/conf/none\.pem"\) failed \(SSL: error:


=== ssl_trusted_certificate: no such file
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
ssl_trusted_certificate none.pem;
process_by_lua_block { ngx.say(1) }
--- conf_error
~ SSL_CTX_load_verify_locations\("/.*/conf/none\.pem"\) failed \(SSL: error:


=== ssl_crl: no such file
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
ssl_crl none.pem;
process_by_lua_block { ngx.say(1) }
--- conf_error
~ X509_load_crl_file\("/.*/conf/none\.pem"\) failed \(SSL: error:


=== ssl_session_cache: invalid, on
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
ssl_session_cache on;
process_by_lua_block { ngx.say(1) }
--- conf_error
invalid session cache "on"


=== ssl_session_cache: invalid, builtin:0
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
ssl_session_cache builtin:0;
process_by_lua_block { ngx.say(1) }
--- conf_error
invalid session cache "builtin:0"


=== ssl_session_cache: invalid, builtin:x
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
ssl_session_cache builtin:x;
process_by_lua_block { ngx.say(1) }
--- conf_error
invalid session cache "builtin:x"


=== ssl_session_cache: invalid, shared:a
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
ssl_session_cache shared:a;
process_by_lua_block { ngx.say(1) }
--- conf_error
invalid session cache "shared:a"


=== ssl_session_cache: invalid, shared::1m
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
ssl_session_cache shared::1m;
process_by_lua_block { ngx.say(1) }
--- conf_error
invalid session cache "shared::1m"


=== ssl_session_cache: invalid, shared:a:x
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
ssl_session_cache shared:a:x;
process_by_lua_block { ngx.say(1) }
--- conf_error
invalid session cache "shared:a:x"


=== ssl_session_cache: invalid, shared:a:1m:2
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
ssl_session_cache shared:a:1m:2;
process_by_lua_block { ngx.say(1) }
--- conf_error
invalid session cache "shared:a:1m:2"


=== ssl_session_cache: too small
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
ssl_session_cache shared:mine:31k;
process_by_lua_block { ngx.say(1) }
--- conf_error
session cache "mine" is too small


=== ssl_session_cache: three arguments
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
ssl_session_cache builtin none off;
process_by_lua_block { ngx.say(1) }
--- conf_error
invalid number of arguments in "ssl_session_cache" directive


=== ssl_session_cache: two sizes
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
ssl_session_cache shared:mine:1m shared:mine:2m;
process_by_lua_block { ngx.say(1) }
--- conf_error
~ the size 2097152 of shared memory zone "mine" conflicts with already declared size 1048576


=== ssl_session_timeout: no time
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
ssl_session_timeout long;
process_by_lua_block { ngx.say(1) }
--- conf_error
"ssl_session_timeout" directive invalid value


=== ssl_session_tickets: neither on nor off
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
ssl_session_tickets no;
process_by_lua_block { ngx.say(1) }
--- conf_error
invalid value "no" in "ssl_session_tickets" directive, it must be "on" or "off"


=== ssl_session_ticket_key: of another length
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
ssl_session_ticket_key short;
process_by_lua_block { ngx.say(1) }
--- user_files
>>> conf/short
123
--- conf_error
~ "/.*/conf/short" must be 48 or 80 bytes


=== ssl_session_ticket_key: no such file
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
ssl_session_ticket_key none;
process_by_lua_block { ngx.say(1) }
--- conf_error
~ open\(\) "/.*/conf/none" failed \(2: no such file or directory\)


=== ssl_handshake_timeout: no time
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
ssl_handshake_timeout long;
process_by_lua_block { ngx.say(1) }
--- conf_error
"ssl_handshake_timeout" directive invalid value


=== ssl_alpn: a name that is too long
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
ssl_alpn xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx;
process_by_lua_block { ngx.say(1) }
--- conf_error
protocol too long


=== ssl_alpn: twice
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
ssl_alpn a;
ssl_alpn b;
process_by_lua_block { ngx.say(1) }
--- conf_error
"ssl_alpn" directive is duplicate


=== ssl_buffer_size: too small
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
ssl_buffer_size 511;
process_by_lua_block { ngx.say(1) }
--- conf_error
"ssl_buffer_size" directive invalid value


=== ssl_conf_command: unknown
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
ssl_conf_command Foo bar;
process_by_lua_block { ngx.say(1) }
--- conf_error
~ SSL_CONF_cmd\("Foo", "bar"\) failed


=== all of them, in tcp and in a server; old names of versions
--- tcp_config
ssl off;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good-secret.key;
ssl_password_file passwords;
ssl_dhparam dh.pem;
ssl_ecdh_curve prime256v1:X25519;
ssl_protocols SSLv2 SSLv3 TLSv1 TLSv1.1 TLSv1.2 TLSv1.3;
ssl_ciphers HIGH:!aNULL;
ssl_prefer_server_ciphers on;
ssl_verify_client optional;
ssl_verify_depth 2;
ssl_client_certificate $TEST_CERT_DIR/ca.pem;
ssl_trusted_certificate $TEST_CERT_DIR/ca.pem;
ssl_crl $TEST_CERT_DIR/crl.pem;
ssl_session_cache builtin:1000 shared:ssl:1m;
ssl_session_timeout 10m;
ssl_session_tickets on;
ssl_session_ticket_key one.key;
ssl_session_ticket_key two.key;
ssl_handshake_timeout 10s;
ssl_alpn one two;
ssl_buffer_size 4k;
ssl_conf_command Options PrioritizeChaCha;
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
process_by_lua_block { ngx.say("one") }
--- tcp_server_config2
listen 127.0.0.1:$TEST_PORT2;
ssl on;
ssl_certificate $TEST_CERT_DIR/ecdsa.pem;
ssl_certificate_key $TEST_CERT_DIR/ecdsa.key;
ssl_session_cache shared:ssl:1m;
ssl_verify_client off;
process_by_lua_block { ngx.say("two") }
--- tcp_server_config3
listen 127.0.0.1:$TEST_PORT3;
ssl_session_cache off;
process_by_lua_block { ngx.say("three") }
--- user_files
>>> conf/passwords
wrong

sesame
>>> conf/one.key
0123456789012345678901234567890123456789012345678901234567890123456789012345678
>>> conf/two.key
01234567890123456789012345678901234567890123456
>>> conf/dh.pem
-----BEGIN DH PARAMETERS-----
MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==
-----END DH PARAMETERS-----
--- request_parts
A: start_tls TLSv1.3
A: expect "one\n"
A: expect_eof
B: connect $TEST_PORT2
B: start_tls
B: expect "two\n"
B: expect_eof
C: connect $TEST_PORT3
C: expect "three\n"
C: expect_eof
D: start_tls TLSv1.2 ciphers=DHE-RSA-AES256-GCM-SHA384
D: expect "one\n"
--- no_error_log
[error]


=== ssl: off, and what it does not use is read all the same
--- tcp_server_config
ssl off;
ssl_certificate none.pem;
ssl_certificate_key none.key;
process_by_lua_block { ngx.say(1) }
--- conf_error
~ cannot load certificate "/.*/none\.pem"


=== ssl_protocols: a duplicate value is warned of
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
ssl_protocols TLSv1.2 TLSv1.2;
process_by_lua_block { ngx.say(1) }
--- conf_ok
duplicate value "TLSv1.2"


=== nginx's own ssl in the same configuration
--- skip_if: my $nginx = $ENV{TEST_NGINX_BINARY} || "nginx"; `$nginx -V 2>&1` =~ /with-http_ssl_module/ ? "" : "nginx has no http_ssl_module"
--- http_config
http {
    access_log off;
    server {
        listen 127.0.0.1:$TEST_PORT2 ssl;
        ssl_certificate $TEST_CERT_DIR/ecdsa.pem;
        ssl_certificate_key $TEST_CERT_DIR/ecdsa.key;
        ssl_session_cache shared:http:1m;
        location / { return 200 "http"; }
    }
}
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
ssl_session_cache shared:tcp:1m;
process_by_lua_block { ngx.say("tcp") }
--- request_parts
A: start_tls
A: expect "tcp\n"
A: expect_eof
B: connect $TEST_PORT2
B: start_tls
B: send "GET / HTTP/1.0\r\n\r\n"
B: expect_like /\r\n\r\nhttp/
B: expect_eof
--- no_error_log
[error]


=== a shared cache of another module is refused
--- skip_if: my $nginx = $ENV{TEST_NGINX_BINARY} || "nginx"; `$nginx -V 2>&1` =~ /with-http_ssl_module/ ? "" : "nginx has no http_ssl_module"
--- http_config
http {
    ssl_session_cache shared:mine:1m;
    server { listen 127.0.0.1:$TEST_PORT2; }
}
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT ssl;
ssl_certificate $TEST_CERT_DIR/good.pem;
ssl_certificate_key $TEST_CERT_DIR/good.key;
ssl_session_cache shared:mine:1m;
process_by_lua_block { ngx.say("tcp") }
--- conf_error
the shared memory zone "mine" is already declared for a different use
