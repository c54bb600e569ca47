-- The protocol of redis: a command is an array of strings, or a line of words.
-- What has come is read at once and cut up here, so that commands may be sent
-- without waiting for the answers to those before.
--
--     *2\r\n  $3\r\nGET\r\n  $4\r\nname\r\n        GET name\r\n

local byte, find, sub = string.byte, string.find, string.sub
local print = ngx.print
local store = ngx.shared.store

local CHUNK = 16384
local MAX_WORDS, MAX_SIZE = 1024, 1024 * 1024


local commands = {}

function commands.PING(_, text)
    if text then
        print("$", #text, "\r\n", text, "\r\n")
    else
        print("+PONG\r\n")
    end
end


function commands.ECHO(_, text)
    print("$", #text, "\r\n", text, "\r\n")
end


function commands.GET(_, name)
    local value = store:get(name)
    if value then
        print("$", #value, "\r\n", value, "\r\n")
    else
        print("$-1\r\n")
    end
end


-- SET name value [EX seconds]
function commands.SET(_, name, value, option, seconds)
    local time = 0
    if option then
        time = tonumber(seconds) or 0
        if option:upper() ~= "EX" or time <= 0 then
            print("-ERR syntax error\r\n")
            return
        end
    end
    local ok, err = store:set(name, value, time)
    if ok then
        print("+OK\r\n")
    else
        print("-ERR ", err, "\r\n")
    end
end


function commands.DEL(words)
    local count = 0
    for i = 2, #words do
        if store:get(words[i]) then
            store:delete(words[i])
            count = count + 1
        end
    end
    print(":", count, "\r\n")
end


function commands.EXISTS(words)
    local count = 0
    for i = 2, #words do
        if store:get(words[i]) then
            count = count + 1
        end
    end
    print(":", count, "\r\n")
end


-- Whole seconds; -1: for ever, -2: there is no such name.
function commands.TTL(_, name)
    local left = store:ttl(name)
    if left then
        left = left > 0 and math.ceil(left) or -1
    end
    print(":", left or -2, "\r\n")
end


-- How many words each has: at least, and at most.
local counts = {
    PING = { 1, 2 }, ECHO = { 2, 2 }, GET = { 2, 2 }, SET = { 3, 5 },
    DEL = { 2, MAX_WORDS }, EXISTS = { 2, MAX_WORDS }, TTL = { 2, 2 },
}

local function answer(words)
    local name = words[1]
    local command = commands[name]
    if not command then
        name = name:upper()
        command = commands[name]
    end
    if not command then
        print("-ERR unknown command '", words[1], "'\r\n")
        return
    end
    local count = counts[name]
    if #words < count[1] or #words > count[2] then
        print("-ERR wrong number of arguments for '", words[1], "' command\r\n")
        return
    end
    command(words, words[2], words[3], words[4], words[5])
end


-- The number between a mark at `pos` and the end of its line, and where the next
-- line begins. nil: the line is not complete, or is none: then an error comes, too.
local function number(data, pos, mark, max)
    local last = find(data, "\r\n", pos, true)
    if not last then
        return nil, #data - pos > 20 and "too long a number" or nil
    end
    local n = tonumber(sub(data, pos + 1, last - 1))
    if byte(data, pos) ~= mark or not n or n < 0 or n > max or n % 1 ~= 0 then
        return nil, "no such number"
    end
    return n, last + 2
end


local STAR, DOLLAR = byte("*$", 1, 2)

-- The words of the command at `pos`, and where the next one begins. nil: so many
-- bytes are missing, at least; or an error.
local function parse(data, pos)
    if byte(data, pos) ~= STAR then
        local last = find(data, "\n", pos, true)
        if not last then
            return nil, #data - pos > CHUNK and "too long a line" or 1
        end
        local words = {}
        for word in sub(data, pos, last):gmatch("%S+") do
            words[#words + 1] = word
        end
        return words, last + 1
    end

    local count, next = number(data, pos, STAR, MAX_WORDS)
    if not count then
        return nil, next or 1
    end
    local words = {}
    for i = 1, count do
        local size, begin = number(data, next, DOLLAR, MAX_SIZE)
        if not size then
            return nil, begin or 1
        end
        next = begin + size + 2
        if #data < next - 1 then
            return nil, next - 1 - #data
        end
        words[i] = sub(data, begin, next - 3)
    end
    return words, next
end


local data, pos = "", 1

while true do
    local words, next = parse(data, pos)
    if words then
        pos = next
        if words[1] then
            answer(words)
        end
    elseif type(next) == "number" then
        local more = ngx.receive(math.max(next, CHUNK), next)
        if not more then
            return
        end
        data = pos > #data and more or sub(data, pos) .. more
        pos = 1
    else
        print("-ERR Protocol error: ", next, "\r\n")
        return
    end
end
