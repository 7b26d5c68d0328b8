"""redis-py in its default configuration. PORT is the server's."""
import os
import threading
import unittest

import redis

PORT = int(os.environ["PORT"])


def connect(**options):
    return redis.Redis(host="127.0.0.1", port=PORT, decode_responses=True, socket_timeout=30, **options)


class Smoke(unittest.TestCase):
    def setUp(self):
        self.r = connect()
        self.r.flushall()

    def tearDown(self):
        self.r.close()

    def test_types(self):
        r = self.r
        self.assertTrue(r.set("k", "v", ex=100))
        self.assertEqual(r.get("k"), "v")
        self.assertGreater(r.ttl("k"), 0)
        r.hset("h", mapping={"a": 1, "b": "two"})
        self.assertEqual(r.hgetall("h"), {"a": "1", "b": "two"})
        r.rpush("l", 1, 2, 3)
        self.assertEqual(r.lrange("l", 0, -1), ["1", "2", "3"])
        self.assertEqual(r.lpos("l", 2), 1)
        r.sadd("s", "x", "y")
        self.assertEqual(r.smembers("s"), {"x", "y"})
        r.zadd("z", {"a": 1.5, "b": 2})
        self.assertEqual(r.zrange("z", 0, -1, withscores=True), [("a", 1.5), ("b", 2.0)])
        entry = r.xadd("x", {"f": "v"})
        self.assertEqual(r.xrange("x"), [(entry, {"f": "v"})])
        r.geoadd("g", (13.361389, 38.115556, "Palermo"))
        self.assertEqual(r.geosearch("g", longitude=13, latitude=38, radius=100, unit="km"), ["Palermo"])
        r.pfadd("hll", *range(1000))
        self.assertAlmostEqual(r.pfcount("hll"), 1000, delta=30)
        r.setbit("bits", 7, 1)
        self.assertEqual(r.bitcount("bits"), 1)

    def test_pipelines_and_transactions(self):
        with self.r.pipeline() as p:
            self.assertEqual(p.set("k", 1).incr("k").get("k").execute(), [True, 2, "2"])
        with self.r.pipeline() as p:
            p.watch("k")
            connect().set("k", 9)
            p.multi()
            p.incr("k")
            with self.assertRaises(redis.WatchError):
                p.execute()
        self.r.transaction(lambda p: p.multi() or p.incr("k"), "k")
        self.assertEqual(self.r.get("k"), "10")

    def test_lock(self):
        lock = self.r.lock("lock", timeout=30)
        self.assertTrue(lock.acquire())
        self.assertFalse(connect().lock("lock", timeout=30).acquire(blocking=False))
        lock.extend(10)
        lock.release()
        with self.assertRaises(redis.exceptions.LockError):
            lock.release()

    def test_scripts_and_functions(self):
        double = self.r.register_script("return ARGV[1] * 2")
        self.r.script_flush()
        self.assertEqual(double(args=[21]), 42)
        self.r.function_load("#!lua name=lib\nredis.register_function('hi', function() return 'there' end)", replace=True)
        self.assertEqual(self.r.fcall("hi", 0), "there")

    def test_pubsub(self):
        sub = self.r.pubsub()
        sub.subscribe("news")
        sub.psubscribe("n*")
        for _ in range(2):
            self.assertIn("subscribe", sub.get_message(timeout=30)["type"])
        self.assertEqual(connect().publish("news", "hello"), 2)
        got = [sub.get_message(timeout=30) for _ in range(2)]
        self.assertEqual([(m["type"], m["data"]) for m in got], [("message", "hello"), ("pmessage", "hello")])
        sub.close()

    def test_blocking(self):
        got = []
        worker = threading.Thread(target=lambda: got.append(connect().brpop(["low", "high"], timeout=20)))
        worker.start()
        self.r.lpush("high", "job")
        worker.join(30)
        self.assertEqual(got, [("high", "job")])

    def test_stream_groups(self):
        r = self.r
        r.xgroup_create("x", "g", id="0", mkstream=True)
        ids = [r.xadd("x", {"n": n}) for n in range(10)]
        [[name, entries]] = r.xreadgroup("g", "alice", {"x": ">"}, count=4)
        self.assertEqual([e for e, _ in entries], ids[:4])
        self.assertEqual(r.xack("x", "g", ids[0]), 1)
        self.assertEqual(r.xpending("x", "g")["pending"], 3)
        self.assertEqual(len(r.xautoclaim("x", "g", "bob", 0)[1]), 3)
        self.assertEqual(r.xinfo_groups("x")[0]["consumers"], 2)

    def test_administration(self):
        r = self.r
        for section in ("server", "clients", "memory", "persistence", "stats", "replication", "cpu", "commandstats", "keyspace"):
            self.assertIsInstance(r.info(section), dict)
        self.assertIn("redis_version", r.info())
        r.config_set("maxmemory-policy", "allkeys-lru")
        self.assertEqual(r.config_get("maxmemory*")["maxmemory-policy"], "allkeys-lru")
        r.config_set("maxmemory-policy", "noeviction")
        r.client_setname("smoke")
        self.assertIn("smoke", [c["name"] for c in r.client_list()])
        r.slowlog_reset()
        r.config_set("slowlog-log-slower-than", 0)
        r.get("slow")
        self.assertTrue(any(b"GET slow" in e["command"] or "GET slow" in str(e["command"]) for e in r.slowlog_get()))
        r.config_set("slowlog-log-slower-than", 10000)
        self.assertGreater(len(r.command()), 200)
        self.assertGreater(r.memory_usage("x") or 1, 0)
        self.assertEqual(r.acl_whoami(), "default")
        self.assertGreater(r.dbsize() + 1, 0)

    def test_monitor(self):
        with connect().monitor() as m:
            self.r.set("watched", 1)
            for seen in m.listen():
                if "watched" in seen["command"]:
                    break
            self.assertEqual(seen["command"].split()[0].upper(), "SET")

    def test_users(self):
        self.r.acl_setuser("reader", enabled=True, passwords=["+secret"], keys=["open:*"], categories=["+@read"], commands=["+ping"])
        reader = connect(username="reader", password="secret")
        self.assertIsNone(reader.get("open:1"))
        for forbidden in (lambda: reader.get("closed"), lambda: reader.set("open:1", 1)):
            with self.assertRaises(redis.exceptions.NoPermissionError):
                forbidden()
        self.assertEqual(self.r.acl_deluser("reader"), 1)
        with self.assertRaisesRegex(redis.exceptions.ResponseError, "WRONGPASS"):
            connect(username="reader", password="secret").ping()


if __name__ == "__main__":
    unittest.main()
