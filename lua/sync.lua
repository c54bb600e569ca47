-- ngx.semaphore, ngx.channel, ngx.select: the counting, and when to wait. What
-- needs no waiting never leaves Lua, so that LuaJIT compiles it.
--
-- Each thing to wait for has a number. park() waits in the queue with that
-- number, unpark() wakes the first of it. A waiter that is woken has been given
-- what it waits for: a resource that is not counted as free any more, a value
-- or a place in a channel that is counted as reserved. If it never runs, native
-- gives it to the next, or to the next who calls park().

local native, ngx = ...

local ffi = require "ffi"

-- 1 if it has woken one, 0 if nobody waits, -1 if unpark() has to do it: LuaJIT
-- compiles the call.
local unpark_shortly = ffi.cast(ffi.typeof("int (*)(int64_t)"),
                                native.unpark_shortly)
local park, unpark = native.park, native.unpark
-- As park(), for functions that do something afterwards: an error is raised at
-- the line of their caller.
local park_below = native.park_below
local close_queue, queued = native.close_queue, native.queued
local refundable, first = native.refundable, native.first
local thread_state = native.thread_state
local is_socket, can_read = native.is_socket, native.tcp_can_read
local is_datagram_socket = native.is_datagram_socket
local can_read_datagram = native.udp_can_read
local wait_for_thread = ngx.thread.wait
local error, floor, rawget = error, math.floor, rawget
local getmetatable, setmetatable = getmetatable, setmetatable
local tonumber, type, unpack = tonumber, type, unpack

-- NaN is neither.
local function is_negative(n)
    return n < 0 or n ~= n
end

local last_number = 0

-- Whose queue a number is, for those that somebody has waited in.
local owners = setmetatable({}, { __mode = "v" })

-- What was left in the queues of things that were collected.
local function forget_refunds()
    local number = native.next_refund(0)
    while number do
        if not owners[number] then
            native.refund(number)
        end
        number = native.next_refund(number)
    end
end

local function new_number()
    last_number = last_number + 1
    if last_number % 1024 == 0 then
        forget_refunds()
    end
    return last_number
end

local function bad_argument(n, name, text)
    error("bad argument #" .. n .. " to '" .. name .. "' (" .. text .. ")", 3)
end


local semaphore = {}
local semaphore_metatable = { __index = semaphore }

-- By a field: LuaJIT compiles that to less than a look at the metatable.
local function check_semaphore(self)
    if type(self) ~= "table" or rawget(self, "kind") ~= semaphore then
        error("not a semaphore instance", 3)
    end
end

function semaphore.new(n)
    n = floor(tonumber(n) or 0)
    if is_negative(n) then
        error("no negative number", 2)
    end
    return setmetatable({
        kind = semaphore,
        free = n,
        number = new_number(),
        parked = false,
        -- It is among the owners.
        known = false,
    }, semaphore_metatable)
end

function semaphore.wait(self, seconds)
    check_semaphore(self)
    local timeout = tonumber(seconds)
    if not timeout then
        bad_argument(1, "wait", "number expected, got " .. type(seconds))
    end
    if is_negative(timeout) then
        error("no negative number", 2)
    end
    local free = self.free
    if free > 0 then
        self.free = free - 1
        return true
    end
    if not self.parked then
        self.parked = true
        if not self.known then
            self.known = true
            owners[self.number] = self
        end
    end
    -- No tail call, so that LuaJIT goes on with compiled code afterwards.
    local ok, err = park_below(self.number, timeout)
    if ok then
        return true
    end
    return nil, err
end

function semaphore.post(self, n)
    check_semaphore(self)
    n = n and floor(tonumber(n) or 0) or 1
    if n < 1 or n ~= n then
        error("positive number required", 2)
    end
    if self.parked then
        if n == 1 then
            local woken = unpark_shortly(self.number)
            if woken == 1 then
                return true
            end
        end
        local woken
        woken, self.parked = unpark(self.number, n)
        n = n - woken
    end
    self.free = self.free + n
    return true
end

function semaphore.count(self)
    check_semaphore(self)
    local number = self.number
    return self.free + refundable(number) - queued(number)
end


local channel = {}
local channel_metatable = { __index = channel }

local function check_channel(self)
    if getmetatable(self) ~= channel_metatable then
        error("not a channel", 3)
    end
end

