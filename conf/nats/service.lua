-- A member of the service's queue group: of all members anywhere one gets each
-- request. It lives in a timer, as long as the worker of nginx does, and
-- connects again when the server was away.

local nats = require "resty.nats"

local AGAIN = 1        -- seconds; until the next try
local LOOK = 500       -- ms; how often it looks whether the worker exits

local NUMERALS = {
    { 1000, "M" }, { 900, "CM" }, { 500, "D" }, { 400, "CD" }, { 100, "C" },
    { 90, "XC" }, { 50, "L" }, { 40, "XL" }, { 10, "X" }, { 9, "IX" },
    { 5, "V" }, { 4, "IV" }, { 1, "I" },
}


local function roman(number)
    local letters = {}
    for _, numeral in ipairs(NUMERALS) do
        while number >= numeral[1] do
            number = number - numeral[1]
            letters[#letters + 1] = numeral[2]
        end
    end
    return table.concat(letters)
end


local function answer(request)
    local number = tonumber(request.payload)
    if not number or number < 1 or number >= 4000 or number % 1 ~= 0 then
        return request:respond("", { Error = "from 1 to 3999, please" })
    end
    return request:respond(roman(number))
end


-- Answers until the connection fails or the worker exits.
local function serve()
    local n = nats:new()
    local ok, err = n:connect(nats_server[1], nats_server[2])
    if not ok then
        return err
    end
    ok, err = n:subscribe("roman", answer, { queue = "romans" })
    while ok or err == "timeout" do
        if ngx.worker.exiting() then
            break
        end
        ok, err = n:wait(0, LOOK)
    end
    n:close()
    return err
end


local function live()
    while not ngx.worker.exiting() do
        local err = serve()
        if not ngx.worker.exiting() then
            ngx.log(ngx.ERR, "roman: ", err)
            ngx.sleep(AGAIN)
        end
    end
end


local ok, err = ngx.timer.at(0, live)
if not ok then
    ngx.log(ngx.ERR, "no service: ", err)
end
