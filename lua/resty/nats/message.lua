-- Messages as programs get them.

local decode = require("resty.nats.headers").decode

local setmetatable = setmetatable


-- The methods of the messages of a connection.
local function methods_of(core)
    local methods = {}

    -- Publishes to where the sender wants its answer.
    function methods.respond(msg, payload, headers)
        local reply_to = msg.reply_to
        if not reply_to then
            return false, "no reply subject"
        end
        local ok, err = core:publish(reply_to, payload, nil, headers)
        if ok then
            return true, ""
        end
        return false, err
    end

    return { __index = methods }
end


return function(core, subject, sid, reply_to, payload, block)
    local msg = {
        type = "MSG",
        subject = subject,
        sid = sid,
        len = #payload,
        reply_to = reply_to,
        payload = payload,
    }
    if block then
        msg.headers, msg.status, msg.description = decode(block)
    end
    local metatable = core.of_messages
    if not metatable then
        metatable = methods_of(core)
        core.of_messages = metatable
    end
    return setmetatable(msg, metatable)
end
