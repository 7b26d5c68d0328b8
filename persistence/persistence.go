// Package persistence is the folder of what keeps the data of a store in files that Redis reads, and brings them back:
// rdb is the file with everything at one instant, aof the log of all changes.
//
// They stand beside the commands, not above them: they read and fill a store.Store, and replay commands through a function
// that the server gives them. They import neither commands nor server. All file access of the log goes through
// internal/vfs, with a real, an in-memory crashable and an error-injecting implementation.
package persistence
