-- What logging in to a database server needs of OpenSSL: SHA-256, SHA-512,
-- encryption with an RSA public key. nginx has loaded libcrypto if it was built
-- with TLS; otherwise it is looked for under its usual names.

local ffi = require "ffi"

local ipairs, pcall = ipairs, pcall
local C, new, ffi_string = ffi.C, ffi.new, ffi.string

ffi.cdef [[
unsigned char *SHA256(const unsigned char *d, size_t n, unsigned char *md);
unsigned char *SHA512(const unsigned char *d, size_t n, unsigned char *md);

void *BIO_new_mem_buf(const void *buf, int len);
int BIO_free(void *bio);
void *PEM_read_bio_PUBKEY(void *bio, void **key, void *callback, void *arg);
void EVP_PKEY_free(void *key);
void *EVP_PKEY_CTX_new(void *key, void *engine);
void EVP_PKEY_CTX_free(void *ctx);
int EVP_PKEY_encrypt_init(void *ctx);
int EVP_PKEY_CTX_ctrl(void *ctx, int keytype, int optype, int cmd, int p1,
    void *p2);
int EVP_PKEY_encrypt(void *ctx, unsigned char *out, size_t *outlen,
    const unsigned char *in, size_t inlen);
void ERR_clear_error(void);
]]

-- From OpenSSL's evp.h and rsa.h.
local EVP_PKEY_RSA = 6
local EVP_PKEY_CTRL_RSA_PADDING = 0x1001
local RSA_PKCS1_OAEP_PADDING = 4

local NAMES = { "libcrypto.so.3", "libcrypto.so.1.1", "crypto" }

-- The library; nil before it is looked for, false if it is not there.
local found


local function has_it(library)
    return library.SHA256 and library.BIO_new_mem_buf and true
end


local function look_for_it()
    if pcall(has_it, C) then
        return C
    end
    for _, name in ipairs(NAMES) do
        local ok, library = pcall(ffi.load, name)
        if ok and pcall(has_it, library) then
            return library
        end
    end
    return false
end


local crypto = {}

-- The namespace of libcrypto, or nil and why not.
function crypto.library()
    if found == nil then
        found = look_for_it()
    end
    if not found then
        return nil, "libcrypto is not there"
    end
    return found
end

function crypto.sha256(text)
    local library, err = crypto.library()
    if not library then
        return nil, err
    end
    local digest = new("unsigned char[32]")
    library.SHA256(text, #text, digest)
    return ffi_string(digest, 32)
end

function crypto.sha512(text)
    local library, err = crypto.library()
    if not library then
        return nil, err
    end
    local digest = new("unsigned char[64]")
    library.SHA512(text, #text, digest)
    return ffi_string(digest, 64)
end


local function encrypt(library, ctx, text)
    if library.EVP_PKEY_encrypt_init(ctx) <= 0
        or library.EVP_PKEY_CTX_ctrl(ctx, EVP_PKEY_RSA, -1,
            EVP_PKEY_CTRL_RSA_PADDING, RSA_PKCS1_OAEP_PADDING, nil) <= 0
    then
        return nil
    end
    local size = new("size_t[1]")
    if library.EVP_PKEY_encrypt(ctx, nil, size, text, #text) <= 0 then
        return nil
    end
    local out = new("unsigned char[?]", size[0])
    if library.EVP_PKEY_encrypt(ctx, out, size, text, #text) <= 0 then
        return nil
    end
    return ffi_string(out, size[0])
end


-- Encrypts for the owner of the public key `pem`, with OAEP.
function crypto.rsa_encrypt(pem, text)
    local library, err = crypto.library()
    if not library then
        return nil, err
    end
    local bio = library.BIO_new_mem_buf(pem, #pem)
    local key = bio ~= nil and library.PEM_read_bio_PUBKEY(bio, nil, nil, nil)
        or nil
    local ctx = key ~= nil and library.EVP_PKEY_CTX_new(key, nil) or nil
    local encrypted = ctx ~= nil and encrypt(library, ctx, text) or nil
    if ctx ~= nil then
        library.EVP_PKEY_CTX_free(ctx)
    end
    if key ~= nil then
        library.EVP_PKEY_free(key)
    end
    if bio ~= nil then
        library.BIO_free(bio)
    end
    -- nginx takes what is left in this queue for an error of its own.
    library.ERR_clear_error()
    if not encrypted then
        return nil, "the server's public key is of no use"
    end
    return encrypted
end

return crypto
