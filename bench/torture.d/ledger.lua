-- Who has sent, received, posted and taken what; what came out otherwise than
-- it may; and how often each operation came to which result.

local semaphore = require "ngx.semaphore"

local _M = { tally = {}, wrong = 0, texts = {} }

-- Reports after the first ones are only counted.
local MAX_TEXTS = 40

-- Semaphores and channels of all connections and timers of the worker.
local shared


-- The name of a thread, a handler, or nobody.
local function name_of(who)
    if who and who.host then
        return who.host.name .. ", thread " .. who.path
    end
    return who and who.name or "the worker"
end


-- Something is not as it must be.
function _M.fail(who, ...)
    _M.wrong = _M.wrong + 1
    if #_M.texts < MAX_TEXTS then
        local words = { name_of(who), ": ", ... }
        for i = 1, #words do
            words[i] = tostring(words[i])
        end
        words[#words + 1] = "\n" .. debug.traceback("", 2)
        _M.texts[#_M.texts + 1] = table.concat(words)
    end
end


-- Counts an operation's result.
function _M.count(name, result)
    local results = _M.tally[name]
    if not results then
        results = {}
        _M.tally[name] = results
    end
    results[result] = (results[result] or 0) + 1
end


function _M.new_semaphore(n, is_shared)
    return {
        semaphore = semaphore.new(n), initial = n, posted = 0, taken = 0,
        shared = is_shared,
    }
end


-- `put`, `got`: how many values have gone in and come out.
function _M.new_channel(size, is_shared)
    return {
        channel = ngx.channel.new(size), size = size, put = 0, got = 0,
        closed = false, shared = is_shared,
    }
end


function _M.begin()
    shared = { semaphores = {}, channels = {}, retired = {} }
    for i = 1, 6 do
        shared.semaphores[i] = _M.new_semaphore(i % 3, true)
    end
    for i, size in ipairs{ 1, 1, 2, 5, 30 } do
        shared.channels[i] = _M.new_channel(size, true)
    end
    _M.shared = shared
end


-- What is sent: it knows which it is of those that were put in, once it was.
function _M.new_value(channel)
    return { channel = channel }
end


-- A send() of the value has succeeded, in this turn.
function _M.put(thread, value)
    local channel = value.channel
    if value.number then
        _M.fail(thread, "a value was sent twice")
    end
    channel.put = channel.put + 1
    value.number = channel.put
end


-- A value was received: the one that has been in the channel for longest.
function _M.got(thread, channel, value)
    if type(value) ~= "table" or value.channel ~= channel then
        return _M.fail(thread, "received what nobody sent: ", value)
    end
    channel.got = channel.got + 1
    if value.number ~= channel.got then
        _M.fail(thread, "received value ", value.number or "that was not sent",
            " as number ", channel.got)
    end
end


-- Receives what is left in a channel.
function _M.drain(thread, channel)
    while true do
        local value, err = channel.channel:try_receive()
        if value == nil then
            local expected = channel.closed and "closed" or "empty"
            if err ~= expected then
                _M.fail(thread, "try_receive: ", err, ", not ", expected)
            end
            return
        end
        _M.got(thread, channel, value)
    end
end


-- Another one in its place: the old one, now closed, may still have values
-- for those that have been woken for them.
function _M.replace(thread, channel)
    for i, old in ipairs(shared.channels) do
        if old == channel then
            shared.channels[i] = _M.new_channel(channel.size, true)
        end
    end
    local retired = shared.retired
    retired[#retired + 1] = channel
    for i = #retired, 1, -1 do
        _M.drain(thread, retired[i])
        if retired[i].put == retired[i].got then
            table.remove(retired, i)
        end
    end
end


-- Nobody waits for it any more: nothing may be lost.
function _M.check_semaphore(thread, s)
    local expected = s.initial + s.posted - s.taken
    local n = s.semaphore:count()
    if n ~= expected then
        _M.fail(thread, "a semaphore has ", n, " resources, not ", expected,
            ": ", s.initial, " + ", s.posted, " - ", s.taken)
    end
end

function _M.check_channel(thread, channel)
    local n, expected = channel.channel:count(), channel.put - channel.got
    if n ~= expected then
        _M.fail(thread, "a channel has ", n, " values, not ", expected)
    end
    _M.drain(thread, channel)
    if channel.put ~= channel.got then
        _M.fail(thread, channel.put - channel.got, " values are lost")
    end
end


-- Nothing of the scripts is alive: checks what all have shared, and lets it go.
function _M.finish()
    for _, s in ipairs(shared.semaphores) do
        _M.check_semaphore(nil, s)
    end
    for _, list in ipairs{ shared.channels, shared.retired } do
        for _, channel in ipairs(list) do
            _M.check_channel(nil, channel)
        end
    end
    _M.begin()
end


return _M
