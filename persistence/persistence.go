// Package persistence will keep what the store holds in files that Redis reads, and bring it back.
//
// # Contract
//
// It stands beside the commands, not above them: it reads and fills a store.Store, and replays commands through a
// function that the server gives it. It imports neither commands nor server. All file access goes through an interface with
// a real, an in-memory crashable and an error-injecting implementation.
//
// Nothing is implemented yet: SAVE, BGSAVE and the append-only file do not exist, and a server starts empty.
package persistence
