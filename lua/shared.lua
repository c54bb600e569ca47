-- ngx.shared: the methods of dictionaries. The work is Rust's, called by FFI
-- (src/lua/compiled.rs): LuaJIT compiles such a call into the loop around it,
-- and what is interpreted mostly enters the compiled method.

local native, ngx = ...

ngx.shared = {}
if not native.dicts then
    return
end

local ffi = require "ffi"
local band = require("bit").band
local cast, ffi_string, typeof = ffi.cast, ffi.string, ffi.typeof
local ceil, huge = math.ceil, math.huge
local error, setmetatable, tonumber = error, setmetatable, tonumber
local tostring, type = tostring, type

-- What a call answers with, as src/lua/compiled.rs has it. Strings are in the
-- buffer, or if they are longer in memory that free() takes back.
--
-- A finalizer may run wherever something is allocated or compiled code ends, so
-- also between a call and the last use of what it has answered; and it may call
-- methods. The prelude keeps the answer aside while one runs.
local BUFFER_SIZE = 65536
local room = ffi.new("char [?]", BUFFER_SIZE + 63)
-- Aligned, so that long strings are copied and compared sooner.
local buffer = cast("char *", band(cast("intptr_t", room) + 63, -64))
local Reply = typeof([[
    struct {
        char *buffer;
        const char *bytes;
        double number;
        int32_t len;
        uint32_t flags;
        uint32_t stale;
        uint32_t forced;
    }
]])
local reply = Reply({ buffer = buffer })

function native.keep_answer()
    local len = reply.len
    return Reply(reply), len <= BUFFER_SIZE and ffi_string(buffer, len) or ""
end

