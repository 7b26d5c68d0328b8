// node-redis in its default configuration. PORT is the server's.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { createClient, createClientPool } from 'redis';

const url = `redis://127.0.0.1:${process.env.PORT}`;
const connect = (options = {}) => {
  const client = createClient({ url, ...options });
  client.on('error', () => {});
  return client.connect();
};
let redis;
before(async () => {
  redis = await connect();
  await redis.flushAll();
});
after(() => redis.close());

for (const RESP of [2, 3]) {
  test(`replies have one shape in RESP${RESP}`, async () => {
    const client = await connect({ RESP });
    await client.del(['h', 'z', 's', 'x', 'l']);
    await client.hSet('h', { a: '1', b: '2' });
    assert.deepEqual({ ...(await client.hGetAll('h')) }, { a: '1', b: '2' });
    await client.zAdd('z', [{ score: 1.5, value: 'a' }, { score: Infinity, value: 'b' }]);
    assert.deepEqual(await client.zRangeWithScores('z', 0, -1), [{ value: 'a', score: 1.5 }, { value: 'b', score: Infinity }]);
    await client.sAdd('s', ['x', 'y']);
    assert.deepEqual([...(await client.sMembers('s'))].sort(), ['x', 'y']);
    const id = await client.xAdd('x', '*', { f: 'v' });
    assert.equal((await client.xRange('x', '-', '+'))[0].id, id);
    await client.rPush('l', ['1', '2']);
    assert.deepEqual(await client.lRange('l', 0, -1), ['1', '2']);
    assert.equal((await client.configGet('maxmemory-policy'))['maxmemory-policy'], 'noeviction');
    assert.match(await client.info('server'), /redis_version:7\.4/);
    client.destroy();
  });
}

test('pipelining of one tick, transactions, WATCH', async () => {
  const replies = await Promise.all([redis.set('k', '1'), redis.incr('k'), redis.get('k')]);
  assert.deepEqual(replies, ['OK', 2, '2']);
  assert.deepEqual(await redis.multi().set('m', 'x').get('m').exec(), ['OK', 'x']);
  const other = await connect();
  await redis.watch('m');
  await other.set('m', 'y');
  await assert.rejects(redis.multi().get('m').exec(), /WatchError|One \(or more\)/);
  other.destroy();
});

test('a pool isolates transactions', async () => {
  const pool = await createClientPool({ url }, { minimum: 1, maximum: 4 }).connect();
  await Promise.all(Array.from({ length: 100 }, () => pool.incr('pooled')));
  assert.equal(await pool.get('pooled'), '100');
  await pool.close();
});

test('publish and subscribe, sharded too', async () => {
  const sub = await connect();
  const got = [];
  let arrived;
  const all = new Promise((resolve) => { arrived = resolve; });
  const listener = (message, channel) => { if (got.push([channel, message]) === 3) arrived(); };
  await sub.subscribe('news', listener);
  await sub.pSubscribe('n?ws', listener);
  await sub.sSubscribe('shard', listener);
  await redis.publish('news', 'a');
  await redis.sPublish('shard', 'b');
  await all;
  assert.deepEqual(got.sort(), [['news', 'a'], ['news', 'a'], ['shard', 'b']]);
  sub.destroy();
});

test('blocking', async () => {
  const worker = await connect();
  const popped = worker.bzPopMin('due', 20);
  await redis.zAdd('due', { score: 3, value: 'task' });
  assert.deepEqual({ ...(await popped) }, { key: 'due', value: 'task', score: 3 });
  const read = worker.xRead({ key: 'events', id: '$' }, { BLOCK: 20000 });
  while ((await redis.info('clients')).match(/blocked_clients:(\d+)/)[1] === '0');
  await redis.xAdd('events', '*', { f: 'v' });
  assert.equal((await read)[0].messages[0].message.f, 'v');
  worker.destroy();
});

test('client-side caching', async () => {
  const cached = await connect({ RESP: 3, clientSideCache: { ttl: 0, maxEntries: 0, evictPolicy: 'LRU' } });
  await redis.set('cached', 'old');
  assert.equal(await cached.get('cached'), 'old');
  assert.equal(await cached.get('cached'), 'old');
  await redis.set('cached', 'new');
  const patience = Date.now() + 20000;
  while ((await cached.get('cached')) !== 'new') {
    assert.ok(Date.now() < patience, 'the old value stays');
    await setImmediate(); // reads from the cache alone never let the invalidation in
  }
  cached.destroy();
});

test('scripts and functions', async () => {
  assert.equal(await redis.eval('return ARGV[1] .. KEYS[1]', { keys: ['k'], arguments: ['v'] }), 'vk');
  const sha = await redis.scriptLoad('return 7');
  assert.equal(await redis.evalSha(sha), 7);
  await redis.functionLoad("#!lua name=smoke\nredis.register_function('twice', function(keys, args) return tonumber(args[1]) * 2 end)", { REPLACE: true });
  assert.equal(await redis.fCall('twice', { keys: [], arguments: ['21'] }), 42);
  await redis.functionDelete('smoke');
});

test('scan iterators', async () => {
  const names = Array.from({ length: 300 }, (_, i) => `it:${i}`);
  await redis.mSet(names.map((name) => [name, '1']));
  const seen = new Set();
  for await (const keys of redis.scanIterator({ MATCH: 'it:*' })) for (const key of keys) seen.add(key);
  assert.equal(seen.size, 300);
});

test('users', async () => {
  await redis.aclSetUser('writer', ['on', '>secret', '~w:*', '+set']);
  const writer = await connect({ username: 'writer', password: 'secret', disableClientInfo: true, maintNotifications: 'disabled' });
  assert.equal(await writer.set('w:1', 'x'), 'OK');
  await assert.rejects(writer.get('w:1'), /NOPERM/);
  assert.ok((await redis.aclLog()).length > 0);
  writer.destroy();
  await redis.aclDelUser('writer');
});
