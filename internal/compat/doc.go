// Package compat is the documented behaviour of libraries that stand on scripts, streams or tracking, as tests: redis_rate,
// redsync, redislock and asynq; watermill-redisstream and redisqueue; and rueidis with its locks, which stands on tracking. They are
// unmodified and at the versions in go.mod.
//
// It is a module of its own, so that what these libraries need stays out of the server's go.mod; `make compat` runs it. The
// server is the one at REDIS_ADDR, or else a Pulse in the same process, started anew for each test. Tests use names that no
// other test has and never flush, so they may run in parallel and against a server that holds other data.
//
// A test here says what a user of the library may rely on. It does not skip, and it does not know which server it meets.
package compat
