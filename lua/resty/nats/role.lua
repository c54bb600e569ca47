-- Who reads a connection: the reader's role, and those that wait for it.
--
-- Any number of light threads may wait for something of one connection: wait()
-- for messages, request_sync() for its answer, flush() for a PONG. One of them
-- reads, and gives to all. The others are parked in two queues, their own and
-- that of the reader's role. Who is given the role tries to read: when the
-- reader has what it wants, or its time is over, it passes the role on, and
-- read() of frames.lua does so for one that is killed in it. Nobody but a call
-- of read() that waits has the role: what runs between two reads may itself
-- wait.
--
-- A waiter is a table: `done`, `own` (the number of its queue, once it was
-- parked), and what it is for.

local semaphore = require "ngx.semaphore"
local wire = require "resty.nats.wire"

local can_read, nats_queue = wire.can_read, wire.nats_queue
local park, queued, unpark = wire.park, wire.queued, wire.unpark
local wait_for_first = wire.first

-- Somebody else reads.
local BUSY = "socket busy reading"

local role = { BUSY = BUSY }


-- Wakes a waiter, if it is parked.
function role.wake(waiter)
    local own = waiter.own
    if own then
        unpark(own, 1)
    end
end


-- The waiter has what it came for: `msg`, or why not.
function role.finish(waiter, msg, err)
    waiter.done, waiter.msg, waiter.err = true, msg, err
    role.wake(waiter)
end


-- Lets another one read, if anybody waits for that. To be called before what
-- may wait, and by those that have read and wait no longer.
function role.pass(core)
    if core.parked then
        local woken
        woken, core.parked = unpark(core.role_number, 1)
        core.granted = woken > 0
    end
end


-- The queue of the reader's role. What is left in it by those that were killed
-- is kept for the next as long as the semaphore lives.
local function open_role(core)
    local sem = semaphore.new()
    sem:wait(0)
    core.role, core.role_number = sem, sem.number
    nats_queue(core.sock, sem.number)
end


-- Waits, while somebody else reads, until the waiter is woken or may read.
-- True, and whether it may read; nil, err.
function role.park(core, waiter, left)
    if not core.role then
        open_role(core)
    end
    local number = core.role_number
    if park(number, 0) then
        core.granted = false
        return true, true
    end
    local own, spare = waiter.own, core.spare
    if not own then
        own = spare[#spare]
        if own then
            spare[#spare] = nil
        else
            own = semaphore.new().number
        end
        waiter.own = own
    end
    core.parked = true
    local i, err = wait_for_first(left / 1000, own, number)
    if i == 2 then
        core.granted = false
        return true, true
    elseif i then
        return true, false
    end
    return nil, err
end


-- Whether somebody waits for what may come.
function role.is_busy(core)
    local number = core.role_number
    if number and core.granted and park(number, 0) then
        -- The one that had it was killed.
        core.granted = false
    end
    local _, err = can_read(core.sock)
    return err == BUSY or core.granted or number and queued(number) > 0
end


-- The waiter is parked no more: its queue is for the next.
function role.leave(core, waiter)
    local own, spare = waiter.own, core.spare
    if own then
        spare[#spare + 1] = own
        waiter.own = false
    end
end


return role
