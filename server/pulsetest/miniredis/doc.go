// Package miniredis has the API of github.com/alicebob/miniredis/v2 with Pulse behind it: tests written for the one run on the other,
// with all commands, blocking and scripts of a whole server.
//
//	m := miniredis.RunT(t)
//	client := redis.NewClient(&redis.Options{Addr: m.Addr()})
//	...
//	m.FastForward(time.Minute)
//	m.CheckGet(t, "key", "value")
//
// # Moving a project
//
// Either the import path is changed to this one, or nothing but go.mod is: the module in the folder v2module has the path of miniredis
// and forwards everything, so
//
//	go mod edit -replace github.com/alicebob/miniredis/v2=github.com/streampulse/pulse/server/pulsetest/miniredis/v2module@version
//
// or, with a copy of Pulse at hand,
//
//	go mod edit -replace github.com/alicebob/miniredis/v2=/path/pulse/server/pulsetest/miniredis/v2module
//	go mod edit -replace github.com/streampulse/pulse=/path/pulse
//
// and go mod tidy. New tests are better off with package pulsetest, whose clock and faults are those of the whole server.
//
// # Time
//
// There are two times, as in miniredis. The calendar is what clients are told: TIME, the IDs of stream entries, how long an entry has
// been pending, and what the dates of EXPIREAT and its like are compared with. It is real time, until SetTime makes it stand at
// another. TTLs do not follow it: they become shorter with FastForward alone, or with the calendar too after ClockTTL(true). A date
// becomes a TTL when a command names it, and EXPIRETIME tells the present of the calendar plus the TTL.
//
// What is due because of FastForward is gone when it returns, and keyspace notifications have been sent.
//
// Whatever waits does so in real time: BLPOP, XREAD BLOCK, CLIENT PAUSE and their like, however FastForward and SetTime are used. No
// clock of the test can be blamed for a test that hangs, and a time-out of a second takes one. Within a bubble of testing/synctest,
// with Dial in place of a port, real time is the bubble's.
//
// # Concurrency
//
// All methods may be called from any goroutine, whether clients are connected or not, also from hooks (see package server beside this
// one). A direct method is a command on a connection of its own; it sees and does what a client would, and none of them panics.
// Nothing of this package takes the Mutex of a Miniredis.
//
// While a Miniredis is closed its data is kept as DUMP has it; a direct method opens the engine again, which Close ends again.
//
// # What is different
//
// From the answers of miniredis, all that Redis answers differently: texts of errors, the order of KEYS, SMEMBERS and HGETALL (none,
// where miniredis sorts), INFO and HELLO, DUMP and RESTORE (the format of Redis), approximate trimming, and which members a seed leads
// to. Beside that:
//
//   - Databases are numbered from 0 to 255.
//   - TTLs have milliseconds, as in Redis. One that is set to nothing, or less, does not wait for FastForward: see SetTTL.
//   - A password is asked for of connections that are made from then on, not of those that are there.
//   - Subscribers do not hold up whoever publishes.
//   - PubSubNumPat counts a pattern once, however many have subscribed to it, as PUBSUB NUMPAT does.
//   - Restart keeps data, users and subscribers, but no scripts.
//   - Functions called by scripts are seen by no hook, and cannot be commands that a test has registered.
//   - Addr is "" where miniredis would panic, before the first start.
//   - XAdd with a field that has no value is an error.
//
// The packages fpconv, geohash, gopher-json, hyperloglog, metro and size of miniredis are not offered: they are what it is made of, not
// what tests use.
package miniredis
