-- A client of TLS 1.3 that says again and again that it has new keys, as no
-- library does: by the OpenSSL that nginx has loaded, over buffers in memory.

local ffi = require "ffi"

ffi.cdef [[
void *TLS_client_method(void);
void *SSL_CTX_new(void *method);
void SSL_CTX_free(void *ctx);
void *SSL_new(void *ctx);
void SSL_free(void *ssl);
void SSL_set_bio(void *ssl, void *rbio, void *wbio);
void SSL_set_connect_state(void *ssl);
int SSL_do_handshake(void *ssl);
int SSL_key_update(void *ssl, int kind);
int SSL_write(void *ssl, const char *data, int len);
void *BIO_new(const void *method);
const void *BIO_s_mem(void);
int BIO_write(void *bio, const char *data, int len);
int BIO_read(void *bio, char *data, int len);
]]

local C = ffi.C
local new_keys = {}


-- What OpenSSL has written.
local function written(bio)
    local buffer, parts = ffi.new("char[?]", 65536), {}
    local n = C.BIO_read(bio, buffer, 65536)
    while n > 0 do
        parts[#parts + 1] = ffi.string(buffer, n)
        n = C.BIO_read(bio, buffer, 65536)
    end
    return table.concat(parts)
end


-- The server waits at this until all is sent.
local semaphore

function new_keys.sent()
    semaphore = semaphore or require("ngx.semaphore").new()
    return semaphore
end


-- Shakes hands over sock; then sends, in one piece, new keys so many times and
-- the line.
function new_keys.send(sock, times, line)
    local ctx = C.SSL_CTX_new(C.TLS_client_method())
    local ssl = C.SSL_new(ctx)
    C.SSL_CTX_free(ctx)
    ssl = ffi.gc(ssl, C.SSL_free)
    local input, output = C.BIO_new(C.BIO_s_mem()), C.BIO_new(C.BIO_s_mem())
    C.SSL_set_bio(ssl, input, output)
    C.SSL_set_connect_state(ssl)

    while C.SSL_do_handshake(ssl) ~= 1 do
        assert(sock:send(written(output)))
        local bytes = assert(sock:receiveany(65536))
        C.BIO_write(input, bytes, #bytes)
    end
    for _ = 1, times do
        assert(C.SSL_key_update(ssl, 0) == 1)
        assert(C.SSL_do_handshake(ssl) == 1)
    end
    assert(C.SSL_write(ssl, line, #line) == #line)
    return assert(sock:send(written(output)))
end


return new_keys
