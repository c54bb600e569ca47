-- The subscriptions of a connection: by number, which is what the server says
-- with each message, and how many of them are alive.

local byte, find, match = string.byte, string.find, string.match
local next, tostring, type = next, tostring, type

local DOT = byte "."

local subscriptions = {}

-- Numbers are the worker's: what is still on its way when a connection is used
-- by the next one is for none of his.
local last_number = 0


function subscriptions.next_sid()
    last_number = last_number + 1
    return tostring(last_number)
end


-- Whether it is a subject, with or without wildcards.
function subscriptions.is_name(text)
    return type(text) == "string" and not (text == ""
        or find(text, "[%z \t\r\n]") or find(text, "..", 1, true)
        or byte(text) == DOT or byte(text, -1) == DOT)
end


-- Whether one can subscribe to it. The server would answer "Invalid Subject"
-- without saying which.
function subscriptions.is_subject(text)
    return subscriptions.is_name(text) and not find(text, "^>%.")
        and not find(text, ".>.", 1, true)
end


function subscriptions.is_queue(text)
    return type(text) == "string" and text ~= ""
        and not find(text, "[%z \t\r\n]")
end


-- The subscription with this number is no more: the next messages are for
-- nobody. `dropped`: neither are those that wait() has not handed out yet.
function subscriptions.remove(core, sid, dropped)
    local sub = core.subs[sid]
    if sub then
        core.subs[sid] = nil
        sub.dropped = dropped
        core:count(-1)
    end
end


-- The oldest one to this subject, and queue group if that is known.
local function oldest(subs, subject, group)
    local found
    for _, sub in next, subs do
        if sub.subject == subject and (not group or sub.queue == group)
            and (not found or sub.number < found.number)
        then
            found = sub
        end
    end
    return found
end


-- The server does not want the one that this error is about: it ends. Returns
-- whether it was found.
function subscriptions.refuse(core, text)
    local subject = match(text, ' [Tt]o "([^"]*)"')
    local group = match(text, 'queue "([^"]*)"')
    local sub = subject and oldest(core.subs, subject, group)
    if sub then
        subscriptions.remove(core, sub.sid)
    end
    return sub ~= nil
end


return subscriptions