function channel.new(size)
    local n = tonumber(size)
    if not n or n < 1 or n ~= floor(n) or n >= 2 ^ 31 then
        bad_argument(1, "new", "positive integer expected")
    end
    return setmetatable({
        ring = {},
        size = n,
        head = 1,
        tail = 0,
        length = 0,
        closed = false,
        -- Values that woken receivers are going to take, places that woken
        -- senders are going to fill.
        reserved = 0,
        places = 0,
        receivers = new_number(),
        senders = new_number(),
        receivers_parked = false,
        senders_parked = false,
    }, channel_metatable)
end

local function put(self, value)
    local tail = self.tail % self.size + 1
    self.ring[tail] = value
    self.tail = tail
    self.length = self.length + 1
    if self.receivers_parked then
        local woken
        woken, self.receivers_parked = unpark(self.receivers, 1)
        self.reserved = self.reserved + woken
    end
    return true
end

local function take(self)
    local ring, head = self.ring, self.head
    local value = ring[head]
    ring[head] = nil
    self.head = head % self.size + 1
    self.length = self.length - 1
    if self.senders_parked then
        local woken
        woken, self.senders_parked = unpark(self.senders, 1)
        self.places = self.places + woken
    end
    return value
end

local function put_in_place(self, value, ok, err)
    if not ok then
        return nil, err
    end
    self.places = self.places - 1
    if self.closed then
        return nil, "closed"
    end
    return put(self, value)
end

local function take_reserved(self)
    self.reserved = self.reserved - 1
    return take(self)
end

-- Sends; `seconds` is nil or a number.
local function send(self, value, seconds)
    if self.closed then
        return nil, "closed"
    end
    if self.length + self.places < self.size then
        return put(self, value)
    end
    self.senders_parked = true
    owners[self.senders] = self
    return put_in_place(self, value, park_below(self.senders, seconds))
end

local function receive(self, seconds)
    local length = self.length
    if length > self.reserved then
        return take(self)
    end
    if self.closed and length == 0 then
        return nil, "closed"
    end
    if self.closed then
        -- What is left is for those who have been woken, if they come.
        seconds = 0
    end
    self.receivers_parked = true
    owners[self.receivers] = self
    local ok, err = park_below(self.receivers, seconds)
    if ok then
        return take_reserved(self)
    end
    return nil, err == "timeout" and self.closed and "closed" or err
end

local function check_timeout(seconds, n, name)
    if seconds == nil then
        return nil
    end
    local timeout = tonumber(seconds)
    if not timeout or is_negative(timeout) then
        error("bad argument #" .. n .. " to '" .. name
            .. "' (non-negative number expected)", 3)
    end
    return timeout
end

function channel.send(self, value, seconds)
    check_channel(self)
    if value == nil then
        bad_argument(1, "send", "value expected")
    end
    seconds = check_timeout(seconds, 2, "send")
    return send(self, value, seconds)
end

function channel.receive(self, seconds)
    check_channel(self)
    seconds = check_timeout(seconds, 1, "receive")
    return receive(self, seconds)
end

function channel.try_send(self, value)
    check_channel(self)
    if value == nil then
        bad_argument(1, "try_send", "value expected")
    end
    local ok, err = send(self, value, 0)
    if ok then
        return true
    end
    return nil, err == "timeout" and "full" or err
end

function channel.try_receive(self)
    check_channel(self)
    local value, err = receive(self, 0)
    if value ~= nil then
        return value
    end
    return nil, err == "timeout" and "empty" or err
end

function channel.count(self)
    check_channel(self)
    return self.length
end

function channel.close(self)
    check_channel(self)
    if not self.closed then
        self.closed = true
        close_queue(self.receivers)
        close_queue(self.senders)
        self.receivers_parked, self.senders_parked = false, false
    end
    return true
end


-- What an item of ngx.select() is.
local THREAD, SEMAPHORE, CHANNEL, SEND, SOCKET, DATAGRAMS = 1, 2, 3, 4, 5, 6

