// Package crash kills servers under load and looks at what they bring back, and takes snapshots under load and has another
// server read them.
//
// # Contract
//
// Kill (kill_test.go) starts a server in one directory again and again, has writers of all kinds work on it (writers_test.go,
// queues_test.go), ends it with SIGKILL, starts it once more and compares what is there with what was acknowledged.
// Each writer knows how many of its operations were sent and how many were acknowledged; those that are there must be the
// first n of them, with n between the two, each done once and as a whole. Bank (bank_test.go) is about sums in snapshots.
//
// A server is anything with the command line of redis-server. The processes end with the functions that started them; the
// directory is the caller's.
//
// All of it is tests: a server that ships contains nothing that starts others.
package crash
