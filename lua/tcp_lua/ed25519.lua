-- MariaDB's client_ed25519: a signature of the server's challenge as in RFC
-- 8032, but with the password itself, of any length, in place of the 32 bytes
-- of a private key. OpenSSL signs only with those, so that the arithmetic on
-- the curve is done here, on OpenSSL's big numbers; it takes some 2 ms a login.

local ffi = require "ffi"
local bit = require "bit"
local crypto = require "tcp_lua.crypto"

local byte, char, reverse, sub = string.byte, string.char, string.reverse,
    string.sub
local band, bor = bit.band, bit.bor

ffi.cdef [[
void *BN_CTX_new(void);
void BN_CTX_free(void *ctx);
void BN_CTX_start(void *ctx);
void *BN_CTX_get(void *ctx);
void BN_CTX_end(void *ctx);
void *BN_bin2bn(const unsigned char *s, int len, void *to);
int BN_bn2binpad(const void *a, unsigned char *to, int len);
int BN_hex2bn(void **a, const char *text);
int BN_is_bit_set(const void *a, int n);
int BN_is_odd(const void *a);
int BN_mod_add(void *r, const void *a, const void *b, const void *m, void *ctx);
int BN_mod_sub(void *r, const void *a, const void *b, const void *m, void *ctx);
int BN_mod_mul(void *r, const void *a, const void *b, const void *m, void *ctx);
int BN_nnmod(void *r, const void *a, const void *m, void *ctx);
void *BN_mod_inverse(void *r, const void *a, const void *n, void *ctx);
]]

-- RFC 8032, section 5.1: the field's prime, the order of the base point, twice
-- the curve's d, and the base point.
local P = "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed"
local L = "1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed"
local D2 = "2406d9dc56dffce7198e80f2eef3d13000e0149a8283b156ebd69b9426b2f159"
local BASE_X =
    "216936d3cd6e53fec0a4e231fdd6dc5c692cc7609525a7b2c9562d608f25d51a"
local BASE_Y =
    "6666666666666666666666666666666666666666666666666666666666666658"


-- A calculation: the library, its context, and the numbers it needs. All of
-- them are freed with the context.
local function begin(lib)
    local ctx = lib.BN_CTX_new()
    lib.BN_CTX_start(ctx)
    local self = { lib = lib, ctx = ctx }
    local function constant(hex)
        local slot = ffi.new("void *[1]")
        slot[0] = lib.BN_CTX_get(ctx)
        lib.BN_hex2bn(slot, hex)
        return slot[0]
    end
    self.p, self.l, self.d2 = constant(P), constant(L), constant(D2)
    self.base_x, self.base_y = constant(BASE_X), constant(BASE_Y)
    self.one, self.zero = constant("1"), constant("0")
    -- What add() works with.
    for i = 1, 8 do
        self[i] = lib.BN_CTX_get(ctx)
    end
    return self
end


local function finish(self)
    self.lib.BN_CTX_end(self.ctx)
    self.lib.BN_CTX_free(self.ctx)
end


-- A number from little-endian bytes, and back.
local function number(self, bytes)
    local a = self.lib.BN_CTX_get(self.ctx)
    self.lib.BN_bin2bn(reverse(bytes), #bytes, a)
    return a
end


local function bytes_of(self, a)
    local out = ffi.new("unsigned char[32]")
    self.lib.BN_bn2binpad(a, out, 32)
    return reverse(ffi.string(out, 32))
end


-- A point in extended coordinates: x = X/Z, y = Y/Z, xy = T/Z.
local function point(self, x, y)
    local lib, ctx = self.lib, self.ctx
    local q = {}
    for i = 1, 4 do
        q[i] = lib.BN_CTX_get(ctx)
    end
    lib.BN_mod_add(q[1], x, self.zero, self.p, ctx)
    lib.BN_mod_add(q[2], y, self.zero, self.p, ctx)
    lib.BN_mod_add(q[3], self.one, self.zero, self.p, ctx)
    lib.BN_mod_mul(q[4], x, y, self.p, ctx)
    return q
end


-- r = a + b, also for a = b; r may be one of them. RFC 8032, section 5.1.4.
local function add(self, r, a, b)
    local lib, ctx, p = self.lib, self.ctx, self.p
    local A, B, CC, D = self[1], self[2], self[3], self[4]
    local E, F, G, H = self[5], self[6], self[7], self[8]
    lib.BN_mod_sub(E, a[2], a[1], p, ctx)
    lib.BN_mod_sub(F, b[2], b[1], p, ctx)
    lib.BN_mod_mul(A, E, F, p, ctx)
    lib.BN_mod_add(E, a[2], a[1], p, ctx)
    lib.BN_mod_add(F, b[2], b[1], p, ctx)
    lib.BN_mod_mul(B, E, F, p, ctx)
    lib.BN_mod_mul(CC, a[4], b[4], p, ctx)
    lib.BN_mod_mul(CC, CC, self.d2, p, ctx)
    lib.BN_mod_mul(D, a[3], b[3], p, ctx)
    lib.BN_mod_add(D, D, D, p, ctx)
    lib.BN_mod_sub(E, B, A, p, ctx)
    lib.BN_mod_sub(F, D, CC, p, ctx)
    lib.BN_mod_add(G, D, CC, p, ctx)
    lib.BN_mod_add(H, B, A, p, ctx)
    lib.BN_mod_mul(r[1], E, F, p, ctx)
    lib.BN_mod_mul(r[2], G, H, p, ctx)
    lib.BN_mod_mul(r[3], F, G, p, ctx)
    lib.BN_mod_mul(r[4], E, H, p, ctx)
end


-- The encoding of `scalar` times the base point.
local function multiply(self, scalar)
    local lib, ctx, p = self.lib, self.ctx, self.p
    local base = point(self, self.base_x, self.base_y)
    local r = point(self, self.zero, self.one)
    for i = 255, 0, -1 do
        add(self, r, r, r)
        if lib.BN_is_bit_set(scalar, i) == 1 then
            add(self, r, r, base)
        end
    end
    local inverse = self[1]
    lib.BN_mod_inverse(inverse, r[3], p, ctx)
    lib.BN_mod_mul(r[1], r[1], inverse, p, ctx)
    lib.BN_mod_mul(r[2], r[2], inverse, p, ctx)
    local encoded = bytes_of(self, r[2])
    if lib.BN_is_odd(r[1]) == 0 then
        return encoded
    end
    return sub(encoded, 1, 31) .. char(bor(byte(encoded, 32), 128))
end


local function sign(self, password, message)
    local lib, ctx, l = self.lib, self.ctx, self.l
    local digest = crypto.sha512(password)
    local secret = number(self, char(band(byte(digest), 248))
        .. sub(digest, 2, 31) .. char(bor(band(byte(digest, 32), 63), 64)))
    local public_key = multiply(self, secret)

    local r = number(self, crypto.sha512(sub(digest, 33) .. message))
    lib.BN_nnmod(r, r, l, ctx)
    local R = multiply(self, r)

    local s = number(self, crypto.sha512(R .. public_key .. message))
    lib.BN_mod_mul(s, s, secret, l, ctx)
    lib.BN_mod_add(s, s, r, l, ctx)
    return R .. bytes_of(self, s)
end


-- The 64 bytes that answer the challenge `message`; nil and why not.
return function(password, message)
    local lib, err = crypto.library()
    if not lib then
        return nil, err
    end
    local self = begin(lib)
    local signature = sign(self, password, message)
    finish(self)
    return signature
end
