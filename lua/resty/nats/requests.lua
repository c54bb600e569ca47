-- The requests of a connection that wait for answers. All answers come to one
-- inbox, `PREFIX.UNIQUE.TOKEN`, whose last part says which request it is.
--
-- They are in an array, whose places are used again: there are no more of them
-- than there ever were requests at once. A token is the place and a number,
-- lest a late answer be taken for that to the next request in the place.
--
-- A request is a table: `subject`; `expires`, a time in milliseconds, or false;
-- and who waits for it: `callback`, to be called in wait(), or a waiter's
-- `done`, `msg`, `err`, `own` (reader.lua). `token` and `number` are set here.

local match, sub = string.match, string.sub
local tonumber = tonumber

local requests = {}

-- After so many requests those are looked for that nobody waits for any more.
local SWEEP = 1024

-- Tokens are below 10^14: numbers from there on are not written in full.
local PLACES, NUMBERS = 2 ^ 20, 2 ^ 26


function requests.new()
    return {
        -- How many places there are, and a stack of those that are free.
        places = 0,
        free = {},
        n_free = 0,
        last_number = 0,
    }
end


-- Calls f(core, request, ...) for each.
function requests.each(core, f, ...)
    local all = core.requests
    for place = 1, all.places do
        local request = all[place]
        if request then
            f(core, request, ...)
        end
    end
end


-- Forgets it; whether it was there.
function requests.remove(core, request)
    local all, place = core.requests, request.token % PLACES
    if all[place] ~= request then
        return false
    end
    all[place] = false
    local n = all.n_free + 1
    all.free[n], all.n_free = place, n
    if request.callback then
        core:count(-1)
    end
    return true
end


-- Forgets one that has not been answered.
function requests.give_up(core, request)
    if requests.remove(core, request) then
        core.owed = core.owed + 1
    end
end


local function forget_expired(core, request, now)
    local expires = request.expires
    if expires and expires < now and not request.callback then
        requests.give_up(core, request)
    end
end


local function expire(core, request, now)
    local expires, first = request.expires, core.next_expiry
    if not expires or not request.callback then
        return
    elseif expires <= now then
        requests.give_up(core, request)
        core.expired = core.expired + 1
    elseif not first or expires < first then
        core.next_expiry = expires
    end
end


-- Gives up those for wait() whose time is over, and finds the next such time.
function requests.expire(core)
    core.next_expiry = false
    requests.each(core, expire, core.msec())
end


-- Keeps a request and gives it its token.
function requests.add(core, request)
    local all = core.requests
    local number = all.last_number + 1
    all.last_number = number
    if number % SWEEP == 0 then
        requests.each(core, forget_expired, core.msec())
    end
    local place, n = all.places + 1, all.n_free
    if n > 0 then
        place, all.n_free = all.free[n], n - 1
    else
        all.places = place
    end
    all[place] = request
    request.number = number
    request.token = number % NUMBERS * PLACES + place
    local at = core.next_expiry
    if at and request.expires and at <= core.msec() then
        requests.expire(core)
    end
    if request.callback then
        core:count(1)
        local expires, first = request.expires, core.next_expiry
        if expires and not (first and first < expires) then
            core.next_expiry = expires
        end
    end
end


-- The request that a message to this subject answers, which is over with it.
function requests.answered(core, subject)
    local token = tonumber(sub(subject, #core.inbox + 1))
    local request = token and core.requests[token % PLACES]
    if request and request.token == token then
        requests.remove(core, request)
        return request
    end
end


-- The request that an error of the server's is about: it may not publish to
-- that subject, or not with that reply.
function requests.refused(core, text)
    local reply = match(text, 'Reply of "([^"]*)"')
    if reply then
        if core.inbox and sub(reply, 1, #core.inbox) == core.inbox then
            return requests.answered(core, reply)
        end
        return nil
    end
    local subject, oldest = match(text, 'Publish to "([^"]*)"'), nil
    requests.each(core, function(_, request)
        if request.subject == subject
            and (not oldest or request.number < oldest.number)
        then
            oldest = request
        end
    end)
    if oldest then
        requests.remove(core, oldest)
    end
    return oldest
end


return requests
