-- The requests of a connection that wait for answers. All answers come to one
-- inbox, `PREFIX.UNIQUE.TOKEN`, whose last part says which request it is.
--
-- A request is a table: `subject`; `expires`, a time in milliseconds, or false;
-- and who waits for it: `callback`, to be called in wait(), or a waiter's
-- `done`, `msg`, `err`, `own` (reader.lua).

local match, sub = string.match, string.sub
local next, tonumber = next, tonumber

local requests = {}

-- After so many requests those are looked for that nobody waits for any more.
local SWEEP = 1024


local function forget_expired(core)
    local now = core.msec()
    for token, request in next, core.requests do
        local expires = request.expires
        if expires and expires < now and not request.callback then
            core.requests[token] = nil
            core.owed = core.owed + 1
        end
    end
end


-- Gives up those for wait() whose time is over, and finds the next such time.
function requests.expire(core)
    local now, first = core.msec(), false
    for token, request in next, core.requests do
        local expires = request.callback and request.expires
        if expires and expires <= now then
            requests.remove(core, token)
            core.owed = core.owed + 1
            core.expired = core.expired + 1
        elseif expires and (not first or expires < first) then
            first = expires
        end
    end
    core.next_expiry = first
end


-- Keeps a request; its token.
function requests.add(core, request)
    local token = core.last_token + 1
    core.last_token = token
    if token % SWEEP == 0 then
        forget_expired(core)
    end
    core.requests[token] = request
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
    return token
end


-- Forgets it and returns it, if it was there.
function requests.remove(core, token)
    local request = core.requests[token]
    if request then
        core.requests[token] = nil
        if request.callback then
            core:count(-1)
        end
    end
    return request
end


-- The request that a message to this subject answers, which is over with it.
function requests.answered(core, subject)
    local token = tonumber(sub(subject, #core.inbox + 1))
    return token and requests.remove(core, token)
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
    local subject = match(text, 'Publish to "([^"]*)"')
    local oldest
    for token, request in next, core.requests do
        if request.subject == subject and (not oldest or token < oldest) then
            oldest = token
        end
    end
    return oldest and requests.remove(core, oldest)
end


return requests
