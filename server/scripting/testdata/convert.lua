return KEYS
---
return {KEYS[2], ARGV[1], #KEYS, #ARGV}
---
return redis.call('get', 'text')
---
return redis.call('get', 'nope')
---
return {redis.call('get', 'nope'), redis.call('get', 'text')}
---
return redis.call('lrange', 'list', 0, -1)
---
return redis.call('hgetall', 'hash')
---
return redis.call('smembers', 'set')
---
redis.setresp(3) return redis.call('hgetall', 'hash')
---
redis.setresp(3) return redis.call('smembers', 'set')
---
redis.setresp(3) local h = redis.call('hgetall', 'hash') return {type(h.map), h.map.f}
---
redis.setresp(3) local h = redis.call('smembers', 'set') return {type(h.set), tostring(h.set.m)}
---
redis.setresp(3) return {redis.call('get', 'nope'), 1}
---
redis.setresp(3) return {true, false, {double=1.5}, {big_number='12345678901234567890'}, {verbatim_string={string='hi', format='txt'}}}
---
return {true, false, {double=1.5}, {big_number='12345678901234567890'}, {verbatim_string={string='hi', format='txt'}}}
---
return {double=1e300*1e300}
---
return {double=-0.25}
---
return {map={a=1}}
---
return {map={}}
---
return {set={}}
---
return {map={{1,2}}}
---
return redis.call('set', 'x', 1)
---
return redis.call('incr', 'n') + redis.call('incr', 'n')
---
return redis.call('incr', 'list')
---
return redis.pcall('incr', 'list')
---
return redis.call('incr', 'text')
---
return redis.call('ping')
---
return redis.call('PING').ok
---
return redis.call('echo', 1.5)
---
return redis.call('echo', 0.1)
---
return redis.call('echo', 1e15)
---
return redis.call('echo', 1e17)
---
return redis.call('echo', 123456789012345678)
---
return redis.call('echo', 1e100)
---
return redis.call('echo', -1)
---
return redis.call('echo', -0)
---
return redis.call('echo', 1/0)
---
return redis.call('echo', 3.0)
---
return redis.call('echo', 2^53)
---
return redis.call('echo', 1732252800123.456)
---
return 1e15
---
return -1e15
---
return 9007199254740993
---
return 0/0
---
return 1/0
---
return 'a\0b'
---
return {1, 2, {3, {4, {}}}}
---
return {[1]=1, [3]=3}
---
return {a=1}
---
return {ok='a\0b'}
---
return redis.status_reply('FINE')
---
return redis.error_reply('MY error with words')
---
return redis.error_reply('MYERR')
---
return {err='MYERR'}
---
error(redis.error_reply('CODE text'))
---
local ok, e = pcall(redis.call, 'incr', 'list') return {tostring(ok), e}
---
local ok, e = pcall(error, {err='x y'}) return {tostring(ok), type(e), e}
---
local ok, e = pcall(error, {a=1}) return {tostring(ok), type(e)}
---
local ok, e = xpcall(function() redis.call('incr', 'list') end, function(e) return type(e) end) return {tostring(ok), e}
---
local r = redis.pcall('nope') return {r.err, type(r.ok)}
---
return {redis.REDIS_VERSION, redis.REDIS_VERSION_NUM, redis.LOG_DEBUG, redis.LOG_WARNING, redis.REPL_ALL, redis.REPL_NONE, redis.REPL_SLAVE}
---
return redis.sha1hex('abc')
---
return redis.sha1hex(12)
---
redis.log(redis.LOG_NOTICE, 'x', 1, {}) return 1
---
redis.set_repl(redis.REPL_ALL) return redis.replicate_commands()
---
return {redis.acl_check_cmd('get', 'x'), redis.acl_check_cmd('SET', 'x', 'y')}
---
KEYS[1] = 'z' ARGV[3] = 'q' return {KEYS[1], ARGV[3]}
---
local t = {} for i = 1, 100 do t[i] = i end return t
---
return {unpack({1,2,3}, 2)}
---
return select('#', unpack({}, 1, 7900))
---
local b = {} for i = 1, 7993 do b = {b} end return b
---
local b = {} for i = 1, 7996 do b = {b} end return b
---
local b = {map={}} for i = 1, 2660 do b = {map={a=b}} end return b
---
local b = {map={}} for i = 1, 2666 do b = {map={a=b}} end return b
---
local b = {set={}} for i = 1, 10 do b = {set={[i]=true}} end return b
---
return
---
return nil
---
local a = 5
