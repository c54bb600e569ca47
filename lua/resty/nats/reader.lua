-- Reads a connection, for whoever waits.

local dispatch = require "resty.nats.dispatch"
local read = require("resty.nats.frames").read
local role = require "resty.nats.role"
local wire = require "resty.nats.wire"

local on_message, on_pong = dispatch.on_message, dispatch.on_pong
local msec, nats_push = wire.msec, wire.nats_push
local nats_read = wire.nats_read

local BUSY = role.BUSY

-- Kinds of frames.
local MESSAGE, INFO, PONG = 1, 2, 3

local reader = {}


-- Sends a PING of which nobody waits for the PONG.
local function ping(core)
    core.silent = 0
    if core.pings_out >= core.max_pings_out then
        dispatch.fail(core, "stale connection")
        return nil, "stale connection"
    end
    core.pings_out = core.pings_out + 1
    local pongs = core.pongs
    pongs.last = pongs.last + 1
    pongs[pongs.last] = false
    nats_push(core.sock, "PING\r\n")
    return true
end


local function on_frame(core, limit, left, was, kind, a, b, c, d, e)
    if kind == MESSAGE then
        core.silent = 0
        return on_message(core, a, b, c, d, e)
    elseif kind then
        core.silent = 0
        if kind == PONG then
            return on_pong(core)
        elseif kind == INFO then
            return dispatch.on_info(core, a)
        end
        return dispatch.on_error(core, a)
    elseif a == "timeout" then
        core.silent = core.silent + limit
        if core.silent >= core.ping_ms then
            local ok, err = ping(core)
            if not ok then
                return nil, err
            end
        end
        if limit < left then
            return true
        end
        return nil, "timeout"
    elseif a == BUSY then
        core.wait_reads = was
    elseif a ~= "deadline" then
        dispatch.fail(core, a)
        return nil, core.closed
    end
    return nil, a
end


-- Reads one frame, for `left` milliseconds at most, and gives it to whom it
-- concerns. For a message to be called back with: whose it is, and the message;
-- else true. nil, err: "timeout", "deadline", "socket busy reading", or why the
-- connection has failed. `for_wait`: it is wait() that reads.
function reader.step(core, left, for_wait)
    local limit = core.ping_ms - core.silent
    if left < limit then
        limit = left
    end
    local was = core.wait_reads
    core.wait_reads = for_wait
    if for_wait then
        return on_frame(core, limit, left, was, read(core, core.sock, limit))
    end
    -- Answers have a subject each, which is not the usual message.
    return on_frame(core, limit, left, was, nats_read(core.sock, limit))
end


-- Reads one frame for whom it concerns. True; nil, err as step().
function reader.take_in(core, left)
    local target, msg = reader.step(core, left, false)
    if target and target ~= true then
        dispatch.keep(core, target, msg)
        return true
    end
    return target, msg
end


-- Waits until the waiter is done; nil, err if it is not when it expires, in
-- `left` milliseconds.
function reader.await(core, waiter, left)
    local ok, err, may_read
    repeat
        -- The role may be on its way to somebody.
        ok, err, may_read = nil, BUSY, false
        if not core.granted then
            ok, err = reader.take_in(core, left)
            may_read = true
        end
        if not ok and err == BUSY then
            ok, err = role.park(core, waiter, left)
            may_read = ok and err
        end
        if ok and not waiter.done then
            left = waiter.expires - msec()
            if left <= 0 then
                ok, err = nil, "timeout"
            end
        end
    until waiter.done or not ok
    role.leave(core, waiter)
    if may_read then
        role.pass(core)
    end
    if waiter.done then
        return true
    end
    return nil, err
end


return reader