function native.put_back(answer, bytes)
    ffi.copy(reply, answer, ffi.sizeof(Reply))
    ffi.copy(buffer, bytes, #bytes)
end

local function native_function(name, signature)
    return cast(typeof(signature), native.dict_functions[name])
end

local do_get = native_function("get",
    "int (*)(void *, const char *, size_t, void *)")
local do_get_stale = native_function("get_stale",
    "int (*)(void *, const char *, size_t, void *)")
local do_store = native_function("store",
    "int (*)(void *, const char *, size_t, const char *, size_t, int, double,"
        .. " uint32_t)")
local do_store_number = native_function("store_number",
    "int (*)(void *, const char *, size_t, double, int, int, double, uint32_t)")
local do_delete = native_function("delete",
    "int (*)(void *, const char *, size_t)")
local do_incr = native_function("incr",
    "int (*)(void *, const char *, size_t, double, void *)")
local do_incr_init = native_function("incr_init",
    "int (*)(void *, const char *, size_t, double, double, double, void *)")
local do_push = native_function("push",
    "int (*)(void *, const char *, size_t, const char *, size_t, int, void *)")
local do_push_number = native_function("push_number",
    "int (*)(void *, const char *, size_t, double, int, void *)")
local do_pop = native_function("pop",
    "int (*)(void *, const char *, size_t, int, void *)")
local do_len = native_function("len",
    "int (*)(void *, const char *, size_t, void *)")
local do_ttl = native_function("ttl",
    "int (*)(void *, const char *, size_t, void *)")
local do_expire = native_function("expire",
    "int (*)(void *, const char *, size_t, double)")
local do_keys = native_function("keys", "void *(*)(void *, double)")
local do_next_key = native_function("next_key", "int (*)(void *, void *)")
local do_free_keys = native_function("free_keys", "int (*)(void *)")
local do_free = native_function("free", "int (*)(const char *, double)")
local do_whole = native_function("whole",
    "int (*)(void *, int, double, void *)")

-- Types of values; others are errors, by number.
local NIL, BOOLEAN, NUMBER, STRING = 0, 1, 3, 4
local errors = native.dict_errors

-- How a value is stored; SAFE is added.
local ALWAYS, ABSENT, PRESENT, SAFE = 0, 1, 2, 4

-- Is added to what a store answers for which live entries had to go.
local HAS_FORCED = 256

local FLUSH_ALL, FLUSH_EXPIRED, CAPACITY, FREE_SPACE, CHECK = 0, 1, 2, 3, 4

-- The Rust side of each dictionary.
local handles = {}

local dict = {}

local function bad_zone()
    error('bad "zone" argument', 3)
end

-- A key that is no string of a good length, as a string; or nil and why not.
local function checked_key(key)
    if key == nil then
        return nil, "nil key"
    end
    if type(key) ~= "string" then
        key = tostring(key)
    end
    local len = #key
    if len == 0 then
        return nil, "empty key"
    elseif len > 65535 then
        return nil, "key too long"
    end
    return key
end

-- Seconds as milliseconds, nil if they are none. What is for ever is 0.
local function checked_time(seconds)
    local number = tonumber(seconds)
    -- Nor is NaN.
    if not number or number < 0 or number ~= number then
        return nil
    end
    return number < huge and ceil(number * 1000) or 0
end

-- A string that is longer than the buffer.
local function long_string(len)
    local bytes = reply.bytes
    local text = ffi_string(bytes, len)
    do_free(bytes, len)
    return text
end

local function value_of(kind)
    if kind == STRING then
        local len = reply.len
        if len > BUFFER_SIZE then
            return long_string(len)
        end
        return ffi_string(buffer, len)
    elseif kind == NUMBER then
        return reply.number
    end
    return reply.number ~= 0
end


function dict.get(self, key)
    local handle = handles[self]
    if not handle then
        bad_zone()
    end
    local len = type(key) == "string" and #key or 0
    if len == 0 or len > 65535 then
        local err
        key, err = checked_key(key)
        if not key then
            return nil, err
        end
        len = #key
    end
    local kind = do_get(handle, key, len, reply)
    local flags, value = reply.flags
    if kind == STRING then
        local n = reply.len
        value = n > BUFFER_SIZE and long_string(n) or ffi_string(buffer, n)
    elseif kind == NUMBER then
        value = reply.number
    elseif kind == NIL then
        return nil
    elseif kind == BOOLEAN then
        value = reply.number ~= 0
    else
        return nil, errors[kind]
    end
    if flags ~= 0 then
        return value, flags
    end
    return value
end


function dict.get_stale(self, key)
    local handle = handles[self]
    if not handle then
        bad_zone()
    end
    local err
    key, err = checked_key(key)
    if not key then
        return nil, err
    end
    local kind = do_get_stale(handle, key, #key, reply)
    if kind == NIL then
        return nil
    elseif kind > STRING then
        return nil, errors[kind]
    end
    local flags, stale = reply.flags, reply.stale ~= 0
    return value_of(kind), flags ~= 0 and flags or nil, stale
end


-- What a store answers that is not 0.
local function unusual(code)
    local forced = code >= HAS_FORCED
    if forced then
        code = code - HAS_FORCED
    end
    if code == 0 then
        return true, nil, forced
    end
    return false, errors[code], forced
end


-- Methods do not call it as a tail: LuaJIT gives up traces with many such
-- calls, as in a handler that stores many values.
local function store(mode, self, key, value, exptime, flags)
    local handle = handles[self]
    if not handle then
        error('bad "zone" argument', 3)
    end
    local ttl = 0
    if exptime then
        ttl = checked_time(exptime)
        if not ttl then
            error('bad "exptime" argument', 3)
        end
    end
    if not flags then
        flags = 0
    elseif type(flags) ~= "number" then
        flags = tonumber(flags)
        if not flags then
            error('bad "flags" argument', 3)
        end
    end
    local len = type(key) == "string" and #key or 0
    if len == 0 or len > 65535 then
        local err
        key, err = checked_key(key)
        if not key then
            return nil, err
        end
        len = #key
    end
    local kind = type(value)
    local code
    if kind == "string" then
        code = do_store(handle, key, len, value, #value, mode, ttl, flags)
    elseif kind == "number" then
        code = do_store_number(handle, key, len, value, 0, mode, ttl, flags)
    elseif kind == "boolean" then
        code = do_store_number(handle, key, len, value and 1 or 0, 1, mode, ttl,
            flags)
    elseif kind ~= "nil" then
        return nil, "bad value type"
    elseif mode % SAFE ~= ALWAYS then
        return false, "attempt to add or replace nil values", false
    else
        do_delete(handle, key, len)
        return true, nil, false
    end
    if code == 0 then
        return true, nil, false
    end
    return unusual(code)
end


function dict.set(self, key, value, exptime, flags)
    local ok, err, forcible = store(ALWAYS, self, key, value, exptime, flags)
    if ok == nil then
        return nil, err
    end
    return ok, err, forcible
end


function dict.safe_set(self, key, value, exptime, flags)
    local ok, err, forcible =
        store(ALWAYS + SAFE, self, key, value, exptime, flags)
    if ok == nil then
        return nil, err
    end
    return ok, err, forcible
end


function dict.add(self, key, value, exptime, flags)
    local ok, err, forcible = store(ABSENT, self, key, value, exptime, flags)
    if ok == nil then
        return nil, err
    end
    return ok, err, forcible
end


function dict.safe_add(self, key, value, exptime, flags)
    local ok, err, forcible =
        store(ABSENT + SAFE, self, key, value, exptime, flags)
    if ok == nil then
        return nil, err
    end
    return ok, err, forcible
end


function dict.replace(self, key, value, exptime, flags)
    local ok, err, forcible = store(PRESENT, self, key, value, exptime, flags)
    if ok == nil then
        return nil, err
    end
    return ok, err, forcible
end


function dict.delete(self, key)
    local handle = handles[self]
    if not handle then
        bad_zone()
    end
    local len = type(key) == "string" and #key or 0
    if len == 0 or len > 65535 then
        local err
        key, err = checked_key(key)
        if not key then
            return nil, err
        end
        len = #key
    end
    do_delete(handle, key, len)
    return true, nil, false
end


-- A number among the arguments of incr().
local function checked_number(value, name)
    local number = tonumber(value)
    if not number then
        error("bad " .. name .. " arg: number expected, got " .. type(value), 3)
    end
    return number
end

function dict.incr(self, key, value, init, init_ttl)
    local handle = handles[self]
    if not handle then
        bad_zone()
    end
    local len = type(key) == "string" and #key or 0
    if len == 0 or len > 65535 then
        local err
        key, err = checked_key(key)
        if not key then
            return nil, err
        end
        len = #key
    end
    if type(value) ~= "number" then
        value = checked_number(value, "value")
    end
    local ttl = 0
    if init then
        init = checked_number(init, "init")
    end
    if init_ttl ~= nil then
        ttl = checked_time(checked_number(init_ttl, "init_ttl"))
        if not ttl then
            error('bad "init_ttl" argument', 2)
        end
        if not init then
            error('must provide "init" when providing "init_ttl"', 2)
        end
    end
    if not init then
        local code = do_incr(handle, key, len, value, reply)
        if code ~= 0 then
            return nil, errors[code]
        end
        return reply.number
    end
    local code = do_incr_init(handle, key, len, value, init, ttl, reply)
    if code ~= 0 then
        return nil, errors[code]
    end
    return reply.number, nil, reply.forced ~= 0
end


local LEFT, RIGHT = 0, 1

local function push(side, self, key, value)
    local handle = handles[self]
    if not handle then
        bad_zone()
    end
    local err
    key, err = checked_key(key)
    if not key then
        return nil, err
    end
    local kind = type(value)
    local code
    if kind == "string" then
        code = do_push(handle, key, #key, value, #value, side, reply)
    elseif kind == "number" then
        code = do_push_number(handle, key, #key, value, side, reply)
    else
        return nil, "bad value type"
    end
    if code ~= 0 then
        return nil, errors[code]
    end
    return reply.number
end

local function pop(side, self, key)
    local handle = handles[self]
    if not handle then
        bad_zone()
    end
    local err
    key, err = checked_key(key)
    if not key then
        return nil, err
    end
    local kind = do_pop(handle, key, #key, side, reply)
    if kind == NIL then
        return nil
    elseif kind > STRING then
        return nil, errors[kind]
    end
    return value_of(kind)
end


function dict.lpush(self, key, value)
    return push(LEFT, self, key, value)
end


function dict.rpush(self, key, value)
    return push(RIGHT, self, key, value)
end


function dict.lpop(self, key)
    return pop(LEFT, self, key)
end


function dict.rpop(self, key)
    return pop(RIGHT, self, key)
end


function dict.llen(self, key)
    local handle = handles[self]
    if not handle then
        bad_zone()
    end
    local err
    key, err = checked_key(key)
    if not key then
        return nil, err
    end
    local code = do_len(handle, key, #key, reply)
    if code ~= 0 then
        return nil, errors[code]
    end
    return reply.number
end


function dict.ttl(self, key)
    local handle = handles[self]
    if not handle then
        bad_zone()
    end
    local err
    key, err = checked_key(key)
    if not key then
        return nil, err
    end
    local code = do_ttl(handle, key, #key, reply)
    if code ~= 0 then
        return nil, errors[code]
    end
    return reply.number / 1000
end


function dict.expire(self, key, exptime)
    local handle = handles[self]
    if not handle then
        bad_zone()
    end
    local ttl = checked_time(exptime)
    if not ttl then
        error('bad "exptime" argument', 2)
    end
    local err
    key, err = checked_key(key)
    if not key then
        return nil, err
    end
    local code = do_expire(handle, key, #key, ttl)
    if code ~= 0 then
        return nil, errors[code]
    end
    return true
end


-- How many, of those who ask for a number of entries; 0 is all.
local function checked_count(name, count, default)
    if count == nil then
        return default
    end
    local number = tonumber(count)
    if not number then
        error("bad argument #1 to '" .. name .. "' (number expected, got "
            .. type(count) .. ")", 3)
    end
    return number >= 1 and number or 0
end

local function whole(handle, what, number)
    do_whole(handle, what, number, reply)
    return reply.number
end


function dict.flush_all(self)
    local handle = handles[self]
    if not handle then
        bad_zone()
    end
    whole(handle, FLUSH_ALL, 0)
end


function dict.flush_expired(self, max)
    local handle = handles[self]
    if not handle then
        bad_zone()
    end
    return whole(handle, FLUSH_EXPIRED, checked_count("flush_expired", max, 0))
end


function dict.get_keys(self, max)
    local handle = handles[self]
    if not handle then
        bad_zone()
    end
    max = checked_count("get_keys", max, 1024)
    local list, keys, n = do_keys(handle, max), {}, 0
    local len = do_next_key(list, buffer)
    while len > 0 do
        n = n + 1
        keys[n] = ffi_string(buffer, len)
        len = do_next_key(list, buffer)
    end
    do_free_keys(list)
    return keys
end


function dict.capacity(self)
    local handle = handles[self]
    if not handle then
        bad_zone()
    end
    return whole(handle, CAPACITY, 0)
end


function dict.free_space(self)
    local handle = handles[self]
    if not handle then
        bad_zone()
    end
    return whole(handle, FREE_SPACE, 0)
end


-- Looks at every link and byte with all locks held.
function dict._check(self)
    local handle = handles[self]
    if not handle then
        bad_zone()
    end
    if whole(handle, CHECK, 0) == 0 then
        return true
    end
    return nil, value_of(STRING)
end


-- With what has to live as long as they do.
local methods = { __index = dict, room }

for name, handle in next, native.dicts do
    local self = setmetatable({}, methods)
    handles[self] = cast("void *", handle)
    ngx.shared[name] = self
end
