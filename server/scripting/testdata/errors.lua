return redis.error_reply('ERR my')
---
return redis.error_reply('my')
---
return redis.error_reply('-my x')
---
return redis.error_reply('')
---
return {err='x y'}
---
return {err='-x y'}
---
return redis.error_reply()
---
return redis.error_reply({})
---
return redis.status_reply('a\r\nb')
---
return {err='a\r\nb'}
---
return redis.error_reply('a\r\nb')
---
return redis.call('set','a')
---
assert(false)
---
assert(nil,'msg')
---
local t=setmetatable({},{__index=function(t,k) error('idx '..k) end}) return t.foo
---
setmetatable(_G,{})
---
return {loadstring('x=')}
---
return redis.sha1hex()
---
return redis.status_reply()
---
return redis.setresp(4)
---
return redis.setresp()
---
return redis.log()
---
return redis.log(1)
---
return redis.log('a','b')
---
return redis.log(9,'b')
---
return redis.set_repl(55)
---
return redis.set_repl()
---
return redis.call('eval','return 1',0)
---
return redis.acl_check_cmd('nope')
---
return redis.acl_check_cmd()
---
return redis.acl_check_cmd('get','x')
---
return redis.register_function('a')
---
return tostring(0/0)..tostring(1e15)..tostring(2^53)
---
return redis.replicate_commands()
---
return redis.breakpoint()
---
return redis.debug('x')
---
local f = loadstring('error("in")') f()
---
local co=coroutine.create(function() error('c') end) return {coroutine.resume(co)}
---
local co=coroutine.wrap(function() error('c') end) co()
---
local co=coroutine.wrap(function() coroutine.yield(1) end) co() co() co()
---
coroutine.yield(1)
---
pcall(coroutine.yield,1) return select(2,pcall(coroutine.yield,1))
---
string.rep('x',-1) return 1
---
return {1,2,nil,4}
---
return {1,false,true,'x',1.9,{ok='fine'},{err='bad'}}
---
return 3.99
---
return -3.99
---
return 1e30
---
return {double=3.5}
---
return {map={a=1}}
---
return {set={a=true}}
---
return {big_number='123'}
---
return {verbatim_string={string='abc',format='txt'}}
---
redis.setresp(3) return true
---
redis.setresp(3) return nil
---
redis.setresp(3) return redis.call('hgetall','nope')
---
return cjson.encode({1,2,3})
---
return cjson.encode({})
---
return cjson.encode({a=1})
---
return cjson.decode('[1,2')
---
return cjson.decode('{')
---
return cjson.decode('')
---
return cjson.encode(1/0)
---
return cjson.encode({[1]=1,[100]=2})
---
return cjson.encode(print)
---
return cjson.encode(tostring)
---
return cjson.encode({[true]=1})
---
return cjson.encode()
---
return cmsgpack.pack()
---
return cmsgpack.unpack('\220')
---
return cmsgpack.unpack('\193')
---
return cmsgpack.unpack('\196\001a')
---
return {cmsgpack.unpack_one('\1\2',0)}
---
return cmsgpack.unpack_one('\1\2',5)
---
return cmsgpack.unpack_limit('\1\2',-1)
---
return struct.pack('Z')
---
return struct.size('s')
---
return struct.size('c0')
---
return struct.pack('i33',1)
---
return struct.pack('!3i',1)
---
return struct.unpack('i','a')
---
return struct.unpack('c0','a')
---
return struct.unpack('s','abc')
---
return struct.pack('c5','abc')
---
return bit.tohex(255,-4)
---
return math.random(0)
---
return math.random(1,2,3)
---
return tostring(math.random())
---
math.randomseed(5) return {math.random(1000),math.random(1000),tostring(math.random())}
---
return {tostring(cjson.null), tostring(nil), type(cjson.null)}
---
local function d(n) if n==0 then return 0 end return 1+d(n-1) end return d(16380)
---
local function d(n) if n==0 then return 0 end return 1+d(n-1) end return d(16381)
---
local function d(n) if n==0 then return 0 end return 1+d(n-1) end return d(16382)
---
local function p(n) if n==0 then return 0 end local ok,e=pcall(p,n-1) if not ok then return e end return e+1 end return p(190)
---
local function p(n) if n==0 then return 0 end local ok,e=pcall(p,n-1) if not ok then return e end return e+1 end return p(205)
---
return {unpack({},1,7999)}
---
return {unpack({},1,8000)}
---
local t={} t[nil]=1
---
local t={} t[0/0]=1
---
return #5
---
return -{}
---
local a; a()
---
local a={}; a.b.c()
---
local a={}; a.b()
---
a.b=1
---
return ('x')()
---
for i='a',2 do end
---
for i in 5 do end
---
return next({},'x')
---
return ipairs()
---
return table.concat({1,{},3})
---
return table.sort({1,'x'})
---
return table.sort({3,2,1,4,5,6,7,8},function() return true end)
---
return ('%d'):format('x')
---
return ('%y'):format(1)
---
return string.find('a','[a')
---
return string.find('a','%')
---
return string.gsub('a','a','%2')
---
return tonumber('10',99)
---
return select(0)
---
return getmetatable('').__index == string
---
return setmetatable(1,{})
---
return collectgarbage('x')
---
local t=setmetatable({},{__metatable=1}) setmetatable(t,{})
---
return rawset(_G,'a',1)
---
return table.insert(_G,1)
---
return load(function() return nil end)()
---
goto = 1
---
local x = 5 x.y.z = 1
---
local x = 'a' + 1
---
local t={} return t.x + 1
---
local t={} return t[1] .. 'a'
---
return redis.call('get','k') .. 'x'
---
return nil .. 'x'
---
break
---
return ...
---
x = = 1
---
local function f( end
---
if x then
---
x = 'a\300'
---
x = 1e
---
x = [[a
---
--[[a
---
f\n()
---
return 1,2,3
---
redis.call = 1
---
KEYS = 1
---
KEYS[1]='q' return KEYS[1]
---
return #KEYS
---
return redis.pcall('get')
---
return pcall(redis.call,'get')
---
local ok,e=pcall(redis.call,'get') return {type(e), e.err, tostring(e.source), tostring(e.line)}
---
local e=redis.pcall('get') return {type(e), e.err, tostring(e.source), tostring(e.line), tostring(e.ignore_error_stats_update)}
---
local a={} local b={a} for i=1,4000 do b={b} end return b
---
error({err='a\r\nb'})
---
error('a\r\nb')
---
return {err=5}
---
return {ok=5}
---
error(setmetatable({},{__tostring=function() return 'x' end}).foo)
---
error(true)
