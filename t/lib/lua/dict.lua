-- For suites of shared dictionaries.  A dictionary outlives a run of a block,
-- and a reload: each script begins with an empty one.  For blocks with
--     lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";


local _M = {}


-- A dictionary without what an earlier run has left in it.
function _M.empty(name)
    local dict = ngx.shared[name]
    dict:flush_all()
    dict:flush_expired()
    return dict
end


-- Says how many values there are, and which.
function _M.show(...)
    local texts = {}
    for i = 1, select("#", ...) do
        local value = select(i, ...)
        texts[i] = type(value) == "string" and value
            or type(value) == "number" and ("%.17g"):format(value)
            or tostring(value)
    end
    ngx.say(select("#", ...), ": ", table.concat(texts, ", "))
end


-- Says with which error a function ends, from the line on.
function _M.raises(f, ...)
    local ok, err = pcall(f, ...)
    if ok then
        ngx.say("no error: ", tostring(err))
    else
        ngx.say(type(err) == "string" and err:gsub("^.-:(%d+:)", "%1", 1)
                or type(err))
    end
end


-- The live keys, in the order of the alphabet.
function _M.keys(dict, n)
    local keys = dict:get_keys(n or 0)
    table.sort(keys)
    return table.concat(keys, " ")
end


-- Does what a client says, an expression a line; the dictionaries are variables
-- there. The values are the answer.
function _M.serve()
    local env = setmetatable({ ngx = ngx }, { __index = ngx.shared })
    local function texts_of(...)
        local texts = {}
        for i = 1, select("#", ...) do
            texts[i] = tostring((select(i, ...)))
        end
        return table.concat(texts, " ")
    end
    while true do
        local line = ngx.receive("*l")
        if not line then return end
        local f = assert(loadstring("return " .. line, line))
        ngx.say(texts_of(setfenv(f, env)()))
    end
end


return _M
