-- A line says how many bytes to send.
local chunk = string.rep("0123456789abcdef", 4096)

local left = tonumber(ngx.receive("*l"))
while left >= #chunk do
    ngx.print(chunk)
    left = left - #chunk
end
if left > 0 then
    ngx.print(string.sub(chunk, 1, left))
end
