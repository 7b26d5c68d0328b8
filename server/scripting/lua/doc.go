// Package lua is an interpreter of Lua 5.1 as Redis runs it.
//
// It owns the language: compiler, interpreter, and the libraries base, string, table, math and coroutine; the libraries that Redis adds
// are in lualib. The texts of errors, the order of tables and the format of numbers are those of Lua 5.1, because scripts and their
// callers see them.
//
// What it adds to the language is what a server needs. A State counts its steps and can be stopped from another goroutine
// (Stop) within thousands of them, wherever it is; pcall does not catch that. It charges what scripts allocate and refuses more than a
// quota (SetQuota). Tables can be made read-only. Nesting is limited everywhere, so that no script can exhaust the stack of the process.
//
// A Proto is immutable and shared by all states. A State and all values made by it belong to one goroutine at a time; only Stop may be
// called from others. Errors of scripts travel as panics with *Error inside this package and the Go functions that it calls, and become
// values at PCall; *Killed goes through to whoever called first.
//
// Registers are viewed as an array of 256 values through an unsafe pointer into the stack (vm.go): the stack always has so much room above
// a frame. Values keep strings as pointer and length (value.go).
package lua
