-- The script of a server whose clients say what is to be done: runs each line
-- that it receives, and answers with the number of results and the results.


local function show(...)
    local results = { ... }
    for i = 1, select("#", ...) do
        results[i] = tostring(results[i])
    end
    ngx.say(select("#", ...), ":", table.concat(results, ","))
end


while true do
    local line = ngx.receive("*l")
    if not line then return end
    show(assert(loadstring(line, "=console"))())
end
