// ioredis in its default configuration. PORT is the server's.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { Redis } from 'ioredis';

const options = { host: '127.0.0.1', port: Number(process.env.PORT) };
let redis;
before(async () => {
  redis = new Redis(options);
  await redis.flushall();
});
after(() => redis.quit());

test('strings, and bytes that are no text', async () => {
  assert.equal(await redis.set('k', 'v', 'PX', 100000), 'OK');
  assert.equal(await redis.get('k'), 'v');
  assert.ok((await redis.pttl('k')) > 0);
  const bytes = Buffer.from([0, 1, 2, 255, 13, 10]);
  await redis.set(Buffer.from([1, 0, 2]), bytes);
  assert.deepEqual(await redis.getBuffer(Buffer.from([1, 0, 2])), bytes);
  assert.equal(await redis.get('missing'), null);
});

test('hashes, lists, sets, sorted sets, streams', async () => {
  await redis.hset('h', { a: 1, b: 'two' });
  assert.deepEqual({ ...(await redis.hgetall('h')) }, { a: '1', b: 'two' });
  await redis.rpush('l', 1, 2, 3);
  assert.deepEqual(await redis.lrange('l', 0, -1), ['1', '2', '3']);
  await redis.sadd('s', 'x', 'y');
  assert.deepEqual((await redis.smembers('s')).sort(), ['x', 'y']);
  await redis.zadd('z', 1.5, 'a', 2, 'b');
  assert.deepEqual(await redis.zrange('z', 0, 0), ['a']);
  assert.equal(Number(await redis.zscore('z', 'a')), 1.5);
  const id = await redis.xadd('x', '*', 'f', 'v');
  assert.deepEqual(await redis.xrange('x', '-', '+'), [[id, ['f', 'v']]]);
});

test('pipelines and transactions', async () => {
  const piped = await redis.pipeline().set('p', 1).incr('p').get('p').hset('p', 'f', 'v').exec();
  assert.deepEqual(piped.slice(0, 3).map(([, reply]) => reply), ['OK', 2, '2']);
  assert.match(piped[3][0].message, /^WRONGTYPE/);
  const done = await redis.multi().incr('m').incr('m').exec();
  assert.deepEqual(done.map(([, reply]) => reply), [1, 2]);
  const other = new Redis(options);
  await redis.watch('m');
  await other.set('m', 9);
  assert.equal(await redis.multi().incr('m').exec(), null);
  await other.quit();
});

test('scripts: defineCommand loads and calls by digest', async () => {
  redis.defineCommand('addTo', { numberOfKeys: 1, lua: "return redis.call('INCRBY', KEYS[1], ARGV[1])" });
  assert.equal(await redis.addTo('sum', 5), 5);
  await redis.script('FLUSH');
  assert.equal(await redis.addTo('sum', 2), 7); // NOSCRIPT sends the script again
  await assert.rejects(redis.eval("return redis.error_reply('MY own words')", 0), /^ReplyError: MY own words/);
});

test('publish and subscribe', async () => {
  const sub = new Redis(options);
  await sub.subscribe('news');
  await sub.psubscribe('n*');
  const both = Promise.all([once(sub, 'message'), once(sub, 'pmessage')]);
  assert.equal(await redis.publish('news', 'hello'), 2);
  assert.deepEqual(await both, [['news', 'hello'], ['n*', 'news', 'hello']]);
  await sub.ssubscribe('shard');
  const shard = once(sub, 'smessage');
  assert.equal(await redis.spublish('shard', 'one'), 1);
  assert.deepEqual(await shard, ['shard', 'one']);
  await sub.unsubscribe('news');
  await sub.quit();
});

test('blocking commands', async () => {
  const worker = new Redis(options);
  const popped = worker.blpop('jobs', 'more', 20);
  await redis.rpush('more', 'job');
  assert.deepEqual(await popped, ['more', 'job']);
  const moved = worker.blmove('from', 'to', 'LEFT', 'RIGHT', 20);
  await redis.eval("redis.call('RPUSH', 'from', 'x')", 0);
  assert.equal(await moved, 'x');
  await worker.quit();
});

test('scanning streams', async () => {
  const names = Array.from({ length: 500 }, (_, i) => `scan:${i}`);
  await redis.mset(Object.fromEntries(names.map((name) => [name, 1])));
  const seen = new Set();
  for await (const keys of redis.scanStream({ match: 'scan:*', count: 50 })) keys.forEach((key) => seen.add(key));
  assert.equal(seen.size, 500);
});

test('keyspace notifications', async () => {
  await redis.config('SET', 'notify-keyspace-events', 'KEA');
  const sub = new Redis(options);
  await sub.psubscribe('__keyevent@0__:expired');
  const gone = once(sub, 'pmessage');
  await redis.set('short', 1, 'PX', 10);
  assert.equal((await gone)[2], 'short');
  await redis.config('SET', 'notify-keyspace-events', '');
  await sub.quit();
});

test('monitor', async () => {
  const monitor = await redis.duplicate().monitor();
  const seen = new Promise((resolve) => {
    monitor.on('monitor', (time, args) => { if (args[1] === 'watched') resolve(args); });
  });
  await redis.get('watched');
  assert.equal((await seen)[0].toLowerCase(), 'get');
  monitor.disconnect();
});

test('a client goes on after it was killed', async () => {
  const client = new Redis(options);
  const id = await client.client('ID');
  const back = once(client, 'close').then(() => once(client, 'ready'));
  assert.equal(Number(await redis.client('KILL', 'ID', id)), 1);
  await back;
  assert.equal(await client.ping(), 'PONG');
  await client.quit();
});

test('users', async () => {
  await redis.acl('SETUSER', 'reader', 'on', '>secret', '~open:*', '+@read', '+ping', '+info');
  const reader = new Redis({ ...options, username: 'reader', password: 'secret' });
  assert.equal(await reader.get('open:1'), null);
  await assert.rejects(reader.get('closed:1'), /NOPERM/);
  await assert.rejects(reader.set('open:1', 1), /NOPERM/);
  reader.disconnect();
  await redis.acl('DELUSER', 'reader');
});