local function kind_of(item, i)
    if type(item) == "thread" then
        local _, err = thread_state(item)
        if err then
            error(err, 3)
        end
        return THREAD
    end
    if type(item) == "table" then
        local mt = getmetatable(item)
        if mt == semaphore_metatable then
            return SEMAPHORE
        elseif mt == channel_metatable then
            return CHANNEL
        elseif is_socket(item) then
            return SOCKET
        elseif is_datagram_socket(item) then
            return DATAGRAMS
        end
        local target = rawget(item, 1)
        if type(target) == "table" and getmetatable(target) == channel_metatable
            and rawget(item, 2) ~= nil
        then
            return SEND
        end
    end
    error("bad argument #1 to 'select' (item " .. i
        .. " cannot be waited for)", 3)
end

-- Whether item `i` is ready, and what it gives; else in which queue to wait, or
-- for which thread. False: it is a dead thread.
local function try(self, i)
    local kind, item = self.kinds[i], self[i]
    if kind == THREAD then
        local state = thread_state(item)
        if state == "ended" then
            return true, wait_for_thread(item)
        end
        return false, state == "alive" and item
    elseif kind == SEMAPHORE then
        local free = item.free
        if free > 0 then
            item.free = free - 1
            return true, true
        elseif park(item.number, 0) then
            return true, true
        end
        item.parked = true
        owners[item.number] = item
        return false, item.number
    elseif kind == CHANNEL then
        local value, err = receive(item, 0)
        if not err then
            return true, value
        elseif err ~= "timeout" then
            return true, nil, err
        end
        return false, item.receivers
    elseif kind == SOCKET then
        local ready, err = can_read(item)
        if ready == false then
            return false, item
        end
        if err then
            return true, nil, err
        end
        return true, true
    elseif kind == DATAGRAMS then
        local ready, more = can_read_datagram(item)
        if ready == nil then
            return true, nil, more
        end
        return ready, ready or more
    end
    local ok, err = send(item, self.values[i], 0)
    if ok then
        return true, true
    elseif err ~= "timeout" then
        return true, nil, err
    end
    return false, item.senders
end

-- The first that came: item `i`, and whether it is a grant.
local function chosen(self, i, granted)
    if not i then
        return nil, granted
    end
    local kind, item = self.kinds[i], self[i]
    if kind == THREAD then
        return i, wait_for_thread(item)
    elseif kind == SEMAPHORE or kind == SOCKET or kind == DATAGRAMS then
        return i, granted
    elseif not granted then
        return i, nil, "closed"
    elseif kind == CHANNEL then
        return i, take_reserved(item)
    end
    return i, put_in_place(item, self.values[i], granted)
end

local try_from

local function after_try(self, i, ready, wait, ...)
    if ready then
        return i, wait, ...
    end
    self.waits[i] = wait
    if wait then
        self.alive = true
    else
        self.dead = self.dead or i
    end
    return try_from(self, i + 1)
end

function try_from(self, i)
    local n, dead = self.n, self.dead
    if i <= n then
        return after_try(self, i, try(self, i))
    elseif dead and not self.alive then
        return dead, wait_for_thread(self[dead])
    end
    return chosen(self, first(self.timeout, unpack(self.waits, 1, n)))
end

function ngx.select(list)
    if type(list) ~= "table" then
        error("bad argument #1 to 'select' (table expected, got "
            .. type(list) .. ")", 2)
    end
    local timeout, n, kinds = list.timeout, #list, {}
    if timeout ~= nil then
        timeout = tonumber(timeout)
        if not timeout or is_negative(timeout) then
            error("bad argument #1 to 'select' "
                .. "(non-negative timeout expected)", 2)
        end
    elseif n == 0 then
        error("bad argument #1 to 'select' (nothing to wait for)", 2)
    end
    -- The script may change its list while we wait. From here on nothing is
    -- allocated, so that no __gc can make ready what has just been looked at.
    local values, waits = {}, {}
    local self = {
        n = n,
        timeout = timeout,
        kinds = kinds,
        values = values,
        waits = waits,
        -- Whether there is something that can be waited for, and which item was
        -- the first that cannot any more.
        alive = false,
        dead = false,
    }
    for i = 1, n do
        local item = list[i]
        local kind = kind_of(item, i)
        kinds[i], values[i], waits[i] = kind, false, false
        if kind == SEND then
            item, values[i] = rawget(item, 1), rawget(item, 2)
        end
        self[i] = item
    end
    return try_from(self, 1)
end


local loaded = package.loaded
semaphore.version = "0.1"
loaded["ngx.semaphore"] = semaphore
ngx.channel = { new = channel.new }
loaded["ngx.channel"] = ngx.channel
