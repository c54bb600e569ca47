-- Frames of NATS over a socket: publish(), and a reader of what the server
-- sends. The usual case of both is called by FFI, which LuaJIT compiles into
-- the loop around it (src/lua/compiled_nats.rs); all else is src/api/nats.rs.

local _, native = ...

local ffi = require "ffi"
local cast, ffi_string, typeof = ffi.cast, ffi.string, ffi.typeof
local nats_publish, nats_read = native.nats_publish, native.nats_read
local floor, sub, type = math.floor, string.sub, type

local do_publish = cast(
    typeof("int (*)(double, double, const char *, size_t, const char *, size_t,"
        .. " double, const char *, size_t, const char *, size_t)"),
    native.nats_functions.publish)
local do_message = cast(
    typeof("int (*)(double, const char *, size_t, const char *, size_t,"
        .. " void *, void *)"),
    native.nats_functions.message)

-- What do_message() answers with: the payload, and behind it the subject to
-- reply to; and subject and sid, if they are not the expected ones. A finalizer
-- may run right behind the call, where compiled code ends, and read a message,
-- too: it is none of do_message()'s until a string was made of what is there.
local buffer = ffi.new("char [?]", 65536)
local state = ffi.new("struct { int subject, sid, is_taken; }")
local REPLY, OTHER = 131072, 536870912

-- Where the socket has its send timeout.
local SEND_TIMEOUT = 4

local MESSAGE = 1


-- true, or nil and what is wrong. `reply`, `headers` (a whole block) may be
-- nil, as may the payload. With a `number` that is the end of `reply`.
local function publish(sock, subject, reply, payload, headers, number)
    local id = sock[1]
    if type(id) == "number" and type(subject) == "string"
        and type(payload) == "string"
    then
        local msec = sock[SEND_TIMEOUT]
        if type(msec) ~= "number" then
            msec = 0
        end
        if reply == nil and headers == nil then
            if do_publish(id, msec, subject, #subject, "", 0, 0, payload,
                #payload, "", 0) == 1
            then
                return true
            end
        elseif type(reply or "") == "string" and type(headers or "") == "string"
            and reply ~= "" and headers ~= ""
        then
            local reply_to, block = reply or "", headers or ""
            if do_publish(id, msec, subject, #subject, reply_to, #reply_to,
                number or 0, payload, #payload, block, #block) == 1
            then
                return true
            end
        end
    end
    if number then
        reply = reply .. number
    end
    return nats_publish(sock, subject, reply, payload, headers)
end


local function remember(reader, ...)
    local kind, subject, sid = ...
    if kind == MESSAGE then
        reader.subject, reader.sid = subject, sid
    end
    return ...
end

-- A message that is not of the expected subject and sid, of which do_message()
-- has returned `size` more.
local function other(reader, size)
    local n, n_sid = state.subject, state.sid
    local n_reply = floor(size / REPLY)
    size = size - n_reply * REPLY
    local at = size + n_reply
    local all = ffi_string(buffer, at + n + n_sid)
    state.is_taken = 0
    local subject, sid = sub(all, at + 1, at + n), sub(all, at + n + 1)
    reader.subject, reader.sid = subject, sid
    return MESSAGE, subject, sid, n_reply > 0 and sub(all, size + 1, at) or nil,
        sub(all, 1, size)
end


-- The next frame: its kind, and what src/api/nats.rs says. `reader` is a table
-- with the last message's `subject` and `sid`, strings that are empty at first.
local function read(reader, sock, msec)
    local id, subject, sid = sock[1], reader.subject, reader.sid
    if type(id) == "number" then
        local size = do_message(id, subject, #subject, sid, #sid, buffer, state)
        if size >= 0 then
            if size < REPLY then
                local payload = ffi_string(buffer, size)
                state.is_taken = 0
                return MESSAGE, subject, sid, nil, payload
            elseif size >= OTHER then
                return other(reader, size - OTHER)
            end
            local reply = floor(size / REPLY)
            size = size - reply * REPLY
            local both = ffi_string(buffer, size + reply)
            state.is_taken = 0
            return MESSAGE, subject, sid, sub(both, size + 1),
                sub(both, 1, size)
        end
    end
    return remember(reader, nats_read(sock, msec))
end


return { publish = publish, read = read }
