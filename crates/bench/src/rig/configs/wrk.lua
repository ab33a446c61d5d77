-- For wrk: sends one request over and over, or with another token or address each time, and counts every status.
-- wrk URL -- TEMPLATE TOKENS PREFIX RUN COUNT
--   TEMPLATE  a file: the request, with {token} and {address} where those go
--   TOKENS    fixed | new | turn: none is made, each is new, COUNT of them in turn, in an order that soon is all over them
--   PREFIX    what each token that is made begins with
--   RUN       a number in each token that is new
-- It prints one line of JSON.

local threads = {}

function setup(thread)
    table.insert(threads, thread)
end

function init(args)
    local file = assert(io.open(args[1], "rb"))
    template = file:read("*a")
    file:close()
    tokens, prefix, run, count = args[2], args[3], tonumber(args[4]), tonumber(args[5])
    sent, statuses = 0, {}
    -- Where each is, there is one {token}, and before it {address} or none.
    head, tail = template:match("^(.-){token}(.*)$")
    if head then first, second = head:match("^(.-){address}(.*)$") end
end

local function address(n)
    return string.format("10.%d.%d.%d", math.floor(n / 65536) % 256, math.floor(n / 256) % 256, n % 256)
end

function request()
    if tokens == "fixed" then return template end
    local token = string.format("%s-%06d-%011d", prefix, run, tokens == "turn" and (sent * 7919) % count or sent)
    local before = first and first .. address(sent) .. second or head
    sent = sent + 1
    return before .. token .. tail
end

function response(status)
    statuses[status] = (statuses[status] or 0) + 1
end

function done(summary)
    local counts = {}
    for _, thread in ipairs(threads) do
        for status, number in pairs(thread:get("statuses")) do
            counts[status] = (counts[status] or 0) + number
        end
    end
    local fields = {}
    for status, number in pairs(counts) do
        table.insert(fields, string.format('"%d":%d', status, number))
    end
    local errors = summary.errors
    io.write(string.format('{"statuses":{%s},"broken":%d}\n', table.concat(fields, ","),
        errors.connect + errors.read + errors.write + errors.timeout))
end
