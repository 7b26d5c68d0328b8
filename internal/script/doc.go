// Package script runs transcripts: text files of requests and the replies expected to them. Behaviour that users see is
// written down in transcripts, recorded from a real redis-server and replayed against this project's server.
//
// Contract: a File is immutable once parsed, except by Record. Run, Replay and Record talk to one server at a time, which
// they must have to themselves: they empty it first, and they count its connections and blocked clients. Different Files
// may be run concurrently against different servers.
//
// # Format
//
// UTF-8 lines. Comments (`# text`) and blank lines are free and survive rewriting. Requests look as redis-cli would take
// them and replies look as they look on the wire, so that the type of each is in sight; elements are indented by two:
//
//	> SET k "a\x00b"            request of client 1; "" and '' quote as in redis-cli
//	+OK                         simple string; +"..." where it holds odd bytes
//	> INCR k
//	-ERR value is not an ...    error (RESP3 blob error: !)
//	2> GET k                    client 2; a client's connection is opened by its first request
//	"a\x00b"                    bulk string
//	> STRLEN k
//	:3                          integer; (123 is a big number, ,1.5 a double, #t and #f are booleans
//	> HGETALL h
//	%1                          map; *2 array, ~2 set, >3 push, =txt:"..." verbatim string, |1 attribute
//	  "field" => *1
//	    "v"
//	> GET nokey
//	(nil)                       null: $-1 in RESP2, _ in RESP3; (nil array) is *-1 in RESP2, _ in RESP3
//
// Where only the type is known beforehand a question mark stands for the value: `:?`, `$?` (bulk), `+?`, `*?`, `%?` ...,
// and `?` alone stands for any reply.
//
// More lines than replies:
//
//	2> BLPOP q 0
//	(blocked)                   no reply yet: the runner waits until the server has put the client to sleep
//	2<                          the next reply or push that client 2 is due; `<` is client 1
//	(closed)                    the server has closed the connection
//	> CLIENT REPLY OFF
//	(none)                      no reply will come
//	raw> "*1\r\n$4\r\nPING\r\n" bytes as they are
//	2> (close)                  close the connection of client 2
//	> (sleep 20ms)              let time pass
//
// A request may have several replies, one below the other (SUBSCRIBE a b; a push that precedes a reply).
//
// A file runs in RESP2 unless it says `#: protocol 2 3` or `#: protocol 3` before its first request. Where the two differ
// the replies follow a line `[2]` and a line `[3]`.
//
// With `#: defaults` a file says that its replies hold only where the server's parameters have their default values; it is
// left out elsewhere.
//
// Directives (`#: name arguments`) stand above the request they are for; with `#: all name arguments` they are for all
// that follow in the file.
//
//	#: unordered              the elements may come in any order (pairs, where the type is a map)
//	#: unordered pairs        the array is a flat list of pairs, which may come in any order
//	#: unordered deep         the elements of nested arrays may come in any order too
//	#: any                    only the type counts
//	#: error-prefix           of an error only the first word counts
//	#: regex EXPR             the text of the scalar (or the notation of an aggregate) must match
//	#: near N                 numbers may differ by N (TTL, memory)
//	#: let NAME [I ...]       keep the scalar reply, or the element at that path: ${NAME} in later requests
//	#: handwritten REASON     not recorded: newer than the oracle, or a deliberate difference; rewriting keeps it
//	#: no multi               the request must not be wrapped in MULTI and EXEC
//	#: reset                  by itself: drop all connections and empty the server, as at the top of each file
package script
