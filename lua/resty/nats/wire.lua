-- What of the client is native besides frames.lua: the socket, queues of light
-- threads (src/api/sync.rs), a clock, JSON. The module gives these functions to
-- nobody but its own libraries.

local _, native = ...

return {
    nats_read = native.nats_read,
    nats_push = native.nats_push,
    nats_flush = native.nats_flush,
    nats_queue = native.nats_queue,
    nats_close = native.nats_close,
    nats_info = native.nats_info,
    nats_limit = native.nats_limit,
    nats_timeout = native.nats_timeout,
    msec = native.msec,
    can_read = native.tcp_can_read,
    first = native.first,
    park = native.park,
    queued = native.queued,
    unpark = native.unpark,
    json_decode = native.json_decode,
    json_encode = native.json_encode,
    random_token = native.random_token,
}
