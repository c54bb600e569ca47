-- A greeting, then a dialogue in which each answer depends on what was said
-- before: the state is simply where the script is.

ngx.say("220 ready, who are you?")

local name = ngx.receive("*l")
while name == "" do
    ngx.say("501 a name, please")
    name = ngx.receive("*l")
end
if not name then
    return
end

ngx.say("250 hello ", name, ", how many bytes do you send?")

local size = tonumber(ngx.receive("*l") or "")
if not size or size < 1 or size > 65536 then
    ngx.say("501 from 1 to 65536")
    return
end

ngx.say("354 go on")

local body, err, partial = ngx.receive(size)
if not body then
    ngx.log(ngx.WARN, name, " sent ", #(partial or ""), " of ", size,
            " bytes: ", err)
    return
end
ngx.say("250 ", ngx.crc32_long(body))
