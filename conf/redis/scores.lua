-- One command a line, one answer. A command borrows a connection to redis and
-- gives it back: a few serve many clients.

local redis = require "nginx.redis"

local SCORES = "scores"


-- What f makes of a connected client. In lua-resty-redis nil is a failure of
-- the connection, which must not be used again, and false is redis saying no.
local function with_redis(f, ...)
    local red = redis:new()
    red:set_timeout(2000)
    local ok, err = red:connect(redis_server[1], redis_server[2])
    if not ok then
        return nil, err
    end

    local result
    result, err = f(red, ...)
    if result == nil then
        red:close()
        return nil, err
    end
    red:set_keepalive()
    return result, err
end


local commands = {}


-- Two questions in one packet; the second answer is the rank, counted from 0.
function commands.SCORE(red, name, points)
    points = tonumber(points)
    if not name or not points then
        return false, "SCORE name points"
    end
    red:init_pipeline()
    red:zadd(SCORES, points, name)
    red:zrevrank(SCORES, name)
    local answers, err = red:commit_pipeline()
    if not answers then
        return nil, err
    end
    return answers[2] + 1
end


function commands.RANK(red, name)
    local rank, err = red:zrevrank(SCORES, name or "")
    if not rank then
        return rank, err
    end
    return rank == ngx.null and "none" or rank + 1
end


function commands.TOP(red, count)
    count = math.min(tonumber(count) or 10, 100)
    local list, err = red:zrevrange(SCORES, 0, count - 1, "withscores")
    if not list then
        return list, err
    end
    return table.concat(list, " ")
end


while true do
    local line = ngx.receive("*l")
    if not line then
        return
    end

    local words = {}
    for word in line:gmatch("%S+") do
        words[#words + 1] = word
    end
    local command = commands[(words[1] or ""):upper()]

    if not command then
        ngx.say("-unknown command")
    else
        local answer, err = with_redis(command, words[2], words[3])
        if answer == nil then
            ngx.log(ngx.ERR, "redis: ", err)
            ngx.say("-try again later")
        elseif not answer then
            ngx.say("-", err)
        else
            ngx.say("+", answer)
        end
    end

    ngx.wait_next_request()
end
